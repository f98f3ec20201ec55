package bitville

// instead is what to send in place of a value of another type, in words that follow what is wrong with it.
func instead(field int, v []byte) string {
	switch {
	case field == fieldTimestamp:
		return "; send Unix seconds, such as " + now
	case field == fieldPayload && v[0] == '"' && isEncoded(v):
		return "; it was encoded twice: encode the record once"
	case field == fieldPayload && v[0] == 'n':
		return "; send {} when there is nothing"
	case field == fieldPayload:
		return `; put it into one, such as {"data":…}`
	case field == fieldDuration && v[0] == '"':
		if end, ok := scanNumber(v, 1); ok && end == len(v)-1 {
			return "; leave its quotes out"
		}
		return "; send a number of milliseconds, or null when they are not known"
	case field == fieldDuration:
		return "; send milliseconds, or null when they are not known"
	case isDigit(v[0]) || v[0] == '-':
		return "; put it in quotes"
	}
	return ""
}

// otherAgent says where a record belongs that has the name of another kind of agent, in words that follow what is wrong
// with its own.
func (f *fields) otherAgent() string {
	for _, m := range f.other {
		switch string(m.name) {
		case `"request_uri"`:
			return "; it has request_uri: send it to /ingest/php"
		case `"query"`:
			return "; it has query: send it to /ingest/postgres"
		}
	}
	return ""
}

// now is how to get the time in the languages of agents.
const now = "1763843023.96: microtime(true) in PHP, time.time() in Python, date +%s in a shell, extract(epoch FROM now()) in Postgres"

// isEncoded tells whether a string holds the beginning of an object or an array: JSON that was encoded twice.
func isEncoded(v []byte) bool {
	i := skipSpace(v, 1)
	return v[i] == '{' || v[i] == '['
}

// noRecord says how a value that is no object came to stand for a record, in words that follow what is wrong with it.
func noRecord(v []byte) string {
	switch {
	case v[0] == '"' && isEncoded(v):
		return "; it was encoded twice: encode it once"
	case v[0] == 'f':
		return "; false is what PHP's json_encode returns when it fails: json_last_error_msg() says why"
	case v[0] == '[':
		return "; an array of records is the whole of an application/json body"
	}
	return "; send the record itself"
}
