// Command gorilla adds passkeys to an application on net/http whose sessions are in cookies alone, by gorilla/sessions.
//
//	STEPKEY_SECRET=$(openssl rand -base64 32) go run .   # http://localhost:3000, mira, "correct horse battery"
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/sessions"
	"golang.org/x/crypto/bcrypt"
	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey/stepup"
)

const (
	dsn = "file:app.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"

	// An application has a table of users. Here everybody has this password.
	passwordHash = "$2a$10$32VX.aHaFCAQyFhFhWZfCOakAMSqRSE7/iQsJAIaad1BzkgXY5K7O"

	loginPage = `<!doctype html><form method="post"><input name="name"><input name="password" type="password"><button>Sign in</button></form>`
	payPage   = `<!doctype html><form method="post"><input name="amount"><input name="to"><button>Pay</button></form>`
	homePage  = `<!doctype html><a href="/payouts">Payouts</a><form method="post" action="/logout"><button>Sign out</button></form>`
)

type app struct {
	sessions *sessions.CookieStore
	keys     *stepup.Kit
}

// newApp makes the application for one origin. Its sessions end with the process.
func newApp(ctx context.Context, db *sql.DB, secret, origin string) (http.Handler, error) {
	key := make([]byte, 32)
	rand.Read(key)
	a := &app{sessions: sessions.NewCookieStore(key)}
	a.sessions.Options = &sessions.Options{
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(origin, "https:"),
	}
	var err error
	a.keys, err = stepup.New(ctx, stepup.Config{
		DB: db, Secret: secret, RPName: "Payouts", Origins: []string{origin}, Identify: a.identify, SignIn: "/login?next=",
		Purposes: []stepup.Purpose{{Name: "payout", Title: "Pay out", Rule: stepup.Passkey.Within(10 * time.Minute)}},
	})
	if err != nil {
		return nil, err
	}
	go a.keys.Run(ctx)

	payouts := http.NewServeMux()
	payouts.HandleFunc("GET /payouts", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, payPage) })
	payouts.HandleFunc("POST /payouts", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Paid %s to %s.", html.EscapeString(r.FormValue("amount")), html.EscapeString(r.FormValue("to")))
	})
	mux := http.NewServeMux()
	mux.Handle("/_stepkey/", a.keys)
	mux.Handle("/payouts", a.keys.Require("payout")(payouts)) // sends to SignIn if nobody is signed in
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, homePage, a.keys.Manage(r)) })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, loginPage) })
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	return http.NewCrossOriginProtection().Handler(mux), nil
}

func (a *app) identify(r *http.Request) (stepup.Identity, error) {
	session, _ := a.sessions.Get(r, "session") // a cookie that cannot be read is an empty session
	name, _ := session.Values["user"].(string)
	sid, _ := session.Values["sid"].(string)
	at, _ := session.Values["at"].(int64)
	return stepup.Identity{User: name, Name: name, Session: sid, SignedInAt: time.Unix(at, 0)}, nil
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if bcrypt.CompareHashAndPassword([]byte(passwordHash), []byte(r.PostFormValue("password"))) != nil {
		http.Error(w, "Wrong name or password.", http.StatusUnauthorized)
		return
	}
	session, _ := a.sessions.Get(r, "session")
	session.Values["user"], session.Values["sid"], session.Values["at"] = r.PostFormValue("name"), rand.Text(), time.Now().Unix()
	if err := session.Save(r, w); err != nil {
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther) // ../existing-app leads on to "next"
}

// logout also ends the proof: the cookie that the browser drops would stay good in a copy.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	session, _ := a.sessions.Get(r, "session")
	session.Options.MaxAge = -1
	if err := a.keys.SignOut(r); err != nil {
		http.Error(w, "Try again in a minute.", http.StatusServiceUnavailable)
		return
	}
	if err := session.Save(r, w); err != nil {
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func main() {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		log.Fatal(err)
	}
	handler, err := newApp(context.Background(), db, os.Getenv("STEPKEY_SECRET"), "http://localhost:3000")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:3000", handler))
}
