package httpapi

import (
	"net/http"

	"github.com/stepkey/stepkey/guard"
)

// allowOrigins lets pages of the listed origins call the API and read its answers
// (CORS). Without a list no header is sent, and browsers hide the answers from
// pages of other origins.
//
// Cookies are allowed, since a page in cookie mode cannot refresh its session
// without them. A script in a listed page can therefore do the same as one in the
// service's own pages. Four rules keep other pages from it:
//
//   - Origins are compared whole. There is no `*`, no null and no pattern; New
//     panics on them, and the command does not start.
//   - SameSite=Strict keeps the cookies out of requests from other sites, listed or
//     not. It does not tell the pages of one site apart.
//   - Routes that use the cookie (cookie-mode sign-in, refresh, sign-out) also
//     check ownPage: a request from a page that is neither listed nor of the
//     service's own origins is refused, not only its answer hidden.
//   - Every other route needs the access token, which a browser never adds by
//     itself.
func allowOrigins(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	return guard.CORS(guard.CORSOptions{Origins: origins, Credentials: true})(next)
}
