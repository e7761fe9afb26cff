// Command shop is a small application that keeps its own users: integer ids, bcrypt hashes, sessions of scs, pages of
// html/template, PostgreSQL.
//
//	DATABASE_URL=postgres://… shop seed    # adds mira@example.com and jo@example.com, both with "correct horse battery"
//	DATABASE_URL=postgres://… shop         # http://localhost:3000, or another address in ADDR
package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"html/template"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/crypto/bcrypt"
)

const schema = `
CREATE TABLE IF NOT EXISTS users (
  id BIGSERIAL PRIMARY KEY, email TEXT UNIQUE NOT NULL, password_hash TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payouts (
  id BIGSERIAL PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users, amount TEXT NOT NULL, recipient TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
  token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);`

const pages = `
{{define "top"}}<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><main id="shop">{{end}}
{{define "login"}}{{template "top"}}<h1>Sign in</h1>
<form method="post"><p>{{.Notice}}</p>
<label>E-mail <input id="email" name="email"></label> <label>Password <input id="password" name="password" type="password"></label>
<button>Sign in</button></form></main>{{end}}
{{define "settings"}}{{template "top"}}<h1>Settings of {{.User.Name}}</h1><p>You are signed in as {{.User.Email}}.</p>
<form method="post"><label>E-mail <input id="email" name="email" value="{{.User.Email}}"></label> <button>Save</button></form>
<form method="post" action="/logout"><button>Sign out</button></form>
<a id="payouts" href="/payouts">Payouts</a></main>{{end}}
{{define "payouts"}}{{template "top"}}<h1>Payouts of {{.User.Name}}</h1>
<ul>{{range .Payouts}}<li>{{.Amount}} to {{.Recipient}}</li>{{end}}</ul>
<form method="post"><label>Amount <input id="amount" name="amount"></label> <label>To <input id="recipient" name="recipient"></label>
<button>Pay</button></form></main>{{end}}`

type app struct {
	db       *sql.DB
	sessions *scs.SessionManager
	pages    *template.Template
}

type user struct {
	ID    int64
	Email string
	Name  string
}

type payout struct {
	Amount    string
	Recipient string
}

// page is what a page shows.
type page struct {
	User    user
	Notice  string
	Payouts []payout
}

// user returns who is signed in, or the zero user.
func (a *app) user(r *http.Request) (u user, err error) {
	id := a.sessions.GetInt64(r.Context(), "user")
	if id == 0 {
		return u, nil
	}
	err = a.db.QueryRowContext(r.Context(), `SELECT id, email, name FROM users WHERE id = $1`, id).Scan(&u.ID, &u.Email, &u.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return user{}, nil
	}
	return u, err
}

type userKey struct{}

func (a *app) requireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := a.user(r)
		if err != nil {
			a.fail(w, err)
			return
		}
		if u.ID == 0 {
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
}

func (a *app) loginPage(w http.ResponseWriter, _ *http.Request) {
	a.show(w, http.StatusOK, "login", page{})
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	var id int64
	var hash []byte
	err := a.db.QueryRowContext(r.Context(), `SELECT id, password_hash FROM users WHERE email = $1`, r.PostFormValue("email")).Scan(&id, &hash)
	if err == nil {
		err = bcrypt.CompareHashAndPassword(hash, []byte(r.PostFormValue("password")))
	}
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		a.show(w, http.StatusUnauthorized, "login", page{Notice: "Wrong e-mail or password."})
		return
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	if err := a.sessions.RenewToken(r.Context()); err != nil {
		a.fail(w, err)
		return
	}
	a.sessions.Put(r.Context(), "user", id)
	http.Redirect(w, r, localPath(r.FormValue("next")), http.StatusSeeOther)
}

// localPath returns a path that leads to a page of this application: next, or the settings.
func localPath(next string) string {
	_, err := url.Parse(next) // refuses control characters, which browsers drop
	if err != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/settings"
	}
	return next
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.Destroy(r.Context()); err != nil {
		a.fail(w, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (a *app) settings(w http.ResponseWriter, r *http.Request) {
	u := r.Context().Value(userKey{}).(user)
	a.show(w, http.StatusOK, "settings", page{User: u})
}

func (a *app) changeEmail(w http.ResponseWriter, r *http.Request) {
	u := r.Context().Value(userKey{}).(user)
	if _, err := a.db.ExecContext(r.Context(), `UPDATE users SET email = $1 WHERE id = $2`, r.PostFormValue("email"), u.ID); err != nil {
		a.fail(w, err)
		return
	}
	http.Redirect(w, r, "/settings", http.StatusSeeOther)
}

func (a *app) payouts(w http.ResponseWriter, r *http.Request) {
	u := r.Context().Value(userKey{}).(user)
	rows, err := a.db.QueryContext(r.Context(), `SELECT amount, recipient FROM payouts WHERE user_id = $1 ORDER BY id`, u.ID)
	if err != nil {
		a.fail(w, err)
		return
	}
	defer rows.Close()
	var list []payout
	for rows.Next() {
		var p payout
		if err := rows.Scan(&p.Amount, &p.Recipient); err != nil {
			a.fail(w, err)
			return
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		a.fail(w, err)
		return
	}
	a.show(w, http.StatusOK, "payouts", page{User: u, Payouts: list})
}

func (a *app) pay(w http.ResponseWriter, r *http.Request) {
	u := r.Context().Value(userKey{}).(user)
	_, err := a.db.ExecContext(r.Context(), `INSERT INTO payouts (user_id, amount, recipient) VALUES ($1, $2, $3)`,
		u.ID, r.PostFormValue("amount"), r.PostFormValue("recipient"))
	if err != nil {
		a.fail(w, err)
		return
	}
	http.Redirect(w, r, "/payouts", http.StatusSeeOther)
}

func (a *app) show(w http.ResponseWriter, status int, name string, p page) {
	var body bytes.Buffer
	if err := a.pages.ExecuteTemplate(&body, name, p); err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // a browser that is gone needs no page
}

func (a *app) fail(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "Something went wrong.", http.StatusInternalServerError)
}

func (a *app) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(http.NewCrossOriginProtection().Handler, middleware.SetHeader("Cache-Control", "no-store"), a.sessions.LoadAndSave)
	r.Get("/login", a.loginPage)
	r.Post("/login", a.login)
	r.Post("/logout", a.logout)
	r.Group(func(r chi.Router) {
		r.Use(a.requireUser)
		r.Get("/settings", a.settings)
		r.Post("/settings", a.changeEmail)
		r.Route("/payouts", func(r chi.Router) {
			r.Get("/", a.payouts)
			r.Post("/", a.pay)
		})
	})
	return r
}

func seed(ctx context.Context, db *sql.DB) error {
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse battery"), bcrypt.DefaultCost)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO users (email, password_hash, name)
		VALUES ('mira@example.com', $1, 'Mira'), ('jo@example.com', $1, 'Jo') ON CONFLICT DO NOTHING`, hash)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	if len(os.Args) > 1 && os.Args[1] == "seed" {
		return seed(ctx, db)
	}
	sessions := scs.New()
	sessions.Store = postgresstore.New(db)
	sessions.Lifetime = 24 * time.Hour
	a := &app{db: db, sessions: sessions, pages: template.Must(template.New("").Parse(pages))}
	server := &http.Server{Addr: "localhost:3000", Handler: a.routes(), ReadHeaderTimeout: 10 * time.Second}
	if addr := os.Getenv("ADDR"); addr != "" {
		server.Addr = addr
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
