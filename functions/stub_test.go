package functions_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// stub answers as a libSQL server that stores each record as a new one, but at once, for the tests that are
// about the function alone.
type stub struct {
	URL              string
	executed, closed atomic.Int64
}

// startStub starts a stub. With baton it keeps the stream of each statement until it is closed, as sqld does.
func startStub(t testing.TB, baton bool) *stub {
	s := &stub{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var pipeline struct{ Requests []struct{ Type string } }
		if err := json.NewDecoder(r.Body).Decode(&pipeline); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := map[string]any{"baton": nil, "base_url": nil}
		results := []any{}
		for _, request := range pipeline.Requests {
			response := map[string]any{"type": request.Type}
			switch request.Type {
			case "execute":
				s.executed.Add(1)
				response["result"] = map[string]any{
					"cols": []any{map[string]any{"name": "1"}}, "rows": []any{[]any{map[string]any{"type": "integer", "value": "1"}}},
					"affected_row_count": 1, "last_insert_rowid": nil,
				}
				if baton {
					answer["baton"] = "stream"
				}
			case "close":
				s.closed.Add(1)
				answer["baton"] = nil
			}
			results = append(results, map[string]any{"type": "ok", "response": response})
		}
		answer["results"] = results
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.URL = server.URL
	return s
}
