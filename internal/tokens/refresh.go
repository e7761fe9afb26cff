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
//	"rt2." base64url( session id | generation | salt | HMAC-SHA256(key, "rt2" | session id | generation | salt) )
//
// The key is derived from the root secret and the salt is in the session's row, so
// neither the database nor the secret alone yields a token, and the same token can be
// issued twice. Every refresh increments the generation, so a session has one current
// token. A forged token is refused without a look into the database, and a genuine one names all
// that the statement of a refresh compares.
//
// Earlier versions left the salt out:
//
//	"rt1." base64url( session id | generation | HMAC-SHA256(key, "rt1" | session id | generation | salt) )

const (
	refreshIDBytes = 16
	refreshPayload = refreshIDBytes + 8

	// RefreshSaltBytes is the length of [storage.Session.Salt].
	RefreshSaltBytes = 16
)

var (
	refreshFormat    = format{prefix: "rt2.", payload: refreshPayload + RefreshSaltBytes}
	oldRefreshFormat = format{prefix: "rt1.", payload: refreshPayload}
)

// RefreshToken is a refresh token that a client sent.
type RefreshToken struct {
	SessionID  uuid.UUID
	Generation int64

	// Salt is that of the session, or nil for a token of an earlier version. The values
	// of such a token are not verified until [RefreshTokens.Genuine] has confirmed them.
	Salt []byte

	mac []byte // of a token of an earlier version
}

// RefreshTokens derives refresh tokens. The zero value is not usable.
type RefreshTokens struct{ key []byte }

// NewRefreshTokens returns the refresh tokens of a root secret.
func NewRefreshTokens(root secret.Root) RefreshTokens {
	return RefreshTokens{key: root.Derive("refresh token")}
}

// Current returns the current token of a session.
func (t RefreshTokens) Current(session storage.Session) string {
	payload := append(refreshHead(session.ID, session.Generation), session.Salt...)
	return refreshFormat.encode(payload, macOf(t.key, []byte("rt2"), payload))
}

// Parse reads a token, and reports whether it is one that this service may have issued. It knows all
// forgeries but those of tokens of earlier versions.
func (t RefreshTokens) Parse(text string) (RefreshToken, bool) {
	if payload, mac, ok := oldRefreshFormat.decode(text); ok {
		r := readRefreshHead(payload)
		r.mac = mac
		return r, true
	}
	payload, mac, ok := refreshFormat.decode(text)
	if !ok || !hmac.Equal(mac, macOf(t.key, []byte("rt2"), payload)) {
		return RefreshToken{}, false
	}
	r := readRefreshHead(payload)
	r.Salt = payload[refreshPayload:]
	return r, true
}

// Genuine reports whether this service issued r, which [RefreshTokens.Parse] returned, for session, which must be
// the one that r names. It does not say whether r is still current.
func (t RefreshTokens) Genuine(r RefreshToken, session storage.Session) bool {
	if session.Refresh == storage.RefreshNone {
		return false
	}
	if r.Salt == nil {
		return hmac.Equal(r.mac, macOf(t.key, []byte("rt1"), refreshHead(session.ID, r.Generation), session.Salt))
	}
	return r.SessionID == session.ID && hmac.Equal(r.Salt, session.Salt)
}

func refreshHead(id uuid.UUID, generation int64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, refreshFormat.payload), id[:]...), uint64(generation))
}

func readRefreshHead(payload []byte) RefreshToken {
	return RefreshToken{
		SessionID:  uuid.UUID(payload[:refreshIDBytes]),
		Generation: int64(binary.BigEndian.Uint64(payload[refreshIDBytes:])),
	}
}
