package tokens

import (
	"crypto/hmac"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/storage"
)

// A refresh token is derived, not stored:
//
//	"rt1." base64url( session id | generation | HMAC-SHA256(key, "rt1" | session id | generation | salt) )
//
// The key is derived from the root secret and the salt is in the session's row, so
// neither the database nor the secret alone yields a token, and the same token can be
// issued twice. Every refresh increments the generation, so a session has one current
// token.

const (
	refreshIDBytes = 16

	// RefreshSaltBytes is the length of [storage.Session.Salt].
	RefreshSaltBytes = 16
)

var refreshFormat = format{prefix: "rt1.", payload: refreshIDBytes + 8}

// RefreshToken is a refresh token that a client sent. What it says is not verified
// until [RefreshTokens.Genuine] has confirmed it.
type RefreshToken struct {
	SessionID  uuid.UUID
	Generation int64
	mac        []byte
}

// ParseRefreshToken reads a token, and reports whether it has the form of one.
func ParseRefreshToken(text string) (RefreshToken, bool) {
	payload, mac, ok := refreshFormat.decode(text)
	if !ok {
		return RefreshToken{}, false
	}
	return RefreshToken{
		SessionID:  uuid.UUID(payload[:refreshIDBytes]),
		Generation: int64(binary.BigEndian.Uint64(payload[refreshIDBytes:])),
		mac:        mac,
	}, true
}

// RefreshTokens derives refresh tokens. The zero value is not usable.
type RefreshTokens struct{ key []byte }

// NewRefreshTokens returns the refresh tokens of a root secret.
func NewRefreshTokens(root secret.Root) RefreshTokens {
	return RefreshTokens{key: root.Derive("refresh token")}
}

// Current returns the current token of a session.
func (t RefreshTokens) Current(session storage.Session) string {
	return refreshFormat.encode(refreshPayload(session.ID, session.Generation), t.mac(session, session.Generation))
}

// Genuine reports whether this service issued r for session, which must be the one that
// r names. It does not say whether r is still current.
func (t RefreshTokens) Genuine(r RefreshToken, session storage.Session) bool {
	return session.Refresh != storage.RefreshNone && hmac.Equal(r.mac, t.mac(session, r.Generation))
}

func (t RefreshTokens) mac(session storage.Session, generation int64) []byte {
	return macOf(t.key, []byte("rt1"), refreshPayload(session.ID, generation), session.Salt)
}

func refreshPayload(id uuid.UUID, generation int64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(nil), id[:]...), uint64(generation))
}
