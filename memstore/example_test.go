package memstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stepkey/stepkey/memstore"
	"github.com/stepkey/stepkey/storage"
)

// Two at once, then one every 30 seconds.
func ExampleNewLimiter() {
	now := time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)
	limiter := memstore.NewLimiter(memstore.DefaultBuckets, func() time.Time { return now })
	one := storage.Charge{Bucket: "192.0.2.7", Limit: storage.Limit{Burst: 2, Every: 30 * time.Second}, Cost: 1}
	for range 3 {
		wait, err := limiter.Charge(context.Background(), one)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(wait)
	}
	// Output:
	// 0s
	// 0s
	// 30s
}
