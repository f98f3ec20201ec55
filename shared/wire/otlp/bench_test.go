package otlp

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// BenchmarkDecode maps what clients sent: its bytes a second are the whole cost of a body but for its decompression.
func BenchmarkDecode(b *testing.B) {
	bodies, messages := captured(b)
	for _, name := range []string{"joined-3-pg_tracing.json", "otlp-php-slim-pdo.json", "otlp-js-http-pg.json"} {
		protobuf, err := proto.Marshal(messages[name])
		require.NoError(b, err)
		for contentType, text := range map[string][]byte{typeJSON: []byte(bodies[name]), typeProtobuf: protobuf} {
			b.Run(fmt.Sprintf("%s-as-%s", name, contentType[len("application/"):]), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					batch, err := Wire{}.Decode(text, contentType, rules, plenty)
					if err != nil || len(batch.Records) == 0 {
						b.Fatal(err, batch.Rejected)
					}
				}
			})
		}
	}
}
