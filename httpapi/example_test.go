package httpapi_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/httpapi"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
)

// The API without its demo, below a path of an application.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "stepkey")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "app.db"), sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	service, err := stepkey.New(ctx, stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Clock: store.Now,
		Secret:  "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", // openssl rand -base64 32
		Origins: []string{"https://app.example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/identity/", http.StripPrefix("/identity", httpapi.New(service, httpapi.Options{NoDemo: true})))

	for _, path := range []string{"/identity/readyz", "/identity/users/profile"} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, answer.Code)
	}
	// Output:
	// /identity/readyz 200
	// /identity/users/profile 404
}
