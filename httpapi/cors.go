package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey/guard"
)

// allowOrigins lets pages of the listed origins call the API and read its answers
// (CORS). Without a list nothing is sent, and browsers keep answers from every page
// of another origin.
//
// Cookies are allowed, since a page in cookie mode has nothing else to refresh its
// session with. A script in a listed page can therefore do what one in a page of the
// service's own can. Four rules keep others from it:
//
//   - Origins are compared whole. There is no `*`, no null and no pattern; New
//     panics on them, and the command does not start.
//   - SameSite=Strict keeps the cookies out of requests from other sites, listed or
//     not. It does not tell the pages of one site apart.
//   - What acts by cookie (signing in with one, refreshing, signing out) asks
//     ownPage besides: a request from a page that is neither listed nor one of the
//     service's origins is refused, not only its answer withheld.
//   - Everything else acts by the access token, which a page has to have and no
//     browser adds by itself.
func allowOrigins(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	return guard.CORS(guard.CORSOptions{Origins: origins, Credentials: true})(next)
}
