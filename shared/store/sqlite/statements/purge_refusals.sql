DELETE FROM profiling_data_refused WHERE hour < ?1
