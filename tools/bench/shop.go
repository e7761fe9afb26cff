package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey/stepup"
)

// shopEnv makes this program the shop: an application with users and sessions of its own.
const shopEnv = "STEPKEY_BENCH_SHOP"

// shopDatabase is the database of the shop, as JSON on its standard input.
type shopDatabase struct{ Driver, DSN string }

// Paths of the shop. Each page is read by the same handler.
const (
	pathPlain      = "/plain"      // behind the session alone
	pathRead       = "/read"       // and one more indexed read
	pathGuarded    = "/guarded"    // behind Require
	pathRemembered = "/remembered" // behind Require with proofs in memory for two seconds
)

// shopPage is what the pages answer with.
var shopPage = bytes.Repeat([]byte("<p>a line of a page</p>\n"), 40)

// shop answers for those who bear the token of a session.
type shop struct {
	db      *sql.DB
	numbers func(query string) string // writes parameters as the database wants them
}

// shopSession is a row of the table of sessions.
type shopSession struct {
	id, user string
	at       time.Time
}

type shopSessionKey struct{}

// playShop is main for the shop. It writes its URL as a line and serves until it is killed.
func playShop() {
	if err := serveShop(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveShop(ctx context.Context, in io.Reader, out io.Writer) error {
	var database shopDatabase
	if err := json.NewDecoder(in).Decode(&database); err != nil {
		return err
	}
	db, err := sql.Open(database.Driver, database.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxIdleConns(people)
	s := &shop{db: db, numbers: func(query string) string { return query }}
	if database.Driver == "sqlite" {
		s.numbers = strings.NewReplacer("$", "?").Replace
	}
	if err := s.fill(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	url := "http://localhost:" + port
	handler, err := s.routes(ctx, url)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, url); err != nil {
		return err
	}
	return http.Serve(listener, handler)
}

// shopUsers is how many users the shop has, and shopSessions how many sessions. The users take
// turns in having them.
const (
	shopUsers    = 10_000
	shopSessions = 2 * shopUsers
)

// tokenOf is the token of a session.
func tokenOf(session int) string { return fmt.Sprintf("token-of-session-%d", session) }

// userOf is the user of a session. The customers of the benchmark have many, since verifications
// are limited in each; all other users have one.
func userOf(session int) int {
	if session < shopUsers {
		return session
	}
	return session % people
}

func (s *shop) fill(ctx context.Context) error {
	for _, statement := range []string{
		`CREATE TABLE shop_users (id TEXT PRIMARY KEY, name TEXT NOT NULL)`,
		`CREATE TABLE shop_sessions (token TEXT PRIMARY KEY, id TEXT NOT NULL, user_id TEXT NOT NULL, created_at BIGINT NOT NULL)`,
	} {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	now := time.Now().Unix()
	for user := range shopUsers {
		id := fmt.Sprint(user)
		if _, err := tx.ExecContext(ctx, s.numbers(`INSERT INTO shop_users (id, name) VALUES ($1, $2)`), id, "user "+id); err != nil {
			return err
		}
	}
	for session := range shopSessions {
		_, err := tx.ExecContext(ctx, s.numbers(`INSERT INTO shop_sessions (token, id, user_id, created_at) VALUES ($1, $2, $3, $4)`),
			tokenOf(session), fmt.Sprint(session), fmt.Sprint(userOf(session)), now)
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *shop) routes(ctx context.Context, url string) (http.Handler, error) {
	mux := http.NewServeMux()
	page := http.HandlerFunc(servePage)
	mux.Handle(pathPlain, page)
	mux.Handle(pathRead, http.HandlerFunc(s.read))
	for path, kit := range map[string]stepup.Config{
		pathGuarded:    {Path: "/_stepkey/"},
		pathRemembered: {Path: "/_remembering/", Staleness: 2 * time.Second},
	} {
		kit.DB, kit.Origins, kit.SignIn, kit.Identify = s.db, []string{url}, "/login?next=", identifyShop
		kit.Secret = "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw="
		kit.Purposes = []stepup.Purpose{{Name: "payout", Rule: stepup.Passkey.Within(12 * time.Hour)}}
		keys, err := stepup.New(ctx, kit)
		if err != nil {
			return nil, err
		}
		go keys.Run(ctx)
		mux.Handle(kit.Path, keys)
		mux.Handle(path, keys.Require("payout")(page))
	}
	return s.loadSession(mux), nil
}

// loadSession reads the session of a request, as the middleware of an application does.
func (s *shop) loadSession(next http.Handler) http.Handler {
	query := s.numbers(`SELECT id, user_id, created_at FROM shop_sessions WHERE token = $1`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var session shopSession
		var at int64
		err := s.db.QueryRowContext(r.Context(), query, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")).
			Scan(&session.id, &session.user, &at)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		session.at = time.Unix(at, 0)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), shopSessionKey{}, session)))
	})
}

func identifyShop(r *http.Request) (stepup.Identity, error) {
	session := r.Context().Value(shopSessionKey{}).(shopSession)
	return stepup.Identity{User: session.user, Name: session.user, Session: session.id, SignedInAt: session.at}, nil
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(shopPage)
}

// read is the page with one more indexed read.
func (s *shop) read(w http.ResponseWriter, r *http.Request) {
	session := r.Context().Value(shopSessionKey{}).(shopSession)
	var name string
	if err := s.db.QueryRowContext(r.Context(), s.numbers(`SELECT name FROM shop_users WHERE id = $1`), session.user).Scan(&name); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	servePage(w, r)
}
