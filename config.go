package stepkey

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stepkey/stepkey/internal/origin"
	"github.com/stepkey/stepkey/internal/password"
	"github.com/stepkey/stepkey/internal/secret"
	"github.com/stepkey/stepkey/token"
)

// Config configures a [Service]. Store, Challenges, Limiter, Secret and Origins
// are required; every other field has a default.
type Config struct {
	Store      Store
	Challenges Challenges

	// Secret is the root of every internal key: 32 random bytes in base64. All
	// instances on one store need the same Secret. A Secret without entropy, such as 32
	// zero bytes, is refused, and so is one that is also a SharedSecret.
	Secret string

	// Origins are the origins of the pages that use passkeys, exactly as a browser
	// writes them: scheme, host, and the port unless it is the scheme's default.
	// The first is the main one. Android apps may follow, as Android writes them:
	// android:apk-key-hash: and the SHA-256 of the certificate that the app is
	// signed with, in base64url without padding.
	Origins []string

	// RelatedOrigins are the origins of pages outside the domain RPID that use the same
	// passkeys (WebAuthn Level 3 §5.11). Browsers fetch the list from
	// https://RPID/.well-known/webauthn, without a port; if that is another server, it
	// must forward the request to package httpapi. Browsers read five different names,
	// not counting the public suffix, and ignore the rest; shop.example.com and
	// example.de share one name, example.
	RelatedOrigins []string

	// AppOrigins are origins that only apps use: Android apps as in Origins, and
	// https origins on the domain RPID. An iOS app uses https://RPID, which must be
	// listed if RPID is a parent domain without pages of its own. These origins may
	// only use passkeys: a request with one as its Origin gets no refresh cookie.
	AppOrigins []string

	// RPID is the domain that passkeys belong to. The default is the host of the
	// first origin; it must be that host or a parent domain of it, for every
	// origin. Changing it makes all passkeys unusable.
	RPID string

	// RPName is the name that devices show to people when they ask for a passkey.
	// The default is Stepkey.
	RPName string

	// Issuer and Audience are the claims iss and aud. The default of Issuer is
	// the first origin, that of Audience is Issuer.
	Issuer   string
	Audience string

	// SharedSecret is the secret for signing tokens with HS256, as the original
	// does. PreviousSharedSecrets are also accepted, so that the secret can be
	// changed.
	SharedSecret          string
	PreviousSharedSecrets []string

	// Algorithm is the algorithm that signs tokens: HS256, the default with a
	// SharedSecret; ES256, the default without; or EdDSA. For ES256 and EdDSA, the
	// service makes its own keys.
	Algorithm token.Algorithm

	// SharedSecretUntil is when tokens signed with SharedSecret stop being accepted.
	// It is required if SharedSecret is set and Algorithm is ES256 or EdDSA, which
	// is how to move away from a shared secret.
	SharedSecretUntil time.Time

	// AttestationRoots are the root certificates of the makers of security keys that
	// are trusted to say that a key stays in its hardware. Passkeys they attest pass
	// guard.RequireHardware, unless they can be synced; all others work as before.
	// With roots, browsers ask people whether the site may see the model of their
	// key. By default no attestation is requested.
	AttestationRoots *x509.CertPool

	// KeyLifetime is how long a key signs before the next one takes over. The
	// default is the constant of that name; less than twice KeyLead is refused.
	KeyLifetime time.Duration

	// Limiter counts attempts, so that passwords cannot be guessed and sign-ups
	// cannot be flooded. It is required unless DangerNoLimits is set.
	Limiter Limiter

	// DangerNoLimits turns off all rate limits. It is for load tests, and refused
	// unless every origin is localhost.
	DangerNoLimits bool

	// MinPasswordLength is the minimum length of a new password, in characters
	// (code points). The default is 8, which suffices together with a passkey;
	// NIST SP 800-63B-4 requires 15 if the password may be the only factor.
	MinPasswordLength int

	// ReservedNames are user names that cannot be used to sign up. They are compared in
	// canonical form and without punctuation, so that admin also reserves Admin_ and
	// a.d.m.i.n. Nil means DefaultReservedNames; an empty list reserves none. Users who have
	// such a name keep it, and an import may add one, because an operator decides about
	// imports.
	ReservedNames []string

	// OwnClaims are the names of claims that operators can set for users; see
	// [token.CheckClaimName]. By default there are none. Claims of a name that is taken off the
	// list stay in the store and are no longer put into tokens.
	OwnClaims []string

	// RecoveryCoolOff is how long a passkey cannot be used after it was added through
	// recovery, or as the first one after a reset by e-mail. The owner is notified and has
	// that time to stop it. For the same time after a reset, the address of an account
	// without a passkey cannot be changed. The default is the constant of that name.
	RecoveryCoolOff time.Duration

	// Breaches knows passwords from data breaches, which are refused as new passwords.
	// Nil, the default, skips the check.
	Breaches Breaches

	// SignUp is who may sign up. The default is SignUpOpen. Imports are not affected.
	SignUp SignUpMode

	// SignInByAddress lets users type their confirmed address in place of the user name, to sign in
	// and to reset the password. A user name always wins over an address, so that nobody can
	// redirect another user's sign-in by confirming an address, and new names with an @ are
	// refused, so that nobody takes somebody else's address as a name. An address that several
	// active users have confirmed names none of them at sign-in.
	SignInByAddress bool

	// RequireConfirmedAddress makes sign-up take an address, to which a link is mailed, and refuses to
	// sign the new user in until the link is followed. Nothing changes for users who signed up without
	// it, and for imported ones. It needs a Mailer. A new account whose address nobody confirms is
	// deleted after storage.KeepUnconfirmedUsers.
	RequireConfirmedAddress bool

	// NoPasskeyLogIn turns off signing in with a passkey alone. Passkeys are then only
	// used after the password.
	NoPasskeyLogIn bool

	// AttackFailures is how many logins of all clients together may fail in a
	// minute. Beyond that, an attack is assumed and the limit per address is
	// tightened. The default is the constant of that name.
	AttackFailures int

	// Mailer sends e-mail. If it is nil, users cannot add an address or reset a
	// password by mail, and are not notified of what happens in their account.
	Mailer Mailer

	// Languages adds languages to mails and replaces single messages: files at its root in the
	// form of internal/messages/en.json, each named after the language, such as fr.json. Nil
	// leaves it at English and German. A file that does not fit is refused.
	Languages fs.FS

	// Language is the tag of the only language of mails. By default mails are in the language that
	// the user signed in with last, and in English as long as that is unknown.
	Language string

	// PublicURL is the URL below which browsers find the pages at the Path constants, such
	// as PathResetPassword: an origin as a browser writes it, followed by the path below
	// which package httpapi is mounted, if any, as in https://app.example.com/auth. Links
	// in mails begin with it and never depend on a request: otherwise an attacker could
	// have a link to another host sent by naming that host in a request. It does not end
	// in a slash. The default is the first origin.
	PublicURL string

	// HashSlots bounds how many passwords are hashed at once; each takes one
	// CPU and 19 MiB. The default is one less than there are CPUs, at least one.
	HashSlots int

	// HashWait bounds how long a password waits to be hashed; after that, the call
	// returns an OverloadedError. People try again after a few seconds, so a
	// longer wait spends CPU on answers that nobody reads. The default is 1.5
	// seconds; a negative value is refused.
	HashWait time.Duration

	// Clock is the only source of time, Random the source of every secret and id.
	// The defaults are time.Now and crypto/rand. With several instances, use the
	// clock of the database they share.
	Clock  func() time.Time
	Random io.Reader

	// Log receives messages for operators. The default discards them.
	Log *slog.Logger
}

// AttackFailures is the default of Config.AttackFailures.
const AttackFailures = 300

// withDefaults returns c with every default filled in, or an error that says
// what is wrong and how to fix it.
func (c Config) withDefaults() (Config, error) {
	if c.Store == nil || c.Challenges == nil {
		return c, errors.New("stepkey: Config needs Store and Challenges")
	}
	if len(c.Origins) == 0 {
		return c, errors.New("stepkey: Config needs at least one origin")
	}
	c.RPID = cmp.Or(c.RPID, origin.Host(c.Origins[0]))
	c.RPName = cmp.Or(c.RPName, "Stepkey")
	c.SignUp = cmp.Or(c.SignUp, SignUpOpen)
	c.Issuer = cmp.Or(c.Issuer, c.Origins[0])
	c.Audience = cmp.Or(c.Audience, c.Issuer)
	c.PublicURL = cmp.Or(c.PublicURL, c.Origins[0])
	c.Algorithm = cmp.Or(c.Algorithm, defaultAlgorithm(c.SharedSecret))
	c.MinPasswordLength = cmp.Or(c.MinPasswordLength, password.DefaultMinLength)
	c.RecoveryCoolOff = cmp.Or(c.RecoveryCoolOff, RecoveryCoolOff)
	c.KeyLifetime = cmp.Or(c.KeyLifetime, KeyLifetime)
	c.OwnClaims = slices.Clone(c.OwnClaims)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.AttackFailures <= 0 {
		c.AttackFailures = AttackFailures
	}
	if c.ReservedNames == nil {
		c.ReservedNames = DefaultReservedNames()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.DangerNoLimits {
		c.Limiter = nil
	}
	if _, err := secret.ParseRoot(c.Secret); err != nil {
		return c, fmt.Errorf("stepkey: Config.Secret: %w: make one with openssl rand -base64 32", err)
	}
	return c, errors.Join(c.originSet().Check(), c.checkSharedSecrets(), c.checkKeys(),
		c.checkLimits(), c.checkPublicURL(), c.SignUp.check(), c.checkOwnClaims(), c.checkMailer())
}

func (c Config) checkMailer() error {
	if c.RequireConfirmedAddress && c.Mailer == nil {
		return errors.New("Config.RequireConfirmedAddress is set without Config.Mailer, so nobody who signs up could confirm an address: " +
			"set Config.Mailer too, or leave Config.RequireConfirmedAddress out")
	}
	return nil
}

func (c Config) checkOwnClaims() error {
	if err := token.CheckClaimNames(c.OwnClaims); err != nil {
		return fmt.Errorf("Config.OwnClaims: %w", err)
	}
	return nil
}

// originSet returns a copy of the origins in c.
func (c Config) originSet() origin.Set {
	return origin.Set{
		RPID: c.RPID, Origins: slices.Clone(c.Origins),
		RelatedOrigins: slices.Clone(c.RelatedOrigins), AppOrigins: slices.Clone(c.AppOrigins),
	}
}

// CheckPageOrigin returns nil if text is an origin that a page can have, exactly as a
// browser writes it: https, or http on localhost. Otherwise it returns an error that
// names setting and says what is wrong and how to fix it. Other plain http is refused
// because a network could change pages that may read answers with tokens.
func CheckPageOrigin(setting, text string) error { return origin.CheckPage(setting, text) }

// checkPublicURL protects the links in mails, some of which set a password: anyone who
// intercepts one could use it.
func (c Config) checkPublicURL() error {
	if c.PublicURL == c.Origins[0] {
		return nil // checked with the others
	}
	at, below := c.PublicURL, ""
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		at, below = strings.TrimSuffix(c.PublicURL, u.EscapedPath()), u.Path
	}
	u, err := origin.Parse("Config.PublicURL", at)
	if err != nil {
		return err
	}
	if !origin.Secure(u) {
		return fmt.Errorf("Config.PublicURL %s is plain http, and the links in mails set passwords: use https://%s",
			c.PublicURL, u.Host+below)
	}
	if below != "" && (below == "/" || path.Clean(below) != below) {
		return fmt.Errorf("Config.PublicURL %q would make links that lead nowhere: use %s", c.PublicURL,
			at+strings.TrimSuffix(path.Clean(below), "/"))
	}
	return nil
}

func defaultAlgorithm(sharedSecret string) token.Algorithm {
	if sharedSecret != "" {
		return token.HS256
	}
	return token.ES256
}

func (c Config) checkSharedSecrets() error {
	for _, text := range append([]string{c.SharedSecret}, c.PreviousSharedSecrets...) {
		switch short := len(text) < token.MinSecretBytes; {
		case text == "":
		case short && !c.originSet().OnlyLocalhost():
			return fmt.Errorf("Config.SharedSecret has %d bytes, and anyone who guesses it can sign in as anybody: "+
				"use at least %d random ones (openssl rand -base64 32), or leave it out for ES256 keys",
				len(text), token.MinSecretBytes)
		case short && secret.IsUniform([]byte(text)), !short && secret.CheckPredictable([]byte(text)) != nil:
			return errors.New("Config.SharedSecret or Config.PreviousSharedSecrets can be guessed from its pattern, and anyone who guesses it can sign in as anybody: " +
				"use a random one (openssl rand -base64 32), or leave it out for ES256 keys")
		case secret.Same(text, c.Secret):
			return errors.New("Config.Secret is also used as Config.SharedSecret or in Config.PreviousSharedSecrets: every service that verifies tokens " +
				"would have the root of all keys. Make another one for Config.SharedSecret with openssl rand -base64 32")
		}
	}
	return nil
}

func (c Config) checkKeys() error {
	switch c.Algorithm {
	case token.HS256:
		if c.SharedSecret == "" {
			return errors.New("Config.Algorithm is HS256, which needs a Config.SharedSecret: " +
				"set one, or leave the algorithm out for ES256")
		}
	case token.ES256, token.EdDSA:
		if c.SharedSecret != "" && c.SharedSecretUntil.IsZero() {
			return fmt.Errorf("Config.SharedSecret is set while tokens are signed with %s: set Config.SharedSecretUntil to a moment "+
				"15 minutes after the last instance has changed over, or remove Config.SharedSecret", c.Algorithm)
		}
	default:
		return errors.New("Config.Algorithm must be HS256, ES256 or EdDSA")
	}
	if c.KeyLifetime < 2*KeyLead {
		return fmt.Errorf("Config.KeyLifetime is under %s, which verifiers cannot follow: make it longer", 2*KeyLead)
	}
	return nil
}

// maxMinPasswordLength is a length that must always be allowed (NIST SP
// 800-63B-4 §3.1.1.2).
const maxMinPasswordLength = 64

func (c Config) checkLimits() error {
	switch {
	case c.MinPasswordLength < password.DefaultMinLength || c.MinPasswordLength > maxMinPasswordLength:
		return fmt.Errorf("Config.MinPasswordLength is %d: set it between %d and %d",
			c.MinPasswordLength, password.DefaultMinLength, maxMinPasswordLength)
	case c.RecoveryCoolOff < 0:
		return errors.New("Config.RecoveryCoolOff must not be negative: set it to hours, such as 24h")
	case c.HashWait < 0:
		return errors.New("Config.HashWait must not be negative: set it to seconds, such as 1.5s")
	case c.Limiter == nil && !c.DangerNoLimits:
		return errors.New("stepkey: Config needs a Limiter: pass the store, which is one")
	case c.DangerNoLimits && !c.originSet().OnlyLocalhost():
		return errors.New("Config.DangerNoLimits is set, which lets anyone guess passwords without limit: " +
			"leave it out, or use localhost as the only origin for a load test")
	default:
		return nil
	}
}

// WeakSharedSecret reports whether a shared secret is good enough for localhost
// only.
func (c Config) WeakSharedSecret() bool {
	for _, text := range append([]string{c.SharedSecret}, c.PreviousSharedSecrets...) {
		if text != "" && len(text) < token.MinSecretBytes {
			return true
		}
	}
	return false
}
