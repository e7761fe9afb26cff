// Command jwt adds passkeys to an application whose sessions are tokens (JWT) in a cookie, replaced every few minutes.
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

	"github.com/golang-jwt/jwt/v5"
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

// claims are those of a token. A refresh changes ID and expiry and keeps the rest.
type claims struct {
	jwt.RegisteredClaims
	Session  string `json:"sid"`
	AuthTime int64  `json:"auth_time"`
}

type app struct {
	key    []byte
	secure bool
	keys   *stepup.Kit
}

// newApp makes the application for one origin. Its tokens end with the process.
func newApp(ctx context.Context, db *sql.DB, secret, origin string) (http.Handler, error) {
	a := &app{key: make([]byte, 32), secure: strings.HasPrefix(origin, "https:")}
	rand.Read(a.key)
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
	mux.HandleFunc("POST /refresh", a.refresh)
	mux.HandleFunc("POST /logout", a.logout)
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// token returns the claims of a request's token, and false if there is none that is good.
func (a *app) token(r *http.Request) (c claims, ok bool) {
	cookie, err := r.Cookie("token")
	if err != nil {
		return c, false
	}
	_, err = jwt.ParseWithClaims(cookie.Value, &c, func(*jwt.Token) (any, error) { return a.key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	return c, err == nil
}

// identify takes sid, which a refresh keeps. The proof would not outlive a refresh if it were bound to jti. Without sid, sub and
// auth_time together name the session.
func (a *app) identify(r *http.Request) (stepup.Identity, error) {
	c, ok := a.token(r)
	if !ok {
		return stepup.Identity{}, nil
	}
	return stepup.Identity{User: c.Subject, Name: c.Subject, Session: c.Session, SignedInAt: time.Unix(c.AuthTime, 0)}, nil
}

// issue answers with a new token, good for five minutes.
func (a *app) issue(w http.ResponseWriter, r *http.Request, c claims) {
	c.ID, c.ExpiresAt = rand.Text(), jwt.NewNumericDate(time.Now().Add(5*time.Minute))
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(a.key)
	if err != nil {
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "token", Value: token, Path: "/", HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther) // ../existing-app leads on to "next"
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if bcrypt.CompareHashAndPassword([]byte(passwordHash), []byte(r.PostFormValue("password"))) != nil {
		http.Error(w, "Wrong name or password.", http.StatusUnauthorized)
		return
	}
	a.issue(w, r, claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: r.PostFormValue("name")}, Session: rand.Text(), AuthTime: time.Now().Unix(),
	})
}

// refresh takes the token itself; most applications have refresh tokens besides.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	c, ok := a.token(r)
	if !ok {
		http.Error(w, "Sign in first.", http.StatusUnauthorized)
		return
	}
	a.issue(w, r, c)
}

// logout also ends the proof: the token that the browser drops would stay good in a copy.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	if err := a.keys.SignOut(r); err != nil {
		http.Error(w, "Try again in a minute.", http.StatusServiceUnavailable)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "token", Path: "/", MaxAge: -1})
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
