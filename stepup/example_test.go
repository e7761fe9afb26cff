package stepup_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // or another driver for SQLite, or pgx for PostgreSQL

	"github.com/stepkey/stepkey/stepup"
)

// session is what the application keeps of a sign-in.
type session struct {
	id, user   string
	signedInAt time.Time
}

// An application with sessions of its own lets a page through for users who have verified a
// passkey in the last ten minutes, and sends others to the page that asks for it.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "app.db")+
		"?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	// Sessions by the value of their cookie; an application has a table of them.
	sessions := map[string]session{"c00k1e": {id: "1", user: "42", signedInAt: time.Now().Add(-time.Hour)}}

	keys, err := stepup.New(ctx, stepup.Config{
		DB:      db,
		Secret:  "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", // openssl rand -base64 32
		Origins: []string{"https://shop.example.com"},
		RPName:  "Shop",
		SignIn:  "/login?next=",
		Purposes: []stepup.Purpose{
			{Name: "payout", Title: "Pay out", Rule: stepup.Passkey.Within(10 * time.Minute)},
		},
		Identify: func(r *http.Request) (stepup.Identity, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return stepup.Identity{}, nil // nobody is signed in
			}
			s := sessions[cookie.Value]
			return stepup.Identity{User: s.user, Session: s.id, SignedInAt: s.signedInAt}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	running := make(chan error, 1)
	go func() { running <- keys.Run(ctx) }()
	defer func() { cancel(); <-running }() // before the database is closed

	mux := http.NewServeMux()
	mux.Handle("/_stepkey/", keys)
	mux.Handle("/payouts", keys.Require("payout")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Payouts")
	})))

	for _, cookie := range []string{"", "c00k1e"} {
		r := httptest.NewRequest(http.MethodGet, "https://shop.example.com/payouts", nil)
		r.Header.Set("Accept", "text/html")
		r.AddCookie(&http.Cookie{Name: "session", Value: cookie})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("Location"))
	}
	// Output:
	// 303 /login?next=%2Fpayouts
	// 303 /_stepkey/verify?p=payout&next=%2Fpayouts
}
