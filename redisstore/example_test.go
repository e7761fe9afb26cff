package redisstore_test

import (
	"context"
	"log"
	"time"

	"github.com/stepkey/stepkey/redisstore"
)

// Several instances share challenges and limits: pass the store as Config.Challenges and Config.Limiter.
func ExampleOpen() {
	store, err := redisstore.Open(context.Background(), "redis://localhost:6379/0", redisstore.Options{Timeout: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
}
