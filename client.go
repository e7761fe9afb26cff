package stepkey

import (
	"context"
	"time"
)

type clientKey struct{}

// WithClient returns a context for the calls of one client. Events that a call records name the
// client's device and network, so that the owner recognises what happened. Package httpapi calls
// WithClient for every request; without it, only sign-ins name them.
func WithClient(ctx context.Context, from Client) context.Context {
	return context.WithValue(ctx, clientKey{}, from)
}

// reasonLockedOut is the reason of counted attempts after which others have to wait.
const reasonLockedOut = "locked_out"

// countRefused counts a failed attempt at the user's password or recovery code in the security log, a
// moment later and at no cost for the answer; see package tally. The user exists: nothing is counted
// for unknown names.
func (s *Service) countRefused(ctx context.Context, e Event, lockedOut bool, now time.Time) {
	if e = ofClient(ctx, e); lockedOut {
		e.Reason = reasonLockedOut
	}
	e.At = now
	s.tally.Add(e)
}

// ofClient fills in where e comes from, if that is not known yet.
func ofClient(ctx context.Context, e Event) Event {
	if from, known := ctx.Value(clientKey{}).(Client); known && e.Device == "" && e.Network == "" {
		e.Device, e.Network = from.Device, from.Network
	}
	return e
}
