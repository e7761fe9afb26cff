package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"golang.org/x/crypto/argon2"
)

// bareEnv makes this program the bare server, and guardEnv, with an issuer as JSON, one whose routes are guarded.
const (
	bareEnv  = "STEPKEY_BENCH_BARE"
	guardEnv = "STEPKEY_BENCH_GUARD"
)

// answer is a response as recorded from the service.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
	Hash   bool // compute a password hash before answering
}

// answers are keyed by method and path: "GET /users/profile".
type answers map[string]answer

// serveBare reads answers as JSON from in, listens on a free port, writes its
// address as a line to out and serves until it is killed. The guarding issuer, as JSON, may be empty.
func serveBare(in io.Reader, out io.Writer, guarding string) error {
	var recorded answers
	if err := json.NewDecoder(in).Decode(&recorded); err != nil {
		return err
	}
	handler := bareHandler(recorded)
	if guarding != "" {
		var i issuer
		err := json.Unmarshal([]byte(guarding), &i)
		if err != nil {
			return err
		}
		if handler, err = i.protect(context.Background(), handler); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	return http.Serve(listener, handler)
}

// bareHandler gives the recorded answers and reads request bodies to their end,
// as anything that answers them must.
func bareHandler(recorded answers) http.Handler {
	mux := http.NewServeMux()
	for pattern, a := range recorded {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if a.Hash {
				hash()
			}
			for name, values := range a.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(a.Status)
			_, _ = w.Write(a.Body)
		})
	}
	return mux
}

// hash computes what one password check has to: argon2id with 19 MiB, two
// passes and one lane, the parameters the service uses.
func hash() []byte {
	return argon2.IDKey([]byte("correct horse battery staple"), []byte("sixteen-byte-slt"), 2, 19<<10, 1, 32)
}

// playBare is main for the bare server.
func playBare() {
	if err := serveBare(os.Stdin, os.Stdout, os.Getenv(guardEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
