package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/redistest"
)

// With Redis gone nobody guesses unseen; when it is back, so is the service.
func TestServeWithRedis(t *testing.T) {
	redis := redistest.New(t, redistest.Options{})
	atHome(t)
	port := freePort(t)
	t.Setenv("PORT", port)
	t.Setenv("REDIS_URL", redis.URL())
	address := "http://localhost:" + port
	s := start(t)
	if status, body := post(t, address+"/auth/signup", mira); status != 201 {
		t.Fatalf("sign-up: %d %s", status, body)
	}
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if status, body := post(t, address+"/auth/login", mira); status != 503 || !strings.Contains(body, `"code":"unavailable"`) {
		t.Errorf("login without Redis: %d %s", status, body)
	}
	if err := redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		status, body := post(t, address+"/auth/login", mira)
		if status == 201 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("login after Redis is back: %d %s", status, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if strings.Contains(s.stderr.String(), "noeviction") {
		t.Errorf("it warns of a Redis that is as it should be: %s", s.stderr.String())
	}
}

func TestEvictingRedisIsWarnedOf(t *testing.T) {
	redis := redistest.New(t, redistest.Options{Settings: []string{"--maxmemory", "8mb", "--maxmemory-policy", "volatile-lru"}})
	atHome(t)
	t.Setenv("PORT", freePort(t))
	t.Setenv("REDIS_URL", redis.URL())
	s := start(t)
	for _, part := range []string{"level=WARN", "set maxmemory-policy to noeviction", "volatile-lru"} {
		if !strings.Contains(s.stderr.String(), part) {
			t.Errorf("the log says %q, want %q in it", s.stderr.String(), part)
		}
	}
}
