package token

import (
	"encoding/json"

	"github.com/golang-jwt/jwt/v5"
)

// Audience is the claim aud: the services that a token is for.
type Audience []string

// MarshalJSON encodes a single audience as a string and several as an array. RFC
// 7519 §4.1.3 allows an array for one as well, but many libraries read only the
// string.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON decodes a string or an array of strings.
func (a *Audience) UnmarshalJSON(text []byte) error {
	return (*jwt.ClaimStrings)(a).UnmarshalJSON(text)
}

// readAudience reads one audience as a string or several as an array.
func readAudience(to *Audience, value []byte) error {
	if value[0] != '"' {
		return readTexts((*[]string)(to), value)
	}
	*to = Audience{""}
	return readText(&(*to)[0], value)
}
