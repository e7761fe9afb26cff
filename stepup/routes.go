package stepup

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/internal/keptform"
)

// maxCall bounds the body of a call: a sealed form and a response of a device.
const maxCall = keptform.MaxSealed + 32<<10

// routes mounts the pages and calls at the path that requests have here, below the prefix that a
// proxy strips.
func (k *Kit) routes() {
	k.mux = http.NewServeMux()
	base := strings.TrimPrefix(k.config.Path, k.config.Prefix)
	k.mux.HandleFunc("GET "+base+"verify", k.verify)
	k.mux.HandleFunc("GET "+base+"stepup.js", k.asset(k.pages.Script()))
	k.mux.HandleFunc("GET "+base+"stepup.css", k.asset(k.pages.Style()))
	for _, route := range []struct {
		path string
		call call
	}{
		{"begin", k.begin},
		{"finish", k.finish},
		{"add/begin", k.addBegin},
		{"add/finish", k.addFinish},
		{"passkeys/{id}", k.changePasskey},
		{"codes", k.replaceCodes},
		{"recover", k.recover},
		{"skip", k.skip},
	} {
		k.mux.HandleFunc("POST "+base+route.path, k.answer(route.call))
	}
}

// ServeHTTP serves the Kit's pages and calls below Config.Path.
func (k *Kit) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.mux.ServeHTTP(w, r) }

// asset serves a script or style sheet, for good if the request names its version.
func (k *Kit) asset(a interface {
	http.Handler
	CurrentVersion() string
},
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Query().Get("v") == a.CurrentVersion() {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		a.ServeHTTP(w, r)
	}
}

// call is one of the Kit's own calls, on behalf of a visitor with a session. It returns what is
// answered in JSON.
type call func(w http.ResponseWriter, r *http.Request, v visitor, body []byte) (any, error)

// answer checks what all calls have in common. A call of another site must not act for the user,
// with cookies that are sent along; JSON alone would keep out forms, but not everything.
func (k *Kit) answer(do call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(k.config.Origins, r.Header.Get("Origin")) || !keptform.IsSameOrigin(r.Header, k.config.Origins) {
			k.fail(w, r, problemCrossSite)
			return
		}
		v, err := k.visitor(r)
		if err != nil {
			k.unavailable(w, r, err)
			return
		}
		if v.nobody() {
			k.fail(w, r, problemUnauthorized)
			return
		}
		if v.Session == "" {
			k.fail(w, r, problemSessionRequired)
			return
		}
		body, err := readCall(w, r)
		if err != nil {
			k.fail(w, r, problemInvalid)
			return
		}
		result, err := do(w, r, v, body)
		if err != nil {
			k.failWith(w, r, v, err)
			return
		}
		writeJSON(w, result)
	}
}

func readCall(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, problemInvalid
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
}

// failWith answers with an error of the engine, and logs it if it is our fault.
func (k *Kit) failWith(w http.ResponseWriter, r *http.Request, v visitor, err error) {
	p := problemOf(err)
	if p.Code == problemStepUp.Code {
		p.User = k.tag(v.Identity)
	}
	if p.Status >= http.StatusInternalServerError {
		k.log.ErrorContext(r.Context(), "call failed", "path", r.Pattern, "error", err)
	}
	k.fail(w, r, p)
}

func writeJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own types
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// decode reads a body strictly: members that come twice are refused, and unknown ones unless a
// browser made the body, whose responses have members that do not matter here.
func decode[T any](body []byte, options ...json.Options) (T, error) {
	var value T
	if err := json.Unmarshal(body, &value, append([]json.Options{json.RejectUnknownMembers(true)}, options...)...); err != nil {
		return value, stepkey.ErrInvalidRequest
	}
	return value, nil
}

type begun struct {
	Options *stepkey.RequestOptions `json:"options,omitempty"`
	Title   string                  `json:"title,omitempty"`
	Account string                  `json:"account,omitempty"`
	Met     bool                    `json:"met,omitzero"`
	User    string                  `json:"user"`
}

func (k *Kit) begin(_ http.ResponseWriter, r *http.Request, v visitor, body []byte) (any, error) {
	ask, err := decode[struct {
		Purpose string `json:"purpose"`
		Action  string `json:"action"`
		Ensure  bool   `json:"ensure"`
	}](body)
	if err != nil {
		return nil, err
	}
	p, known := k.purposes[ask.Purpose]
	if !known {
		return nil, stepkey.ErrNotFound
	}
	now := k.realm.Now()
	answer := begun{Title: titleOf(p), Account: v.account(), User: k.tag(v.Identity)}
	if ask.Ensure && ask.Action == "" {
		d, err := k.decide(r.Context(), v.Identity, p, now)
		if err != nil {
			return nil, err
		}
		if d.meets {
			answer.Met = true
			return answer, nil
		}
	}
	c, err := k.realm.Enter(r.Context(), v.visit(now))
	if err != nil {
		return nil, err
	}
	if ask.Action == "" {
		options, err := k.realm.BeginStepUp(r.Context(), c, p.Name, nil)
		answer.Options = &options
		return answer, err
	}
	digest, err := k.openAction(v.Identity, p, ask.Action)
	if err != nil {
		return nil, err
	}
	options, err := k.realm.BeginStepUp(r.Context(), c, p.Name, &digest)
	answer.Options = &options
	return answer, err
}

type finished struct {
	User string      `json:"user"`
	Form *postedForm `json:"form,omitempty"`
}

// postedForm is a kept form, for the script that posts it again.
type postedForm struct {
	Action  string      `json:"action"`
	Enctype string      `json:"enctype"`
	Fields  [][2]string `json:"fields"`
	Files   []string    `json:"files,omitempty"` // names of inputs of files, which are empty
}

func (k *Kit) finish(w http.ResponseWriter, r *http.Request, v visitor, body []byte) (any, error) {
	sent, err := decode[struct {
		Response stepkey.AssertionResponse `json:"response,omitzero"`
		Purpose  string                    `json:"purpose"`
		Form     string                    `json:"form"`
	}](body, json.RejectUnknownMembers(false))
	if err != nil {
		return nil, err
	}
	// The form is opened first: somebody who verifies for a form that is too old should not
	// find out after the gesture.
	var form *postedForm
	if sent.Form != "" {
		if form, err = k.releaseForm(v, sent.Form); err != nil {
			return nil, err
		}
	}
	c, err := k.realm.Caller(r.Context(), v.visit(k.realm.Now()))
	if err != nil {
		return nil, err
	}
	if _, err := k.realm.FinishStepUp(r.Context(), c, sent.Response); err != nil {
		return nil, err
	}
	k.proofs.forget(v.User)
	if err := k.renew(w, r, v); err != nil {
		return nil, err
	}
	return finished{User: k.tag(v.Identity), Form: form}, nil
}

// releaseForm opens a form for the session that it was kept for. Only finish calls it, so each
// release takes a verification of its own.
func (k *Kit) releaseForm(v visitor, sealed string) (*postedForm, error) {
	kept, err := keptform.Open(k.key, k.ownerOf(v.Identity), sealed, k.realm.Now())
	if err != nil {
		return nil, err
	}
	if kept.ContentType == actionType {
		return nil, keptform.ErrSealed
	}
	fields, err := kept.Fields()
	if err != nil {
		return nil, err
	}
	form := &postedForm{Action: kept.URI, Enctype: "application/x-www-form-urlencoded", Fields: [][2]string{}}
	if kept.IsMultipart() {
		form.Enctype = "multipart/form-data"
	}
	for _, field := range fields {
		if field.File {
			form.Files = append(form.Files, field.Name)
			continue
		}
		form.Fields = append(form.Fields, [2]string{field.Name, field.Value})
	}
	return form, nil
}

// renew has the application give the session a new token. If that fails, the proof is taken back:
// a copy of the old token would share it. That also has to happen where the client is gone, and
// where the session is by now.
func (k *Kit) renew(w http.ResponseWriter, r *http.Request, v visitor) error {
	if k.config.Renew == nil {
		return nil
	}
	err := k.config.Renew(w, r)
	if err == nil {
		return nil
	}
	return errors.Join(stepkey.ErrUnavailable, err, k.EndProofs(context.WithoutCancel(r.Context()), nil, v.User))
}

func (k *Kit) addBegin(_ http.ResponseWriter, r *http.Request, v visitor, _ []byte) (any, error) {
	now := k.realm.Now()
	if err := k.checkEnrol(r.Context(), v, now); err != nil {
		return nil, err
	}
	c, err := k.realm.Enter(r.Context(), v.visit(now))
	if err != nil {
		return nil, err
	}
	options, err := k.realm.BeginRegistration(r.Context(), c)
	return struct {
		Options stepkey.CreationOptions `json:"options"`
	}{options}, err
}

// checkEnrol enforces the application's rule for users without a passkey. The engine enforces the
// rule for all others.
func (k *Kit) checkEnrol(ctx context.Context, v visitor, now time.Time) error {
	if len(k.config.Enrol) == 0 {
		return nil
	}
	standing, err := k.realm.Standing(ctx, v.visit(now))
	if err != nil || standing.HasPasskeys {
		return err
	}
	ok, missing, expired := k.config.Enrol.evaluate(now, v.proofs(Proof{}))
	if ok {
		return nil
	}
	p := problemReauthenticate
	p.Missing, p.Expired = jsonNeeds(missing), jsonNeeds(expired)
	for _, need := range slices.Concat(missing, expired) {
		if page := k.proveURL(need.Factor); page != "" && need.Factor != Password {
			p.Prove = page
			break
		}
	}
	return p
}

// passkeyJSON is a passkey as scripts see it.
type passkeyJSON struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Provider   string     `json:"provider"`
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
	UsableFrom *time.Time `json:"usableFrom"`
	Synced     bool       `json:"synced"`
}

func toJSON(p stepkey.Passkey, now time.Time) passkeyJSON {
	j := passkeyJSON{
		ID: p.ID.String(), Name: p.Name, Provider: stepkey.Provider(p), CreatedAt: p.CreatedAt,
		LastUsedAt: p.LastUsedAt, Synced: isSynced(p),
	}
	if p.Waits(now) {
		j.UsableFrom = p.UsableFrom
	}
	return j
}

func (k *Kit) addFinish(_ http.ResponseWriter, r *http.Request, v visitor, body []byte) (any, error) {
	sent, err := decode[struct {
		Response stepkey.RegistrationResponse `json:"response,omitzero"`
		Name     string                       `json:"name"`
	}](body, json.RejectUnknownMembers(false))
	if err != nil {
		return nil, err
	}
	now := k.realm.Now()
	if err := k.checkEnrol(r.Context(), v, now); err != nil {
		return nil, err
	}
	c, err := k.realm.Caller(r.Context(), v.visit(now))
	if err != nil {
		return nil, err
	}
	p, err := k.realm.FinishRegistration(r.Context(), c, sent.Response, sent.Name)
	if err != nil {
		return nil, err
	}
	k.proofs.forget(v.User)
	return struct {
		Passkey passkeyJSON `json:"passkey"`
	}{toJSON(p, now)}, nil
}

func (k *Kit) changePasskey(_ http.ResponseWriter, r *http.Request, v visitor, body []byte) (any, error) {
	sent, err := decode[struct {
		Name   string `json:"name"`
		Delete bool   `json:"delete"`
		Last   bool   `json:"last"`
	}](body)
	if err != nil {
		return nil, err
	}
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return nil, stepkey.ErrNotFound
	}
	now := k.realm.Now()
	// Nothing need have begun in the session: it may be the user's first call in it.
	c, err := k.realm.Enter(r.Context(), v.visit(now))
	if err != nil {
		return nil, err
	}
	if sent.Delete {
		err = k.realm.DeletePasskey(r.Context(), c, id, sent.Last)
	} else {
		err = k.realm.RenamePasskey(r.Context(), c, id, sent.Name)
	}
	if err != nil {
		return nil, err
	}
	k.proofs.forget(v.User)
	passkeys, err := k.realm.Passkeys(r.Context(), v.User)
	list := []passkeyJSON{}
	for _, p := range passkeys {
		list = append(list, toJSON(p, now))
	}
	return struct {
		Passkeys []passkeyJSON `json:"passkeys"`
	}{list}, err
}

func (k *Kit) replaceCodes(_ http.ResponseWriter, r *http.Request, v visitor, _ []byte) (any, error) {
	c, err := k.realm.Enter(r.Context(), v.visit(k.realm.Now())) // see changePasskey
	if err != nil {
		return nil, err
	}
	codes, err := k.realm.ReplaceRecoveryCodes(r.Context(), c)
	return struct {
		Codes []string `json:"codes"`
	}{codes}, err
}

func (k *Kit) recover(_ http.ResponseWriter, r *http.Request, v visitor, body []byte) (any, error) {
	sent, err := decode[struct {
		Code string `json:"code"`
	}](body)
	if err != nil {
		return nil, err
	}
	c, err := k.realm.Enter(r.Context(), v.visit(k.realm.Now()))
	if err != nil {
		return nil, err
	}
	defer k.proofs.forget(v.User)
	return struct{}{}, k.realm.UseRecoveryCode(r.Context(), c, sent.Code)
}

func (k *Kit) skip(_ http.ResponseWriter, r *http.Request, v visitor, _ []byte) (any, error) {
	c, err := k.realm.Enter(r.Context(), v.visit(k.realm.Now()))
	if err != nil {
		return nil, err
	}
	return struct{}{}, k.realm.DeclineOffer(r.Context(), c)
}

// SignOut ends the proof of the session of r for good. Applications whose sessions are cookies
// without a row of their own call it when somebody signs out: an old cookie still names the
// session. Others need not, and may.
func (k *Kit) SignOut(r *http.Request) error {
	v, err := k.visitor(r)
	if err != nil {
		return err
	}
	if v.nobody() || v.Session == "" {
		return nil
	}
	defer k.proofs.forget(v.User)
	return k.realm.SignOut(r.Context(), v.visit(k.realm.Now()))
}
