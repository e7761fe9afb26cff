package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

// defaultEvents is the default of the parameter limit.
const defaultEvents = 20

// eventAnswer is an event as its user sees it. Members that do not apply, or that an older version
// did not record, are missing.
type eventAnswer struct {
	ID        string        `json:"id"`
	Kind      string        `json:"kind"`
	At        time.Time     `json:"at"`
	Reason    string        `json:"reason,omitzero"`
	SessionID string        `json:"sessionId,omitzero"`
	Current   bool          `json:"current,omitzero"`
	Device    string        `json:"device,omitzero"`
	Network   string        `json:"network,omitzero"`
	Place     *placeAnswer  `json:"place,omitzero"`
	Passkey   *eventPasskey `json:"passkey,omitzero"`
	Times     int64         `json:"times,omitzero"`
	Since     time.Time     `json:"since,omitzero"`
}

type eventPasskey struct {
	ID   string `json:"id"`
	Name string `json:"name,omitzero"`
}

func (a *api) eventAnswers(events []stepkey.Event, current string) []eventAnswer {
	answers := []eventAnswer{}
	for _, e := range events {
		answer := eventAnswer{
			ID: e.ID.String(), Kind: string(e.Kind), At: e.At, Reason: e.Reason,
			Device: e.Device, Network: e.Network, Place: a.placeOf(e.Network), Times: e.Times, Since: e.Since,
		}
		if e.SessionID != uuid.Nil {
			answer.SessionID = e.SessionID.String()
			answer.Current = answer.SessionID == current
		}
		if e.PasskeyID != uuid.Nil {
			answer.Passkey = &eventPasskey{e.PasskeyID.String(), e.PasskeyName}
		}
		answers = append(answers, answer)
	}
	return answers
}

type disownedAnswer struct {
	Success         bool `json:"success"`
	SessionsEnded   int  `json:"sessionsEnded"`
	PasskeyDeleted  bool `json:"passkeyDeleted"`
	PasswordStopped bool `json:"passwordStopped"`
	NewPassword     bool `json:"newPassword"`
}

// disown is "This was not me" about an event.
func (a *api) disown(w http.ResponseWriter, r *http.Request, c caller) error {
	done, err := a.service.Disown(r.Context(), c.Caller, pathID(r), c.client)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, disownedAnswer{
		true, done.SessionsEnded, done.PasskeyDeleted, done.PasswordStopped, done.NewPassword,
	})
	return nil
}

type eventsAnswer struct {
	Events []eventAnswer `json:"events"`
	Next   string        `json:"next,omitzero"`
}

// events answers with a page of the user's security log.
func (a *api) events(w http.ResponseWriter, r *http.Request, c caller) error {
	before, limit, err := eventsQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	events, next, err := a.service.Events(r.Context(), c.Caller, before, limit)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, eventsAnswer{Events: a.eventAnswers(events, c.Claims().SessionID), Next: cursorOf(next)})
	return nil
}

func eventsQuery(raw string) (before *stepkey.EventPlace, limit int, err error) {
	return pageQuery(raw, defaultEvents)
}

// pageQuery reads which page of a list is requested: limit, which has a default, and before,
// which is the member next of the previous page.
func pageQuery(raw string, defaultLimit int) (before *stepkey.EventPlace, limit int, err error) {
	query, err := url.ParseQuery(raw)
	if err != nil || len(query["limit"]) > 1 || len(query["before"]) > 1 {
		return nil, 0, stepkey.ErrInvalidRequest
	}
	limit = defaultLimit
	if query.Has("limit") {
		if limit, err = strconv.Atoi(query.Get("limit")); err != nil {
			return nil, 0, stepkey.ErrInvalidRequest
		}
	}
	if query.Has("before") {
		before, err = parseCursor(query.Get("before"))
	}
	return before, limit, err
}

// A cursor is the place of an event or a session: its time in microseconds, as stores keep it,
// and its id. It needs no signature: a forged one only continues at another place in the same
// user's list.
const cursorBytes = 8 + len(uuid.UUID{})

func cursorOf(place *stepkey.EventPlace) string {
	if place == nil {
		return ""
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(place.At.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, place.ID[:]...))
}

// parseCursor refuses times before 1970, because PostgreSQL does not support
// all of them.
func parseCursor(cursor string) (*stepkey.EventPlace, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) != cursorBytes {
		return nil, stepkey.ErrInvalidRequest
	}
	at := int64(binary.BigEndian.Uint64(raw))
	if at < 0 {
		return nil, stepkey.ErrInvalidRequest
	}
	return &stepkey.EventPlace{At: time.UnixMicro(at).UTC(), ID: uuid.UUID(raw[8:])}, nil
}
