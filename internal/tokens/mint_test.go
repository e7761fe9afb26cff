package tokens

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/token"
)

// newMint returns a Mint and the verifier of its tokens.
func newMint(t *testing.T, now time.Time) (*Mint, *token.Verifier) {
	t.Helper()
	key, err := token.NewSecretKey(bytes.Repeat([]byte("k2"), 32), true)
	if err != nil {
		t.Fatal(err)
	}
	ring := token.NewKeyring(key)
	verifier, err := token.NewVerifier(ring, token.Expect{
		Issuer: "https://issuer", Audience: "app", Clock: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return NewMint(token.NewSigner(ring), "https://issuer", "app", []string{"department"}, rand.Reader), verifier
}

func TestAccessTokenSaysHowTheSessionWasAuthenticated(t *testing.T) {
	now := time.Date(2030, 5, 17, 9, 30, 0, 0, time.UTC)
	began, password, passkey := now.Add(-3*time.Minute), now.Add(-2*time.Minute), now.Add(-time.Minute)
	mint, verifier := newMint(t, now)
	mira, key := storage.User{ID: uuid.New(), Username: "mira"}, uuid.New()
	for _, test := range []struct {
		name     string
		session  storage.Session
		level    token.Level
		methods  string
		auth     time.Time
		password time.Time
		passkey  time.Time
	}{
		{"password", storage.Session{PasswordAt: password}, token.LevelPassword, "pwd", password, password, time.Time{}},
		{
			"full",
			storage.Session{PasswordAt: password, FullAt: &passkey, FullPasskeyID: &key},
			token.LevelFull, "pwd pop swk user mfa phr", passkey, password, passkey,
		},
		{
			"full, in hardware",
			storage.Session{PasswordAt: password, FullAt: &passkey, FullPasskeyID: &key, FullHardware: true},
			token.LevelFull, "pwd pop hwk user mfa phr phrh", passkey, password, passkey,
		},
		{
			"no longer full",
			storage.Session{PasswordAt: password, FullAt: &passkey, FullHardware: true},
			token.LevelPassword, "pwd", password, password,
			time.Time{},
		},
		{
			"passkey alone",
			storage.Session{FullAt: &passkey, FullPasskeyID: &key},
			token.LevelFull, "pop swk user mfa phr", passkey,
			time.Time{},
			passkey,
		},
		{
			"passkey alone, no longer full",
			storage.Session{FullAt: &passkey},
			token.LevelPassword, "pop user", passkey,
			time.Time{},
			time.Time{},
		},
		{
			"recovered by a code",
			storage.Session{PasswordAt: password, RecoveredBy: storage.RecoveredByCode},
			token.LevelRecovery, "pwd otp", began,
			time.Time{},
			time.Time{},
		},
		{
			"recovered by an operator",
			storage.Session{PasswordAt: password, RecoveredBy: storage.RecoveredByAdmin},
			token.LevelRecovery, "otp", began,
			time.Time{},
			time.Time{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			session := test.session
			session.ID, session.CreatedAt = uuid.New(), began
			signed, c, err := mint.AccessToken(mira, session, now.Add(time.Minute), now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifier.Verify(t.Context(), signed); err != nil {
				t.Errorf("the token does not verify: %v", err)
			}
			if c.Subject != mira.ID.String() || c.SessionID != session.ID.String() || c.ExpiresAt != now.Add(time.Minute).Unix() {
				t.Errorf("claims are %+v", c)
			}
			if c.Level != test.level || c.ACR != test.level || c.PasskeyVerified != (test.level == token.LevelFull) {
				t.Errorf("level %s, acr %s, passkey verified %v; want %s", c.Level, c.ACR, c.PasskeyVerified, test.level)
			}
			if got := strings.Join(c.Methods, " "); got != test.methods {
				t.Errorf("methods are %q, want %q", got, test.methods)
			}
			for name, pair := range map[string][2]int64{
				"auth_time": {c.AuthTime, seconds(test.auth)},
				"password":  {c.PasswordTime, seconds(test.password)},
				"passkey":   {c.PasskeyTime, seconds(test.passkey)},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s is %d, want %d", name, pair[0], pair[1])
				}
			}
		})
	}
}

// seconds is how claims have a time, and zero for none.
func seconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

func TestTokenOfTheLastSecondIsValid(t *testing.T) {
	now := time.Date(2030, 5, 17, 9, 30, 0, 5, time.UTC)
	mint, _ := newMint(t, now)
	session := storage.Session{ID: uuid.New(), PasswordAt: now}
	_, c, err := mint.AccessToken(storage.User{ID: uuid.New(), Username: "mira"}, session, now.Add(time.Millisecond), now)
	if err != nil || c.ExpiresAt != now.Unix()+1 {
		t.Errorf("it expires at %d, %v; want %d", c.ExpiresAt, err, now.Unix()+1)
	}
}
