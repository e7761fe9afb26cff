package ceremony

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of the transports that are kept for a passkey. Half a dozen words are
// registered. Unknown ones are kept as well (§5.8.4), within these bounds.
const (
	maxTransports      = 16
	maxTransportLength = 32
)

// Transports are the ways in which a client may reach an authenticator, as the
// client reports them.
type Transports []string

// UnmarshalJSON takes the strings of an array and drops everything else. It
// never fails for valid JSON: some clients report transports that are no words,
// and a registration must not be refused for a hint (§5.2.1).
func (t *Transports) UnmarshalJSON(text []byte) error {
	*t = nil
	var values []jsontext.Value
	if jsontext.Value(text).Kind() != jsontext.KindBeginArray {
		return nil
	}
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for _, value := range values {
		var transport string
		if value.Kind() == jsontext.KindString && json.Unmarshal(value, &transport) == nil {
			*t = append(*t, transport)
		}
	}
	return nil
}

// usable returns the transports to store: each once, in the order reported,
// without those that are not spelled like a registered one. The result is nil
// if none is left, which means "not known" to everyone who reads it.
func (t Transports) usable() []string {
	var kept []string
	for _, transport := range t {
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
