package purposes

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	text := "# People who move money\r\n" +
		"\n" +
		"payout \"Pay out\": passkey within 10m or password within 1m and totp within 5m; offered until 2027-03-01  # the board's date\n" +
		"\tkeys.ssh_2-a:passkey   within 1h30m\n" +
		"say \"\\\"#1\\\": a; b\": totp within 90s; shadow until 2027-03-01T12:00:00+01:00\n"
	march := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	want := []Line{
		{
			Number: 3, Name: "payout", Title: "Pay out", Mode: Offered, Until: march,
			Rule: [][]Need{{{"passkey", 10 * time.Minute}}, {{"password", time.Minute}, {"totp", 5 * time.Minute}}},
		},
		{Number: 4, Name: "keys.ssh_2-a", Rule: [][]Need{{{"passkey", 90 * time.Minute}}}},
		{
			Number: 5, Name: "say", Title: `"#1": a; b`, Mode: Shadow, Until: march.Add(11 * time.Hour),
			Rule: [][]Need{{{"totp", 90 * time.Second}}},
		},
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseNothing(t *testing.T) {
	if lines, err := Parse(" \n# nothing yet\n"); err != nil || len(lines) != 0 {
		t.Errorf("%v, %v", lines, err)
	}
}

// An error says where it is and what to write.
func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"nothing but a name", `payout`, "no colon"},
		{"no colon", `payout passkey within 10m`, "no colon"},
		{"no name", `: passkey within 10m`, "name of a purpose"},
		{"capital letters", `Payout: passkey within 10m`, "a-z"},
		{"a long name", strings.Repeat("a", 65) + `: passkey within 10m`, "1 to 64"},
		{"title without an end", `payout "Pay out: passkey within 10m`, "does not end"},
		{"control character in the title", `payout "Pay\nout": passkey within 10m`, "control characters"},
		{"title that is not UTF-8", `payout "\xff": passkey within 10m`, "UTF-8"},
		{"a long title", `payout "` + strings.Repeat("a", 129) + `": passkey within 10m`, "at most 128"},
		{"no rule", `payout:`, "no rule"},
		{"no rule before the mode", `payout: ; offered until 2027-03-01`, "no rule"},
		{"no age", `payout: passkey`, "passkey within 10m"},
		{"another word than within", `payout: passkey for 10m`, "passkey within 10m"},
		{"a factor in capitals", `payout: TOTP within 10m`, "is not a factor"},
		{"a long factor", `payout: ` + strings.Repeat("a", 33) + ` within 10m`, "1 to 32"},
		{"an age without a unit", `payout: passkey within 10`, "90s, 10m or 1h30m"},
		{"an age of zero", `payout: passkey within 0s`, "out of range"},
		{"a negative age", `payout: passkey within -10m`, "out of range"},
		{"half a second", `payout: passkey within 1500ms`, "whole seconds"},
		{"more than a year", `payout: totp within 8761h`, "365 days"},
		{"ends with or", `payout: passkey within 10m or`, "factor and its age"},
		{"two needs side by side", `payout: passkey within 10m totp within 5m`, `go on with "and", "or"`},
		{"mode with a comma", `payout: passkey within 10m, offered until 2027-03-01`, "90s, 10m or 1h30m"},
		{"another mode", `payout: passkey within 10m; required until 2027-03-01`, "not a mode"},
		{"mode without an end", `payout: passkey within 10m; offered`, "offered until 2027-03-01"},
		{"mode with another word", `payout: passkey within 10m; offered since 2027-03-01`, "not a mode"},
		{"an empty mode", `payout: passkey within 10m;`, "end the line before the semicolon"},
		{"two modes", `payout: passkey within 10m; offered until 2027-03-01; shadow until 2027-03-01`, "not a mode"},
		{"a day that does not exist", `payout: passkey within 10m; offered until 2027-02-29`, "is not a date"},
		{"a year long past", `payout: passkey within 10m; offered until 1999-03-01`, "years 2000 to 9999"},
		{"twice", "a: passkey within 10m\n\na: totp within 10m", `line 3: the purpose "a" is already in line 1`},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, err := Parse(test.line)
			if err == nil || lines != nil || !strings.HasPrefix(err.Error(), "line ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, %v; want %q", lines, err, test.want)
			}
		})
	}
}

func TestParseNamesEveryWrongLine(t *testing.T) {
	_, err := Parse("a\nb: passkey within 10m\nC: passkey within 10m")
	if err == nil || !strings.Contains(err.Error(), "line 1: ") || strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), "line 3: ") {
		t.Error(err)
	}
}

func TestFormatAge(t *testing.T) {
	for _, test := range []struct {
		age  time.Duration
		want string
	}{
		{time.Second, "1s"},
		{20 * time.Second, "20s"},
		{10 * time.Minute, "10m"},
		{90 * time.Minute, "1h30m"},
		{12 * time.Hour, "12h"},
		{time.Hour + time.Second, "1h0m1s"},
		{20 * time.Hour, "20h"},
	} {
		if got := FormatAge(test.age); got != test.want {
			t.Errorf("%s: %s", test.want, got)
		}
	}
}

func drawLine(rt *rapid.T) Line {
	need := rapid.Custom(func(rt *rapid.T) Need {
		return Need{
			Factor: rapid.StringMatching(`[a-z0-9-]{1,32}`).Draw(rt, "factor"),
			Within: time.Second * time.Duration(rapid.Int64Range(1, int64(MaxAge/time.Second)).Draw(rt, "age")),
		}
	})
	line := Line{
		Number: 1,
		Name:   rapid.StringMatching(`[a-z0-9._-]{1,64}`).Draw(rt, "name"),
		Title:  rapid.String().Filter(func(s string) bool { return CheckTitle(s) == nil }).Draw(rt, "title"),
		Rule:   rapid.SliceOfN(rapid.SliceOfN(need, 1, 4), 1, 4).Draw(rt, "rule"),
		Mode:   rapid.SampledFrom([]string{Required, Offered, Shadow}).Draw(rt, "mode"),
	}
	if line.Mode != Required {
		days, rest := rapid.Int64Range(0, 40_000).Draw(rt, "days"), rapid.SampledFrom([]int64{0, 0, 1, 43_200_000_000_000}).Draw(rt, "rest")
		line.Until = time.Unix(946_684_800+days*86_400, rest).UTC()
	}
	return line
}

func TestWrittenLinesAreReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		line := drawLine(rt)
		got, err := Parse(line.String())
		if err != nil {
			rt.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff([]Line{line}, got); diff != "" {
			rt.Fatalf("%s: %s", line, diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("payout \"Pay out\": passkey within 10m or password within 1m and totp within 5m; offered until 2027-03-01\n# x")
	f.Add("a:b within 1s;shadow until 9999-12-31T23:59:59-10:00")
	f.Add("a \"\\xff\": b within 1h0m0.0s # c")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := Parse(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, line := range lines {
			if CheckName(line.Name) != nil || CheckTitle(line.Title) != nil || len(line.Rule) == 0 {
				t.Fatalf("%q", line)
			}
			for _, list := range line.Rule {
				if len(list) == 0 {
					t.Fatalf("%q", line)
				}
				for _, need := range list {
					if CheckFactor(need.Factor) != nil || CheckAge(need.Within) != nil {
						t.Fatalf("%q", line)
					}
				}
			}
			b.WriteString(line.String() + "\n")
		}
		again, err := Parse(b.String())
		if err != nil || len(again) != len(lines) {
			t.Fatalf("%q became %q: %v", text, b.String(), err)
		}
		for i := range again {
			again[i].Number = lines[i].Number
			if diff := cmp.Diff(lines[i], again[i]); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
