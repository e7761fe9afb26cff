// Command gin adds passkeys to an application on Gin. Its sessions, of gin-contrib/sessions, are in cookies alone and cannot be
// found from a request, so that a middleware puts who is signed in into the context.
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
	"strings"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
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

type app struct{ keys *stepup.Kit }

// newApp makes the application for one origin. Its sessions end with the process.
func newApp(ctx context.Context, db *sql.DB, secret, origin string) (http.Handler, error) {
	keys, err := stepup.New(ctx, stepup.Config{
		DB: db, Secret: secret, RPName: "Payouts", Origins: []string{origin}, SignIn: "/login?next=",
		Purposes: []stepup.Purpose{{Name: "payout", Title: "Pay out", Rule: stepup.Passkey.Within(10 * time.Minute)}},
	})
	if err != nil {
		return nil, err
	}
	go keys.Run(ctx)
	a := &app{keys: keys}

	key := make([]byte, 32)
	rand.Read(key)
	store := cookie.NewStore(key)
	store.Options(sessions.Options{Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(origin, "https:")})
	r := gin.New()
	r.Use(sessions.Sessions("session", store), identify)
	r.Any("/_stepkey/*path", gin.WrapH(keys))
	r.GET("/", func(c *gin.Context) { show(c, homePage+string(keys.Manage(c.Request))) })
	r.GET("/login", func(c *gin.Context) { show(c, loginPage) })
	r.POST("/login", a.login)
	r.POST("/logout", a.logout)
	payouts := r.Group("/payouts", func(c *gin.Context) {
		if !keys.Admit(c.Writer, c.Request, "payout") {
			c.Abort()
		}
	})
	payouts.GET("", func(c *gin.Context) { show(c, payPage) })
	payouts.POST("", func(c *gin.Context) {
		show(c, "Paid "+html.EscapeString(c.PostForm("amount"))+" to "+html.EscapeString(c.PostForm("to"))+".")
	})
	return http.NewCrossOriginProtection().Handler(r), nil
}

func show(c *gin.Context, page string) {
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(page))
}

// identify tells Stepkey who is signed in.
func identify(c *gin.Context) {
	session := sessions.Default(c)
	name, _ := session.Get("user").(string)
	sid, _ := session.Get("sid").(string)
	at, _ := session.Get("at").(int64)
	id := stepup.Identity{User: name, Name: name, Session: sid, SignedInAt: time.Unix(at, 0)}
	c.Request = c.Request.WithContext(stepup.WithIdentity(c.Request.Context(), id))
}

func (a *app) login(c *gin.Context) {
	if bcrypt.CompareHashAndPassword([]byte(passwordHash), []byte(c.PostForm("password"))) != nil {
		c.String(http.StatusUnauthorized, "Wrong name or password.")
		return
	}
	session := sessions.Default(c)
	session.Set("user", c.PostForm("name"))
	session.Set("sid", rand.Text())
	session.Set("at", time.Now().Unix())
	if err := session.Save(); err != nil {
		c.String(http.StatusInternalServerError, "Something went wrong.")
		return
	}
	c.Redirect(http.StatusSeeOther, "/") // ../existing-app leads on to "next"
}

// logout also ends the proof: the cookie that the browser drops would stay good in a copy.
func (a *app) logout(c *gin.Context) {
	session := sessions.Default(c)
	session.Clear()
	if err := a.keys.SignOut(c.Request); err != nil {
		c.String(http.StatusServiceUnavailable, "Try again in a minute.")
		return
	}
	if err := session.Save(); err != nil {
		c.String(http.StatusInternalServerError, "Something went wrong.")
		return
	}
	c.Redirect(http.StatusSeeOther, "/login")
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
