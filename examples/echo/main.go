// Command echo adds passkeys to an application on Echo whose sessions are in memory, by scs.
//
//	STEPKEY_SECRET=$(openssl rand -base64 32) go run .   # http://localhost:3000, mira, "correct horse battery"
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"html"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
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
	sessions *scs.SessionManager
	keys     *stepup.Kit
}

// newApp makes the application for one origin.
func newApp(ctx context.Context, db *sql.DB, secret, origin string) (http.Handler, error) {
	a := &app{sessions: scs.New()}
	var err error
	a.keys, err = stepup.New(ctx, stepup.Config{
		DB: db, Secret: secret, RPName: "Payouts", Origins: []string{origin}, Identify: a.identify, SignIn: "/login?next=",
		Purposes: []stepup.Purpose{{Name: "payout", Title: "Pay out", Rule: stepup.Passkey.Within(10 * time.Minute)}},
		Renew:    func(_ http.ResponseWriter, r *http.Request) error { return a.sessions.RenewToken(r.Context()) },
	})
	if err != nil {
		return nil, err
	}
	go a.keys.Run(ctx)

	e := echo.New()
	e.Use(echo.WrapMiddleware(http.NewCrossOriginProtection().Handler), echo.WrapMiddleware(a.sessions.LoadAndSave))
	e.Any("/_stepkey/*", echo.WrapHandler(a.keys))
	e.GET("/", func(c echo.Context) error { return c.HTML(http.StatusOK, homePage+string(a.keys.Manage(c.Request()))) })
	e.GET("/login", func(c echo.Context) error { return c.HTML(http.StatusOK, loginPage) })
	e.POST("/login", a.login)
	e.POST("/logout", a.logout)
	payouts := e.Group("/payouts", echo.WrapMiddleware(a.keys.Require("payout")))
	payouts.GET("", func(c echo.Context) error { return c.HTML(http.StatusOK, payPage) })
	payouts.POST("", func(c echo.Context) error {
		return c.HTML(http.StatusOK, "Paid "+html.EscapeString(c.FormValue("amount"))+" to "+html.EscapeString(c.FormValue("to"))+".")
	})
	return e, nil
}

func (a *app) identify(r *http.Request) (stepup.Identity, error) {
	name := a.sessions.GetString(r.Context(), "user")
	return stepup.Identity{
		User: name, Name: name, Session: a.sessions.GetString(r.Context(), "sid"),
		SignedInAt: time.Unix(a.sessions.GetInt64(r.Context(), "at"), 0),
	}, nil
}

func (a *app) login(c echo.Context) error {
	if bcrypt.CompareHashAndPassword([]byte(passwordHash), []byte(c.FormValue("password"))) != nil {
		return echo.NewHTTPError(http.StatusUnauthorized, "Wrong name or password.")
	}
	ctx := c.Request().Context()
	if err := a.sessions.RenewToken(ctx); err != nil {
		return err
	}
	a.sessions.Put(ctx, "user", c.FormValue("name"))
	a.sessions.Put(ctx, "sid", rand.Text()) // not the token, which changes
	a.sessions.Put(ctx, "at", time.Now().Unix())
	return c.Redirect(http.StatusSeeOther, "/") // ../existing-app leads on to "next"
}

func (a *app) logout(c echo.Context) error {
	if err := a.sessions.Destroy(c.Request().Context()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/login")
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
