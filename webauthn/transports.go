package webauthn

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
