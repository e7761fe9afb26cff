package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/internal/mail"
	"github.com/stepkey/stepkey/internal/password"
)

// problem is one way in which a request can fail: a status, a stable code for
// programs, and for people what went wrong and what to do.
type problem struct {
	status  int
	code    string
	title   string
	detail  string
	message string // the original's text, if its clients know one

	// Sent in headers.
	retryAfter time.Duration
	challenge  string

	// Sent in the body.
	usableFrom, possibleFrom time.Time
}

// Error implements error, so that a handler can return a problem.
func (p problem) Error() string { return p.code }

// The problems of the API. The examples and the list of codes in openapi.json are generated from them: `make generate`.
var (
	problemInvalidRequest = problem{
		status: 400, code: "invalid_request",
		title:  "Invalid request",
		detail: "The request does not match the API. Compare it with /docs.",
	}
	problemUsernameInvalid = problem{
		status: 400, code: "username_invalid",
		title:  "The user name is not allowed",
		detail: fmt.Sprintf("Use 1 to %d letters, digits, dots, dashes, underscores, plus or at signs, beginning with a letter or digit.", stepkey.MaxUsername),
	}
	problemUsernameReserved = problem{
		status: 400, code: "username_reserved",
		title:  "The user name is reserved",
		detail: "This name is reserved for the operator of the service or, if it has an @, for the owner of the e-mail address. Choose another.",
	}
	problemPasswordTooShort = problem{
		status: 400, code: "password_too_short",
		title:  "The password is too short",
		detail: tooShort(password.DefaultMinLength),
	}
	problemPasswordTooLong = problem{
		status: 400, code: "password_too_long",
		title:  "The password is too long",
		detail: fmt.Sprintf("Use at most %d bytes.", password.MaxBytes),
	}
	problemPasswordBlocked = problem{
		status: 400, code: "password_blocked",
		title:  "The password is too common",
		detail: "This password is on a list of common ones. Choose another.",
	}
	problemPasswordContainsUsername = problem{
		status: 400, code: "password_contains_username",
		title:  "The password is little more than a name",
		detail: "Leave the user name, and the name of this service, out of the password.",
	}
	problemPasswordBreached = problem{
		status: 400, code: "password_breached",
		title:  "The password is known from a data breach",
		detail: "This password was stolen somewhere and is known to attackers. Choose another, and change it wherever you use it.",
	}
	problemNoPasskeys = problem{
		status: 400, code: "no_passkeys", message: "No passkeys registered",
		title:  "There is no passkey yet",
		detail: "Add a passkey first.",
	}
	problemChallengeExpired = problem{
		status: 400, code: "challenge_expired", message: "Challenge expired",
		title:  "The challenge is unknown, used or too old",
		detail: "A request to the device lasts a few minutes and answers once. Ask for new options.",
	}
	problemEmailInvalid = problem{
		status: 400, code: "email_invalid",
		title:  "The e-mail address is not allowed",
		detail: fmt.Sprintf("Use one plain address such as mira@example.com, in ASCII, of at most %d characters.", mail.MaxAddress),
	}
	problemLinkExpired = problem{
		status: 400, code: "link_expired",
		title:  "The link is invalid or has expired",
		detail: "This link was used, is too old, or was replaced by a newer one. Ask for another.",
	}
	problemInvitationInvalid = problem{
		status: 400, code: "invitation_invalid",
		title:  "The invitation does not work, or no longer",
		detail: "This invitation was used, is too old, or was withdrawn. Ask for another.",
	}
	problemUnauthorized = problem{
		status: 401, code: "unauthorized", message: "Unauthorized",
		title:  "Not signed in",
		detail: "Sign in, then try again.", challenge: "Bearer",
	}
	problemVerificationFailed = problem{
		status: 401, code: "verification_failed", message: "Unauthorized",
		title:  "The passkey was not accepted",
		detail: "This passkey did not work. Try again, or use another one.", challenge: "Bearer",
	}
	problemPasskeyUnknown = problem{
		status: 401, code: "passkey_unknown", message: "Unauthorized",
		title:  "Unknown passkey",
		detail: "This passkey does not belong to any account here. Use another one, or the password.", challenge: "Bearer",
	}
	problemStepUpRequired = problem{
		status: 403, code: "step_up_required", message: "Passkey verification required",
		title:  "A passkey verification is needed",
		detail: "Verify a passkey, then try again.",
	}
	problemReauthenticationRequired = problem{
		status: 403, code: "reauthentication_required",
		title:  "The password proof is too old",
		detail: "Sign in with the password again, then repeat the call.",
	}
	problemRecoveryOnly = problem{
		status: 403, code: "recovery_only",
		title:  "The token can only be used to add a passkey",
		detail: "After recovery you can only add a passkey. Sign in for everything else.",
	}
	problemWrongRecoveryCode = problem{
		status: 403, code: "wrong_recovery_code",
		title:  "The recovery code is wrong or was used",
		detail: "This code is wrong or was already used. Try again, or recover in another way.",
	}
	problemPasswordByMail = problem{
		status: 403, code: "password_by_mail",
		title:  "The password was set by e-mail and adds nothing to e-mail",
		detail: "The password was set by a link in an e-mail, so e-mail alone would open the account. Use a recovery code, or ask the operator of this service.",
	}
	problemNoAddress = problem{
		status: 403, code: "no_address",
		title:  "The account has no confirmed e-mail address",
		detail: "This account has no confirmed e-mail address. Use a recovery code, or ask the operator of this service.",
	}
	problemPasskeyWaits = problem{
		status: 403, code: "passkey_waits",
		title:  "The passkey does not work yet",
		detail: "This passkey is new and does not work yet. It works from the time in usableFrom.",
	}
	problemResetTooRecent = problem{
		status: 403, code: "reset_too_recent",
		title:  "The password was reset by e-mail a short while ago",
		detail: "The password was reset by e-mail a short while ago, and until the time in possibleFrom it proves no more than the mailbox. Try again then.",
	}
	problemInvitationRequired = problem{
		status: 403, code: "invitation_required",
		title:  "Signing up takes an invitation",
		detail: "New accounts are by invitation. Follow the link of yours, or ask the administrator of this service for one.",
	}
	problemAddressUnconfirmed = problem{
		status: 403, code: "address_unconfirmed",
		title:  "The e-mail address is not confirmed yet",
		detail: "Follow the link in the e-mail that was sent at sign-up, then sign in. If it did not arrive or is too old, ask for another one.",
	}
	problemWrongPassword = problem{
		status: 403, code: "wrong_password",
		title:  "The current password is wrong",
		detail: "The current password is wrong. Try again.",
	}
	problemCrossSite = problem{
		status: 403, code: "cross_site",
		title:  "The request does not come from one of our pages",
		detail: "Send it from a page with a configured origin, or keep the refresh token yourself: sign in with \"refresh\": \"body\".",
	}
	problemTwoRefreshTokens = problem{
		status: 400, code: "two_refresh_tokens",
		title:  "Refresh tokens in both body and cookie",
		detail: "Send only one of them.",
	}
	problemNotFound = problem{
		status: 404, code: "not_found",
		title:  "Not found",
		detail: "There is nothing here. The API is described at /docs.",
	}
	problemEmailOff = problem{
		status: 404, code: "email_off",
		title:  "This service sends no e-mail",
		detail: "This service is not set up to send e-mail. Ask its operator.",
	}
	problemUnknownApplication = problem{
		status: 403, code: "unknown_application",
		title:  "No such application",
		detail: "No application behind this gate has this origin. Its operator has to add it to the rules.",
	}
	problemSignUpClosed = problem{
		status: 404, code: "sign_up_closed",
		title:  "Nobody can sign up",
		detail: "New accounts cannot be created here. Ask the administrator of this service for one.",
	}
	problemConfirmationOff = problem{
		status: 404, code: "confirmation_off",
		title:  "Signing in takes no confirmed e-mail address",
		detail: "There is nothing to confirm here before signing in. Sign in.",
	}
	problemPasskeyLogInOff = problem{
		status: 404, code: "passkey_login_off",
		title:  "Signing in with a passkey alone is turned off",
		detail: "Sign in with the password first, then verify the passkey.",
	}
	problemMethodNotAllowed = problem{
		status: 405, code: "method_not_allowed",
		title:  "Method not allowed",
		detail: "Use one of the methods in the header Allow.",
	}
	problemUsernameTaken = problem{
		status: 409, code: "username_taken", message: "Username already exists",
		title:  "The user name is taken",
		detail: "Choose another user name.",
	}
	problemPasskeyExists = problem{
		status: 409, code: "passkey_exists",
		title:  "The passkey is registered already",
		detail: "This passkey is registered already. Use another device.",
	}
	problemTooManyPasskeys = problem{
		status: 409, code: "too_many_passkeys",
		title:  fmt.Sprintf("The account has %d passkeys", stepkey.MaxPasskeys),
		detail: "Delete a passkey that is no longer used, then add this one.",
	}
	problemLastPasskey = problem{
		status: 409, code: "last_passkey",
		title:  "It is the last passkey of the account",
		detail: "Without it, the password alone opens this account. To delete it anyway, repeat the call with ?last=true.",
	}
	problemPayloadTooLarge = problem{
		status: 413, code: "payload_too_large",
		title:  "The body is too large",
		detail: "Send a smaller body.",
	}
	problemUnsupportedMediaType = problem{
		status: 415, code: "unsupported_media_type",
		title:  "The body is not JSON",
		detail: "Send JSON, with Content-Type: application/json and no Content-Encoding.",
	}
	problemRateLimited = problem{
		status: 429, code: "rate_limited",
		title:  "Too many attempts",
		detail: "There were too many attempts. Wait as long as the header Retry-After says, then try again.",
	}
	problemInternal = problem{
		status: 500, code: "internal",
		title:  "Internal error",
		detail: "Something broke on our side. Try again in a minute.",
	}
	problemOverloaded = problem{
		status: 503, code: "overloaded",
		title:  "Too many passwords are being checked",
		detail: "The service is busy. Try again in a few seconds.",
	}
	problemUnavailable = problem{
		status: 503, code: "unavailable", retryAfter: 2 * time.Second,
		title:  "The database does not answer",
		detail: "Something this service depends on does not answer. Try again in a few seconds.",
	}
)

// tooShort returns the detail of problemPasswordTooShort for a minimum of minLength characters.
func tooShort(minLength int) string {
	return fmt.Sprintf("Use at least %d characters. A few words in a row work well.", minLength)
}

// problemOf returns the problem that an error means. An unknown error is an
// internal fault.
func problemOf(err error) problem {
	var stepUp *stepkey.StepUpRequiredError
	if errors.As(err, &stepUp) {
		return stepUpProblem(guard.Refusal{
			Status: http.StatusForbidden, Level: "full", MaxAge: stepUp.MaxAge,
		})
	}
	var overloaded *stepkey.OverloadedError
	if errors.As(err, &overloaded) {
		p := problemOverloaded
		p.retryAfter = overloaded.RetryAfter
		return p
	}
	var limited *stepkey.RateLimitedError
	if errors.As(err, &limited) {
		p := problemRateLimited
		p.retryAfter = limited.RetryAfter
		return p
	}
	var waits *stepkey.PasskeyWaitsError
	if errors.As(err, &waits) {
		p := problemPasskeyWaits
		p.usableFrom = waits.Until
		return p
	}
	var recent *stepkey.ResetTooRecentError
	if errors.As(err, &recent) {
		p := problemResetTooRecent
		p.possibleFrom = recent.Until
		return p
	}
	for _, known := range []struct {
		kind    error
		problem problem
	}{
		{errUnsupportedMediaType, problemUnsupportedMediaType},
		{errPayloadTooLarge, problemPayloadTooLarge},
		{stepkey.ErrInvalidRequest, problemInvalidRequest},
		{stepkey.ErrUnauthorized, problemUnauthorized},
		{stepkey.ErrInvalidCredentials, problemUnauthorized},
		{stepkey.ErrWrongPassword, problemWrongPassword},
		{stepkey.ErrWrongRecoveryCode, problemWrongRecoveryCode},
		{stepkey.ErrPasswordByMail, problemPasswordByMail},
		{stepkey.ErrNoAddress, problemNoAddress},
		{stepkey.ErrPasskeyUnknown, problemPasskeyUnknown},
		{stepkey.ErrVerificationFailed, problemVerificationFailed},
		{stepkey.ErrChallengeExpired, problemChallengeExpired},
		{stepkey.ErrReauthenticationRequired, problemReauthenticationRequired},
		{stepkey.ErrNoPasskeys, problemNoPasskeys},
		{stepkey.ErrPasskeyExists, problemPasskeyExists},
		{stepkey.ErrTooManyPasskeys, problemTooManyPasskeys},
		{stepkey.ErrLastPasskey, problemLastPasskey},
		{stepkey.ErrInvitationRequired, problemInvitationRequired},
		{stepkey.ErrInvitationInvalid, problemInvitationInvalid},
		{stepkey.ErrSignUpClosed, problemSignUpClosed},
		{stepkey.ErrAddressUnconfirmed, problemAddressUnconfirmed},
		{stepkey.ErrConfirmationOff, problemConfirmationOff},
		{stepkey.ErrPasskeyLogInOff, problemPasskeyLogInOff},
		{stepkey.ErrUsernameReserved, problemUsernameReserved},
		{stepkey.ErrUsernameAddress, problemUsernameReserved},
		{stepkey.ErrUsernameInvalid, problemUsernameInvalid},
		{stepkey.ErrUsernameTaken, problemUsernameTaken},
		{stepkey.ErrPasswordTooShort, problemPasswordTooShort},
		{stepkey.ErrPasswordTooLong, problemPasswordTooLong},
		{stepkey.ErrPasswordCommon, problemPasswordBlocked},
		{stepkey.ErrPasswordContainsUsername, problemPasswordContainsUsername},
		{stepkey.ErrPasswordBreached, problemPasswordBreached},
		{stepkey.ErrEmailInvalid, problemEmailInvalid},
		{stepkey.ErrLinkExpired, problemLinkExpired},
		{stepkey.ErrEmailOff, problemEmailOff},
		{stepkey.ErrNotFound, problemNotFound},
		{stepkey.ErrUnavailable, problemUnavailable},
		{stepkey.ErrEndedUnknown, problemUnavailable},
		{context.DeadlineExceeded, problemUnavailable},
	} {
		if errors.Is(err, known.kind) {
			return known.problem
		}
	}
	return problemInternal
}

func stepUpProblem(refusal guard.Refusal) problem {
	p := problemStepUpRequired
	p.status, p.challenge = refusal.Status, refusal.Challenge()
	return p
}

// problemBody has the members of RFC 9457 and those of the original's errors.
type problemBody struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`

	UsableFrom      time.Time `json:"usableFrom,omitzero"`
	PossibleFrom    time.Time `json:"possibleFrom,omitzero"`
	OptionsEndpoint string    `json:"optionsEndpoint,omitzero"`
	RequestID       string    `json:"requestId,omitzero"`

	Message    string `json:"message"`
	Error      string `json:"error"`
	StatusCode int    `json:"statusCode"`
}

// body returns the problem document for a handler mounted at prefix. The caller adds the request id.
func (p problem) body(prefix string) problemBody {
	p.detail = strings.Replace(p.detail, "/docs", prefix+"/docs", 1)
	body := problemBody{
		Type: prefix + "/docs#" + p.code, Title: p.title, Status: p.status, Detail: p.detail, Code: p.code,
		UsableFrom: p.usableFrom, PossibleFrom: p.possibleFrom,
		Message: p.message, Error: http.StatusText(p.status), StatusCode: p.status,
	}
	if body.Message == "" {
		body.Message = p.detail
	}
	if p.code == problemStepUpRequired.code {
		body.OptionsEndpoint = prefix + "/passkeys/authenticate/options"
	}
	return body
}

// writeProblem answers with a problem. No other function does.
func writeProblem(w http.ResponseWriter, r *http.Request, p problem) {
	noteRefusal(r, p.code)
	body := p.body(prefixOf(r.Context()))
	if p.status >= http.StatusInternalServerError {
		body.RequestID = requestID(r.Context())
	}
	h := w.Header()
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	// A failed write means that the client is gone.
	_ = json.MarshalWrite(w, body)
}
