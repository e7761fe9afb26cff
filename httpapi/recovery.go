package httpapi

import (
	"net/http"
	"time"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
)

// recoveryAnswer has null for what there is not.
type recoveryAnswer struct {
	CodesLeft      int            `json:"codesLeft"`
	CodesCreatedAt *time.Time     `json:"codesCreatedAt"`
	Pending        *pendingAnswer `json:"pending"`
}

type pendingAnswer struct {
	StartedAt time.Time `json:"startedAt"`
	ReadyAt   time.Time `json:"readyAt"`
}

func (a *api) recovery(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	state, err := a.service.Recovery(r.Context(), claims)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer := recoveryAnswer{CodesLeft: state.CodesLeft, CodesCreatedAt: state.CodesCreatedAt}
	if state.Pending != nil {
		answer.Pending = &pendingAnswer{StartedAt: state.Pending.StartedAt, ReadyAt: state.Pending.ReadyAt}
	}
	writeJSON(w, http.StatusOK, answer)
}

type recoveryCodesAnswer struct {
	Codes []string `json:"codes"`
}

func (a *api) replaceRecoveryCodes(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	codes, err := a.service.ReplaceRecoveryCodes(r.Context(), claims)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, recoveryCodesAnswer{codes})
}

type recoveryCodeBody struct {
	Code *string `json:"code"`
}

// waitAnswer is for a recovery that has to wait.
type waitAnswer struct {
	pendingAnswer
	LinkSent bool `json:"linkSent"`
}

func waitAnswerOf(p stepkey.PendingRecovery, linkSent bool) waitAnswer {
	return waitAnswer{pendingAnswer{StartedAt: p.StartedAt, ReadyAt: p.ReadyAt}, linkSent}
}

func (a *api) useRecoveryCode(w http.ResponseWriter, r *http.Request) {
	body, err := decode[recoveryCodeBody](w, r, maxCredentialsBody)
	if err == nil && body.Code == nil {
		err = stepkey.ErrInvalidRequest
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	claims, _ := guard.FromContext(r.Context())
	granted, pending, err := a.service.UseRecoveryCode(r.Context(), claims, *body.Code, a.clientOf(r))
	if err == nil && pending != nil {
		writeJSON(w, http.StatusAccepted, waitAnswerOf(*pending, false))
		return
	}
	a.recovered(w, r, granted, err)
}

func (a *api) recoverByMail(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	pending, linkSent, err := a.service.RecoverByMail(r.Context(), claims, a.clientOf(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, waitAnswerOf(pending, linkSent))
}

func (a *api) cancelRecovery(w http.ResponseWriter, r *http.Request) {
	claims, _ := guard.FromContext(r.Context())
	a.succeed(w, r, a.service.CancelRecovery(r.Context(), claims))
}

func (a *api) finishRecovery(w http.ResponseWriter, r *http.Request) {
	link, err := decodeLink(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	claims, _ := guard.FromContext(r.Context())
	granted, err := a.service.FinishRecovery(r.Context(), claims, link, a.clientOf(r))
	a.recovered(w, r, granted, err)
}

func (a *api) recoverByLink(w http.ResponseWriter, r *http.Request) {
	link, err := decodeLink(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	granted, err := a.service.RecoverByLink(r.Context(), link, a.clientOf(r))
	a.recovered(w, r, granted, err)
}

// recovered answers with the token of a session at level recovery. The refresh cookie of
// the session before is worth nothing any more, so it goes.
func (a *api) recovered(w http.ResponseWriter, r *http.Request, granted stepkey.Grant, err error) {
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookies.clearRefresh(w)
	a.writeGrant(w, http.StatusCreated, granted)
}
