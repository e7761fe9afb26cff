package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stepkey/stepkey/internal/pgtest"
	"github.com/stepkey/stepkey/internal/storeurl"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
)

// A login charges three buckets. The last run is of what a flood gets.
func BenchmarkCharge(b *testing.B) {
	for name, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + b.TempDir() + "/stepkey.db" },
		"postgres": func() string { return pgtest.NewDatabase(b) },
	} {
		store, err := storeurl.Open(b.Context(), url(), sqlstore.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		wide := storage.Limit{Burst: 1 << 30, Every: time.Microsecond}
		narrow := storage.Limit{Burst: 1, Every: 24 * time.Hour}
		for _, run := range []struct {
			name    string
			buckets int
			limit   storage.Limit
		}{{"one", 1, wide}, {"three", 3, wide}, {"refused", 1, narrow}} {
			b.Run(name+"/"+run.name, func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						var charges []storage.Charge
						for n := range run.buckets {
							bucket := fmt.Sprint(run.name, n, i%100)
							charges = append(charges, storage.Charge{Bucket: bucket, Limit: run.limit, Cost: 1})
						}
						if _, err := store.Charge(b.Context(), charges...); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}
