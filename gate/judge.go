package gate

import (
	"log/slog"
	"net/http"

	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/guard"
	"github.com/stepkey/stepkey/token"
)

// judgement says whether a request passes, and otherwise why not.
type judgement struct {
	passes  bool
	who     Visitor
	refusal guard.Refusal   // if it does not pass
	missing []rules.Missing // what the user could do about it
}

// judge decides on a request. The session is read from r; request is what reaches the
// application.
func (o Options) judge(r *http.Request, request rules.Request) judgement {
	who, unknown := o.Sessions.Visitor(r, request.Origin, usualAge)
	d := o.Rules().Decide(request, who.Subject, o.Clock())
	if d.Verdict == rules.StepUp && unknown == nil {
		// The user may have verified a passkey a moment ago, at another application.
		who, unknown = o.Sessions.Visitor(r, request.Origin, refusedAge)
		d = o.Rules().Decide(request, who.Subject, o.Clock())
	}
	if d.Verdict != rules.Allow {
		o.Log.LogAttrs(r.Context(), slog.LevelInfo, "The gate refused a request", slog.String("origin", request.Origin),
			slog.String("verdict", d.Verdict.String()), slog.String("reason", d.Reason), slog.Bool("shadow", d.Shadow))
	}
	switch {
	case d.Passes():
		return judgement{passes: true, who: who}
	case d.Verdict == rules.Refused:
		return refusedWith(guard.Refusal{Status: http.StatusBadRequest})
	case d.Verdict == rules.StepUp && unknown != nil:
		return refusedWith(guard.Refusal{Status: http.StatusServiceUnavailable, Cause: unknown})
	case d.Verdict == rules.StepUp:
		return judgement{who: who, refusal: stepUp(d, who.Subject), missing: d.Missing}
	}
	return judgement{who: who, refusal: guard.Refusal{Status: http.StatusForbidden}}
}

func refusedWith(refusal guard.Refusal) judgement { return judgement{refusal: refusal} }

// stepUp asks for a sign-in with 401 and for a passkey with 403, as package guard does by
// default: scripts that end a session on 401 keep it.
func stepUp(d rules.Decision, who rules.Subject) guard.Refusal {
	if !who.Level.Satisfies(token.LevelPassword) {
		return guard.Refusal{Status: http.StatusUnauthorized, Cause: guard.ErrNoToken}
	}
	refusal := guard.Refusal{Status: http.StatusForbidden}
	refusal.Level, refusal.MaxAge = d.Level()
	for _, m := range d.Missing {
		if m.Factor == rules.Hardware {
			refusal.Cause = guard.ErrNotHardware
		}
	}
	return refusal
}
