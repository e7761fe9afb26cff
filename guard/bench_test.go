package guard_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// BenchmarkGuard measures a guarded route as requests come to it: clients whose
// tokens come again and again.
func BenchmarkGuard(b *testing.B) {
	shared, err := token.NewSecretKey(bytes.Repeat([]byte("s"), 32), false)
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name string
		key  token.SigningKey
	}{{"HS256", shared}, {"ES256", es256(b)}} {
		b.Run(bench.name, func(b *testing.B) {
			keys := token.NewKeyring(bench.key)
			g := guard.New(newVerifier(b, keys), guard.Options{Ended: endedSet{"other": true}})
			route := g.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			requests := make([]*http.Request, 256)
			for i := range requests {
				requests[i] = httptest.NewRequest(http.MethodGet, "/", nil)
				requests[i].Header.Set("Authorization", "Bearer "+access(b, keys, fmt.Sprint(i)))
			}
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				route.ServeHTTP(w, requests[i%len(requests)])
			}
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		})
	}
}

// BenchmarkFollower asks a follower that holds a million ended sessions.
func BenchmarkFollower(b *testing.B) {
	var content token.EndedContent
	now := time.Now()
	for minute := range 16 {
		m := token.EndedMinute{Minute: now.Unix()/60 - int64(15-minute)}
		for range 62_500 {
			m.Sessions = append(m.Sessions, token.ID(uuid.New()))
		}
		content = append(content, m)
	}
	f := &following{}
	f.keys = token.NewKeyring(es256(b))
	f.signer, f.verifier = token.NewSigner(f.keys), newVerifier(b, f.keys)
	f.publish(f.signed(b, statement(now), content), "")
	f.follow(b, b.Context(), guard.FollowOptions{Interval: time.Hour})
	c := token.Claims{SessionID: uuid.NewString(), Subject: uuid.NewString()}
	b.ReportAllocs()
	for b.Loop() {
		if ended, err := f.follower.Ended(c); ended || err != nil {
			b.Fatal(ended, err)
		}
	}
}
