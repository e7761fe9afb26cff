package gate

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/stepkey/stepkey/token"
)

// identityHeaders are the headers that tell an application the user, in the order of identify. Their
// names are canonical.
var identityHeaders = [...]string{
	"X-Stepkey-User", "X-Stepkey-Name", "X-Stepkey-Email", "X-Stepkey-Groups", "X-Stepkey-Level",
	"X-Stepkey-Passkey-Time", "X-Stepkey-Assertion",
}

// identify sets all headers that tell an application the user, empty ones too.
func identify(header http.Header, who Visitor) {
	if !who.Level.Satisfies(token.LevelPassword) {
		who = Visitor{}
	}
	groups := make([]string, len(who.Groups))
	for i, group := range who.Groups {
		groups[i] = encode(group)
	}
	passkeyTime := ""
	if !who.PasskeyTime.IsZero() {
		passkeyTime = strconv.FormatInt(who.PasskeyTime.Unix(), 10)
	}
	// One array holds the values of all: Header.Set would allocate a slice for each.
	values := [len(identityHeaders)]string{
		encode(who.ID), encode(who.Name), encode(who.Email), strings.Join(groups, ","), string(who.Level), passkeyTime, who.Assertion,
	}
	for i, name := range identityHeaders {
		header[name] = values[i : i+1 : i+1]
	}
}

// encode percent-encodes what a header or a list in it cannot hold.
func encode(text string) string {
	const hex = "0123456789ABCDEF"
	if !strings.ContainsFunc(text, mustEncode) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; mustEncode(rune(c)) {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// mustEncode reports whether a character, or a byte of one beyond ASCII, is written in its encoded form.
func mustEncode(c rune) bool { return c <= ' ' || c >= 0x7f || c == '%' || c == ',' }
