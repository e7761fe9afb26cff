package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey"
)

type eventsPage struct {
	Events []map[string]any
	Next   *string
}

func pageOf(t *testing.T, r *http.Response) (page eventsPage) {
	t.Helper()
	if err := json.NewDecoder(r.Body).Decode(&page); err != nil || r.StatusCode != 200 {
		t.Fatalf("%d, %v", r.StatusCode, err)
	}
	return page
}

// Pages have the shape that the export has, and together all of it.
func TestEventsInPages(t *testing.T) {
	h, first := signedIn(t, "")
	for range 21 {
		logInWith(h, "")
	}
	bearer := "Bearer " + tokensOf(t, first).AccessToken
	get := func(query string) eventsPage {
		t.Helper()
		return pageOf(t, send(h, "GET", "/account/events"+query, "", "Authorization", bearer))
	}
	want := pageOf(t, send(h, "GET", "/account/export", "", "Authorization", bearer)).Events
	var got []map[string]any
	for next := "?limit=10"; ; {
		page := get(next)
		got = append(got, page.Events...)
		if page.Next == nil {
			break
		}
		next = "?limit=10&before=" + *page.Next
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 23 {
		t.Errorf("%d events in pages (-export +pages):\n%s", len(got), diff)
	}
	if page := get(""); len(page.Events) != 20 || page.Next == nil {
		t.Errorf("without a limit %d events, next %v; want 20 of 23", len(page.Events), page.Next)
	}
	if page := get("?limit=23"); len(page.Events) != 23 || page.Next != nil {
		t.Errorf("%d events, next %v; want all and no more", len(page.Events), page.Next)
	}
	if page := get("?limit=100"); len(page.Events) != 23 {
		t.Errorf("%d events of 23 with the largest limit", len(page.Events))
	}
	if page := get("?before=" + cursorOf(&stepkey.EventPlace{At: time.UnixMicro(0)})); page.Events == nil || len(page.Events) != 0 || page.Next != nil {
		t.Errorf("behind the end: %+v, want an empty list", page)
	}
}

func TestEventsRefuse(t *testing.T) {
	h, first := signedIn(t, "")
	bearer := "Bearer " + tokensOf(t, first).AccessToken
	cursor := cursorOf(&stepkey.EventPlace{At: time.Now(), ID: uuid.New()})
	for _, query := range []string{
		"limit=0", "limit=101", "limit=-1", "limit=", "limit=ten", "limit=1.5", "limit=99999999999999999999",
		"limit=1&limit=2", "limit=%zz", "limit=1;x",
		"before=", "before=x", "before=" + cursor[1:], "before=" + cursor + "AAAA", "before=" + cursor + "=",
		"before=" + cursor + "&before=" + cursor, "before=" + url.QueryEscape("<script>"), "before=" + uuid.NewString(),
		"before=" + base64.RawURLEncoding.EncodeToString(slices.Repeat([]byte{0xff}, cursorBytes)), // before 1970
	} {
		wantStatus(t, query, send(h, "GET", "/account/events?"+query, "", "Authorization", bearer), 400, "invalid_request")
	}
	for _, query := range []string{"limit=c4n4ry", "before=c4n4ry"} {
		if body := text(t, send(h, "GET", "/account/events?"+query, "", "Authorization", bearer)); strings.Contains(body, "c4n4ry") {
			t.Errorf("what was sent comes back: %s", body)
		}
	}
	wantStatus(t, "signed out", send(h, "GET", "/account/events", ""), 401, "unauthorized")
}

// A cursor yields the place that it was made of.
func TestCursor(t *testing.T) {
	for _, want := range []stepkey.EventPlace{
		{At: time.UnixMicro(0).UTC()},
		{At: time.Date(2026, 11, 23, 9, 48, 2, 123456000, time.UTC), ID: uuid.New()},
	} {
		got, err := parseCursor(cursorOf(&want))
		if err != nil || *got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}
