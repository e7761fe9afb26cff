package ceremony

import (
	"slices"

	"github.com/stepkey/stepkey/webauthn"
)

// Limits of the transports that are kept for a passkey. Half a dozen words are
// registered. Unknown ones are kept as well (§5.8.4), within these bounds.
const (
	maxTransports      = 16
	maxTransportLength = 32
)

// usableTransports returns the transports to store: each once, in the order reported,
// without those that are not spelled like a registered one. The result is nil if none
// is left, which means "not known".
func usableTransports(reported webauthn.Transports) []string {
	var kept []string
	for _, transport := range reported {
		if len(kept) == maxTransports {
			break
		}
		if isTransport(transport) && !slices.Contains(kept, transport) {
			kept = append(kept, transport)
		}
	}
	return kept
}

func isTransport(s string) bool {
	if s == "" || len(s) > maxTransportLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
