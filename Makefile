dev:
	go run ./localdev dev
