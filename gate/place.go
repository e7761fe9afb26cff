package gate

import (
	"net/http"

	"github.com/stepkey/stepkey/gate/rules"
)

// place is where a request arrived: the origin as a browser writes it, and its parts as the
// client used them.
type place struct{ scheme, host, origin string }

// placeOf reads the place of a request. A proxy in front is believed if it is trusted; of every
// other peer the connection alone counts.
func placeOf(r *http.Request, trustsPeer func(remoteAddr string) bool) (place, error) {
	p := place{scheme: "http", host: r.Host}
	if r.TLS != nil {
		p.scheme = "https"
	}
	if trustsPeer(r.RemoteAddr) {
		if err := believe(r.Header, forwardedProto, &p.scheme); err != nil {
			return place{}, err
		}
		if err := believe(r.Header, forwardedHost, &p.host); err != nil {
			return place{}, err
		}
	}
	var err error
	p.origin, err = rules.Origin(p.scheme, p.host)
	return p, err
}
