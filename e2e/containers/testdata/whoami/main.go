// Command whoami stands in for traefik/whoami, which no package source has: it answers every request with the lines of
// the request.
package main

import (
	"net"
	"net/http"
	"os"
)

func main() {
	address := net.JoinHostPort("", os.Getenv("WHOAMI_PORT_NUMBER"))
	if err := http.ListenAndServe(address, http.HandlerFunc(answer)); err != nil {
		panic(err)
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_ = r.Write(w) // a failed write means that the client is gone
}
