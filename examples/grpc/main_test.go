package main

import (
	"database/sql"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/stepkey/stepkey/stepkeytest"
)

// serve starts the application and returns the address of its pages, and a connection to its service.
func serve(t *testing.T) (string, *grpc.ClientConn) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.Replace(dsn, "app.db", filepath.Join(t.TempDir(), "app.db"), 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	pages := httptest.NewUnstartedServer(nil)
	origin := strings.Replace("http://"+pages.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	handler, server, err := newApp(t.Context(), db, "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", origin)
	if err != nil {
		t.Fatal(err)
	}
	pages.Config.Handler = handler
	pages.Start()
	t.Cleanup(pages.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // Stop ends it
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return origin, connection
}

func TestPasskeyIsNeeded(t *testing.T) {
	origin, connection := serve(t)
	c := stepkeytest.NewClient(t, origin)
	session := func(answer *http.Response) string {
		for _, cookie := range answer.Request.Cookies() {
			if cookie.Name == "session" {
				return cookie.Value
			}
		}
		return ""
	}
	want := func(what, session string, code codes.Code, reason string) {
		t.Helper()
		var paid wrapperspb.StringValue
		ctx := metadata.AppendToOutgoingContext(t.Context(), "session", session)
		err := connection.Invoke(ctx, "/shop.Payouts/Pay", wrapperspb.String("100"), &paid)
		got := ""
		for _, detail := range status.Convert(err).Details() {
			got = detail.(*errdetails.ErrorInfo).Reason
		}
		if status.Code(err) != code || got != reason || (err == nil) != (paid.Value == "Paid 100") {
			t.Fatalf("%s: %v, reason %q, %q", what, err, got, paid.Value)
		}
	}
	signIn := url.Values{"name": {"mira"}, "password": {"correct horse battery"}}

	want("nobody", "", codes.Unauthenticated, "")
	before := session(c.PostForm("/login", signIn))
	want("without a passkey", before, codes.Unauthenticated, "STEP_UP_REQUIRED")
	c.Enrol()
	want("before it was verified", before, codes.Unauthenticated, "STEP_UP_REQUIRED")
	c.Verify("payout")
	after := session(c.Get("/"))
	want("after that", after, codes.OK, "")
	want("a session that was copied before", before, codes.Unauthenticated, "")

	c.PostForm("/logout", nil)
	want("after the sign-out", after, codes.Unauthenticated, "")
	want("after the next sign-in", session(c.PostForm("/login", signIn)), codes.Unauthenticated, "STEP_UP_REQUIRED")
}
