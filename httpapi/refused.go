package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

type refusalKey struct{}

// ceremony logs every refusal by next with its reason, and records it if the user is
// known. The answer alone says too little to find the cause.
func (a *api) ceremony(kind stepkey.Purpose, next budgeted) budgeted {
	return budgeted{budget: next.budget, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		why := &stepkey.CeremonyRefusal{}
		ctx := context.WithValue(stepkey.WithCeremonyRefusal(r.Context(), why), refusalKey{}, why)
		r = r.WithContext(ctx)
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		if recorder.status >= http.StatusBadRequest && recorder.status < http.StatusInternalServerError {
			a.recordRefusal(ctx, kind, recorder.status, *why)
		}
	})}
}

func (a *api) recordRefusal(ctx context.Context, kind stepkey.Purpose, status int, why stepkey.CeremonyRefusal) {
	id := requestID(ctx)
	attributes := []slog.Attr{
		slog.String("request", id), slog.String("ceremony", string(kind)),
		slog.Int("status", status), slog.String("reason", why.Reason),
	}
	if why.UserID != uuid.Nil {
		attributes = append(attributes, slog.String("user", why.UserID.String()))
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "ceremony refused", attributes...)
	if why.UserID == uuid.Nil {
		return
	}
	err := a.service.RecordRefusedCeremony(ctx, stepkey.RefusedCeremony{
		UserID: why.UserID, Ceremony: kind, Reason: why.Reason, RequestID: id,
	})
	if err != nil {
		a.log.WarnContext(ctx, "cannot record a refused ceremony", "request", id, "error", err)
	}
}

// noteRefusal notes the reason and the user of a refused request for ceremony, unless a
// more precise reason is known.
func noteRefusal(r *http.Request, reason string) {
	why, watched := r.Context().Value(refusalKey{}).(*stepkey.CeremonyRefusal)
	if !watched {
		return
	}
	if why.Reason == "" {
		why.Reason = reason
	}
	if claims, ok := guard.FromContext(r.Context()); ok {
		why.UserID, _ = uuid.Parse(claims.Subject)
	}
}

// noteCause notes why the guard refused a request.
func noteCause(r *http.Request, cause error) {
	var refused *token.Error
	switch {
	case errors.As(cause, &refused):
		noteRefusal(r, "token_"+string(refused.Reason))
	case errors.Is(cause, guard.ErrNoToken):
		noteRefusal(r, "no_token")
	case errors.Is(cause, guard.ErrSessionEnded):
		noteRefusal(r, "session_ended")
	}
}
