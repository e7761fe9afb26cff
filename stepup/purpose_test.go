package stepup

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPurposeChecks(t *testing.T) {
	passkey := Passkey.Within(10 * time.Minute)
	labels := map[string]string{}
	for i := range 33 {
		labels[strings.Repeat("f", i+1)] = "Field"
	}
	for _, test := range []struct {
		name    string
		purpose Purpose
		want    string // part of the error; "" if there is none
	}{
		{"required", Purpose{Name: "payout", Title: "Pay out", Labels: map[string]string{"to": "Recipient"}, Rule: passkey}, ""},
		{"offered", Purpose{Name: "payout", Rule: passkey, Mode: Offered, Until: noon}, ""},
		{"shadow", Purpose{Name: "payout", Rule: passkey, Mode: Shadow, Until: noon}, ""},
		{"a name with a capital", Purpose{Name: "Payout", Rule: passkey}, "name of a purpose"},
		{"a title with a new line", Purpose{Name: "payout", Title: "Pay\nout", Rule: passkey}, `purpose "payout": `},
		{"no rule", Purpose{Name: "payout"}, "the rule is empty"},
		{"offered without an end", Purpose{Name: "payout", Rule: passkey, Mode: Offered}, "offered without an end: set Until"},
		{"shadow without an end", Purpose{Name: "payout", Rule: passkey, Mode: Shadow}, "shadow without an end: set Until"},
		{"required with an end", Purpose{Name: "payout", Rule: passkey, Until: noon}, "remove Until"},
		{"an end that a line cannot say", Purpose{Name: "payout", Rule: passkey, Mode: Offered, Until: time.Unix(1<<40, 0)}, "years 2000 to 9999"},
		{"an unknown mode", Purpose{Name: "payout", Rule: passkey, Mode: 3}, "no mode 3"},
		{"a label without text", Purpose{Name: "payout", Rule: passkey, Labels: map[string]string{"to": ""}}, "Labels"},
		{"a label that is too long", Purpose{Name: "payout", Rule: passkey, Labels: map[string]string{"to": strings.Repeat("a", 129)}}, "Labels"},
		{"a label with a control character", Purpose{Name: "payout", Rule: passkey, Labels: map[string]string{"to": "a\x00"}}, "Labels"},
		{"a label of no field", Purpose{Name: "payout", Rule: passkey, Labels: map[string]string{"": "a"}}, "Labels"},
		{"too many labels", Purpose{Name: "payout", Rule: passkey, Labels: labels}, "33 labels"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.purpose.check()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestShadowEndsSoon(t *testing.T) {
	for _, test := range []struct {
		name  string
		mode  Mode
		until time.Time
		ok    bool
	}{
		{"90 days of shadow", Shadow, noon.Add(90 * 24 * time.Hour), true},
		{"more", Shadow, noon.Add(90*24*time.Hour + 1), false},
		{"an end in the past", Shadow, noon.Add(-time.Hour), true},
		{"offered for longer", Offered, noon.Add(900 * 24 * time.Hour), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := (Purpose{Name: "payout", Mode: test.mode, Until: test.until}).checkUntil(noon); (err == nil) != test.ok {
				t.Error(err)
			}
		})
	}
}

func TestModesEnd(t *testing.T) {
	for _, mode := range []Mode{Offered, Shadow} {
		p := Purpose{Mode: mode, Until: noon}
		for _, test := range []struct {
			now  time.Time
			want Mode
		}{{noon.Add(-1), mode}, {noon, Required}, {noon.Add(time.Hour), Required}} {
			if got := p.modeAt(test.now); got != test.want {
				t.Errorf("%s at %s: %s", mode, test.now, got)
			}
		}
	}
	if got := (Purpose{}).modeAt(noon); got != Required {
		t.Error(got)
	}
}

func TestParsePurposes(t *testing.T) {
	got, err := ParsePurposes("# money\npayout \"Pay out\": passkey within 10m or password within 1m and totp within 5m; offered until 2027-03-01\n" +
		"keys: passkey within 12h\nlogs: totp within 1h; shadow until 2027-01-01T12:00:00Z\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Purpose{
		{
			Name: "payout", Title: "Pay out", Mode: Offered, Until: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
			Rule: Passkey.Within(10 * time.Minute).Or(Password.Within(time.Minute).And(totp.Within(5 * time.Minute))),
		},
		{Name: "keys", Rule: Passkey.Within(12 * time.Hour)},
		{Name: "logs", Rule: totp.Within(time.Hour), Mode: Shadow, Until: time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Rules that the grammar allows but no purpose may have are refused with their line as well.
func TestParsePurposesErrors(t *testing.T) {
	list, err := ParsePurposes("a: passkey within 13h\nb: totp within 1h\n\nc: totp within 1h and totp within 5m")
	if err == nil || list != nil || !strings.Contains(err.Error(), `line 1: purpose "a": passkey within 13h: at most 12h`) ||
		strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "line 4: ") {
		t.Errorf("%v, %v", list, err)
	}
	if list, err := ParsePurposes("a"); err == nil || list != nil || !strings.Contains(err.Error(), "line 1: ") {
		t.Errorf("%v, %v", list, err)
	}
}

func TestWrittenPurposesAreReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := Purpose{
			Name:  rapid.StringMatching(`[a-z0-9._-]{1,64}`).Draw(rt, "name"),
			Title: rapid.SampledFrom([]string{"", "Pay out", `"#:;\`, "Zahlung für Ä"}).Draw(rt, "title"),
			Rule:  drawRule(rt, "rule"),
			Mode:  rapid.SampledFrom([]Mode{Required, Offered, Shadow}).Draw(rt, "mode"),
		}
		if p.Mode != Required {
			p.Until = time.Unix(rapid.Int64Range(1<<30, 1<<36).Draw(rt, "until"), 0).UTC()
		}
		if err := p.check(); err != nil {
			rt.Fatal(err)
		}
		got, err := ParsePurposes(p.String())
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff([]Purpose{p}, got); diff != "" {
			rt.Fatalf("%s: %s", p, diff)
		}
	})
}

func FuzzParsePurposes(f *testing.F) {
	f.Add("payout \"Pay out\": passkey within 10m or password within 1m and totp within 5m; offered until 2027-03-01")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParsePurposes(text)
		if err != nil {
			return
		}
		for _, p := range list {
			if err := p.check(); err != nil {
				t.Fatal(err)
			}
			if again, err := ParsePurposes(p.String()); err != nil || !cmp.Equal(again, []Purpose{p}) {
				t.Fatalf("%s: %v, %v", p, again, err)
			}
		}
	})
}
