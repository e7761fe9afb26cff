// Command grpc guards a gRPC method with a passkey that is verified on the pages of the same application. Both take the session,
// of scs: the pages in a cookie, the method in its metadata.
//
//	STEPKEY_SECRET=$(openssl rand -base64 32) go run .   # pages at http://localhost:3000, gRPC at localhost:3001
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
	_ "modernc.org/sqlite"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/stepup"
)

const (
	dsn = "file:app.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)"

	// An application has a table of users. Here everybody has this password.
	passwordHash = "$2a$10$32VX.aHaFCAQyFhFhWZfCOakAMSqRSE7/iQsJAIaad1BzkgXY5K7O"

	loginPage = `<!doctype html><form method="post"><input name="name"><input name="password" type="password"><button>Sign in</button></form>`
	homePage  = `<!doctype html><form method="post" action="/logout"><button>Sign out</button></form>`
)

type app struct {
	sessions *scs.SessionManager
	keys     *stepup.Kit
}

// newApp makes the application for one origin: its pages, and its gRPC service.
func newApp(ctx context.Context, db *sql.DB, secret, origin string) (http.Handler, *grpc.Server, error) {
	a := &app{sessions: scs.New()}
	var err error
	a.keys, err = stepup.New(ctx, stepup.Config{
		DB: db, Secret: secret, RPName: "Payouts", Origins: []string{origin}, SignIn: "/login?next=",
		Identify: func(r *http.Request) (stepup.Identity, error) { return a.identity(r.Context()), nil },
		Purposes: []stepup.Purpose{{Name: "payout", Title: "Pay out", Rule: stepup.Passkey.Within(10 * time.Minute)}},
		Renew:    func(_ http.ResponseWriter, r *http.Request) error { return a.sessions.RenewToken(r.Context()) },
	})
	if err != nil {
		return nil, nil, err
	}
	go a.keys.Run(ctx)

	mux := http.NewServeMux()
	mux.Handle("/_stepkey/", a.keys)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, homePage, a.keys.Manage(r)) })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, loginPage) })
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	server := grpc.NewServer(grpc.UnaryInterceptor(a.guard))
	server.RegisterService(payouts(), nil)
	return http.NewCrossOriginProtection().Handler(a.sessions.LoadAndSave(mux)), server, nil
}

// identity says who is signed in by the session in ctx.
func (a *app) identity(ctx context.Context) stepup.Identity {
	name := a.sessions.GetString(ctx, "user")
	return stepup.Identity{
		User: name, Name: name, Session: a.sessions.GetString(ctx, "sid"), SignedInAt: time.Unix(a.sessions.GetInt64(ctx, "at"), 0),
	}
}

// guard passes calls of users who have verified a passkey.
func (a *app) guard(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	var token string
	if values := metadata.ValueFromIncomingContext(ctx, "session"); len(values) == 1 {
		token = values[0]
	}
	ctx, err := a.sessions.Load(ctx, token)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "sessions cannot be read")
	}
	if err := a.keys.Check(ctx, a.identity(ctx), "payout"); err != nil {
		return nil, a.refusal(err)
	}
	return handle(ctx, request)
}

// refusal is an error of Check as a client sees it: with a reason that says to lead the user to the page for the purpose.
func (a *app) refusal(err error) error {
	var needed *stepup.NeededError
	switch {
	case errors.As(err, &needed):
		s, err := status.New(codes.Unauthenticated, needed.Error()).WithDetails(&errdetails.ErrorInfo{
			Reason: "STEP_UP_REQUIRED", Metadata: map[string]string{"page": a.keys.VerifyURL(needed.Purpose, "/")},
		})
		if err != nil {
			return status.Error(codes.Internal, "something went wrong")
		}
		return s.Err()
	case errors.Is(err, stepkey.ErrUnauthorized):
		return status.Error(codes.Unauthenticated, "nobody is signed in")
	case errors.Is(err, stepkey.ErrUnavailable):
		return status.Error(codes.Unavailable, "try again in a moment")
	}
	return status.Error(codes.Internal, "something went wrong")
}

// payouts describes the service. That of a .proto file is made by protoc-gen-go-grpc.
func payouts() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: "shop.Payouts", Methods: []grpc.MethodDesc{{MethodName: "Pay", Handler: handlePay}}}
}

func handlePay(_ any, ctx context.Context, decode func(any) error, guard grpc.UnaryServerInterceptor) (any, error) {
	amount := new(wrapperspb.StringValue)
	if err := decode(amount); err != nil {
		return nil, err
	}
	return guard(ctx, amount, &grpc.UnaryServerInfo{FullMethod: "/shop.Payouts/Pay"}, pay)
}

func pay(_ context.Context, request any) (any, error) {
	return wrapperspb.String("Paid " + request.(*wrapperspb.StringValue).Value), nil
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if bcrypt.CompareHashAndPassword([]byte(passwordHash), []byte(r.PostFormValue("password"))) != nil {
		http.Error(w, "Wrong name or password.", http.StatusUnauthorized)
		return
	}
	if err := a.sessions.RenewToken(r.Context()); err != nil {
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	a.sessions.Put(r.Context(), "user", r.PostFormValue("name"))
	a.sessions.Put(r.Context(), "sid", rand.Text()) // not the token, which changes
	a.sessions.Put(r.Context(), "at", time.Now().Unix())
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.Destroy(r.Context()); err != nil {
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
	pages, server, err := newApp(context.Background(), db, os.Getenv("STEPKEY_SECRET"), "http://localhost:3000")
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "localhost:3001")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(server.Serve(listener)) }()
	log.Fatal(http.ListenAndServe("localhost:3000", pages))
}
