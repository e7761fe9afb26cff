// Command redirect is an application without a sign-in of its own: it sends people to the pages of Stepkey and reads
// their token when they are back.
//
//	RP_ORIGIN=http://localhost:3000 STEPKEY_RETURN_ORIGINS=http://localhost:4000 \
//	STEPKEY_CORS_ORIGINS=http://localhost:4000 stepkey serve
//	go run .   # http://localhost:4000
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"
)

const page = `<!doctype html>
<html lang="en">
<title>Redirect</title>
<script type="module" src="/app.js"></script>
<p id="who">One moment…</p>
<p><a href="/sign-in">Sign in</a></p>
</html>
`

// script reads the session that began on Stepkey's pages. The refresh cookie stays where no script can read it.
const script = `import { createStepkey } from "%[1]s/stepkey.js";

const stepkey = createStepkey({ base: "%[1]s" });
const session = await stepkey.refresh();
document.querySelector("#who").textContent = session
	? "Signed in as " + session.claims.username + ", level " + session.claims.authLevel + "."
	: "Nobody is signed in.";
`

// newApp makes the application at origin, for the Stepkey at stepkey. Both are origins as browsers write them.
func newApp(origin, stepkey string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' "+stepkey+"; connect-src "+stepkey)
		fmt.Fprint(w, page)
	})
	mux.HandleFunc("GET /app.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		fmt.Fprintf(w, script, stepkey)
	})
	mux.HandleFunc("GET /sign-in", func(w http.ResponseWriter, r *http.Request) {
		back := url.Values{"return_to": {origin + "/"}}
		http.Redirect(w, r, stepkey+"/sign-in?"+back.Encode(), http.StatusSeeOther)
	})
	return mux
}

func main() {
	addr := flag.String("addr", "localhost:4000", "host and port to listen on")
	stepkey := flag.String("stepkey", "http://localhost:3000", "origin of Stepkey")
	flag.Parse()
	origin := "http://" + *addr
	server := &http.Server{Addr: *addr, ReadHeaderTimeout: 5 * time.Second, Handler: newApp(origin, *stepkey)}
	log.Print(origin)
	log.Fatal(server.ListenAndServe())
}
