package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on the groups and own claims of a user. They are chosen so that an assertion, which
// travels in a header of every request, stays below [MaxAssertionBytes]; docs/limits.md has the
// arithmetic.
const (
	// MaxGroups is how many groups a user can be in, MaxGroupBytes the length of one name, and
	// MaxGroupsBytes that of all names together, with one byte between two.
	MaxGroups      = 32
	MaxGroupBytes  = 64
	MaxGroupsBytes = 448

	// MaxClaimNames is how many names of own claims a service can have, and MaxClaimNameBytes
	// the length of one. MaxClaimBytes is the length of one value, and MaxClaimsBytes that of all
	// own claims of a user as one JSON object.
	MaxClaimNames     = 16
	MaxClaimNameBytes = 32
	MaxClaimBytes     = 128
	MaxClaimsBytes    = 256
)

// Groups are the groups of a user in their canonical form: the names in ascending order, each
// once, with one space between two. Two users are in the same groups exactly if their Groups are
// equal. The zero Groups are none.
type Groups string

// NewGroups returns the canonical form of names, or an error that says which rule one of them
// breaks. A name has 1 to [MaxGroupBytes] lower-case ASCII letters, digits or one of . _ -, the
// first a letter or a digit: it stands in headers and rules, where a comma or a space would make
// two groups out of one.
func NewGroups(names []string) (Groups, error) {
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range sorted {
		if !isGroup(name) {
			return "", fmt.Errorf("token: a group has 1 to %d lower-case letters, digits or one of . _ -, "+
				"and begins with a letter or a digit", MaxGroupBytes)
		}
	}
	joined := strings.Join(sorted, " ")
	if len(sorted) > MaxGroups || len(joined) > MaxGroupsBytes {
		return "", fmt.Errorf("token: a user can be in %d groups, whose names have %d bytes together", MaxGroups, MaxGroupsBytes)
	}
	return Groups(joined), nil
}

// Names returns the names in ascending order, nil for none.
func (g Groups) Names() []string {
	if g == "" {
		return nil
	}
	return strings.Split(string(g), " ")
}

func isGroup(name string) bool {
	if name == "" || len(name) > MaxGroupBytes || strings.IndexByte("._-", name[0]) >= 0 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// OwnClaims are claims of a user whose names the service chose, in their canonical form: a JSON
// object of texts with its members in ascending order. Two users have the same ones exactly if
// their OwnClaims are equal. The zero OwnClaims are none.
type OwnClaims string

// NewOwnClaims returns the canonical form of claims, or an error that says which rule is broken.
// Each name follows [CheckClaimName]. Each value has 1 to [MaxClaimBytes] bytes of UTF-8 without
// control characters.
func NewOwnClaims(claims map[string]string) (OwnClaims, error) {
	if len(claims) == 0 {
		return "", nil
	}
	for name, value := range claims {
		if err := CheckClaimName(name); err != nil {
			return "", err
		}
		hidden := func(r rune) bool { return !unicode.IsPrint(r) }
		if value == "" || len(value) > MaxClaimBytes || !utf8.ValidString(value) || strings.ContainsFunc(value, hidden) {
			return "", fmt.Errorf("token: the value of a claim has 1 to %d bytes of printable text", MaxClaimBytes)
		}
	}
	text, err := json.Marshal(claims) // in the order of the names
	if err != nil {
		return "", err
	}
	if len(claims) > MaxClaimNames || len(text) > MaxClaimsBytes {
		return "", fmt.Errorf("token: the claims of a user have %d bytes together, as JSON", MaxClaimsBytes)
	}
	return OwnClaims(text), nil
}

// Map returns the claims by name, nil for none.
func (c OwnClaims) Map() map[string]string {
	var claims map[string]string
	if c == "" || json.Unmarshal([]byte(c), &claims) != nil {
		return nil
	}
	return claims
}

// Only returns the claims whose names are in names.
func (c OwnClaims) Only(names []string) map[string]string {
	claims := c.Map()
	maps.DeleteFunc(claims, func(name, _ string) bool { return !slices.Contains(names, name) })
	if len(claims) == 0 {
		return nil
	}
	return claims
}

// protocolClaims are names that mean something to software that reads tokens, introspection or
// assertions, so no own claim can have one: ours, those of RFC 7519, 7662, 8693 and 9068, and
// those of OpenID Connect with which a relying party identifies a user or believes an address.
// They are compared without regard to case, because some JSON parsers do the same.
var protocolClaims = []string{
	"acr", "act", "active", "amr", "at_hash", "attributes_version", "aud", "auth_time", "authlevel", "azp", "c_hash",
	"client_id", "cnf", "crit", "email", "email_verified", "entitlements", "events", "exp", "groups", "htm", "htu", "iat", "iss", "jti",
	"may_act", "nbf", "nonce", "passkey_time", "passkeyverified", "password_time", "permissions", "phone_number",
	"phone_number_verified", "preferred_username", "role", "roles", "scope", "scp", "sid", "sub", "sub_id",
	"toe", "token_type", "txn", "typ", "username",
}

// CheckClaimName returns an error unless an own claim can have that name: 1 to
// [MaxClaimNameBytes] lower-case ASCII letters, digits or underscores, the first a letter, and
// no name that protocols or Stepkey give a meaning to.
func CheckClaimName(name string) error {
	if !isClaimName(name) {
		return fmt.Errorf("token: the name of a claim has 1 to %d lower-case letters, digits or underscores, "+
			"and begins with a letter", MaxClaimNameBytes)
	}
	if _, reserved := slices.BinarySearch(protocolClaims, name); reserved {
		return fmt.Errorf("token: %s has a meaning in tokens, so no claim of your own can have that name", name)
	}
	return nil
}

// CheckClaimNames returns an error unless each of names follows [CheckClaimName] and they are at
// most [MaxClaimNames].
func CheckClaimNames(names []string) error {
	for _, name := range names {
		if err := CheckClaimName(name); err != nil {
			return err
		}
	}
	if len(names) > MaxClaimNames {
		return fmt.Errorf("token: a service has at most %d names of claims", MaxClaimNames)
	}
	return nil
}

func isClaimName(name string) bool {
	if name == "" || len(name) > MaxClaimNameBytes || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// readOwn reads a member that is none of ours: an own claim if it has the form of one. Others
// are ignored.
func readOwn(to *map[string]string, name, value []byte) error {
	if value[0] != '"' || CheckClaimName(string(name)) != nil {
		return skipFlat(value)
	}
	var text string
	if err := readText(&text, value); err != nil {
		return err
	}
	if *to == nil {
		*to = make(map[string]string)
	}
	(*to)[string(name)] = text
	return nil
}

// appendOwn adds own claims to a JSON object that has members already.
func appendOwn(object []byte, own map[string]string) ([]byte, error) {
	if len(own) == 0 {
		return object, nil
	}
	for name := range own {
		if err := CheckClaimName(name); err != nil {
			return nil, err
		}
	}
	members, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(object, []byte{'}'}) || len(object) < 3 {
		return nil, errors.New("token: no object with members")
	}
	return append(append(object[:len(object)-1], ','), members[1:]...), nil
}

// AttributesMark returns the id that a list of ended sessions contains once the groups or own
// claims of a user have changed from that version to the next. A guard refuses a token whose
// mark is on the list.
//
// Such a token says what is no longer true. Ending the session instead would sign people out
// whenever a directory is synchronised; comparing times would let a token through that was made
// in the second of the change, from the values before it. A mark is exact, because a token has
// the version that was read with its groups. Clients treat the refusal like an expired token:
// they refresh, and get a token with the new values.
func AttributesMark(user ID, version int64) ID {
	text := append(make([]byte, 0, 64), "stepkey attributes "...) // on the stack, as this is done for each request
	text = binary.BigEndian.AppendUint64(append(text, user[:]...), uint64(version))
	sum := sha256.Sum256(text)
	return ID(sum[:16])
}

// AttributesMark returns the mark of the token's groups and own claims. It returns false if
// Subject is not a user's id.
func (c Claims) AttributesMark() (ID, bool) {
	user, ok := ParseID(c.Subject)
	if !ok {
		return ID{}, false
	}
	return AttributesMark(user, c.AttributesVersion), true
}
