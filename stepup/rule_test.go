package stepup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const totp Factor = "totp"

func TestRulesAreDistributed(t *testing.T) {
	a, b := Passkey.Within(10*time.Minute), Password.Within(time.Minute)
	c, d := totp.Within(5*time.Minute), Factor("sms").Within(time.Hour)
	for _, test := range []struct {
		rule Rule
		want string
	}{
		{a, "passkey within 10m"},
		{a.Or(b.And(c)), "passkey within 10m or password within 1m and totp within 5m"},
		{a.Or(b).And(c), "passkey within 10m and totp within 5m or password within 1m and totp within 5m"},
		{c.And(a.Or(b)), "totp within 5m and passkey within 10m or totp within 5m and password within 1m"},
		{
			a.Or(b).And(c.Or(d)),
			"passkey within 10m and totp within 5m or passkey within 10m and sms within 1h or password within 1m and totp within 5m or password within 1m and sms within 1h",
		},
		{a.And(Passkey.Within(time.Minute)), "passkey within 1m"},
		{Passkey.Within(time.Minute).And(a), "passkey within 1m"},
		{Rule{}.Or(a), "passkey within 10m"},
		{Rule{}.And(a), ""},
		{a.And(nil), ""},
	} {
		if got := test.rule.String(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestOperandsStayAsTheyAre(t *testing.T) {
	a, b := Passkey.Within(time.Hour).And(totp.Within(time.Hour)), Passkey.Within(time.Minute)
	before := a.String() + b.String()
	or, and := a.Or(b), a.And(b)
	or[0][0].Within, or[1][0].Within, and[0][0].Within = 1, 1, 1
	if after := a.String() + b.String(); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

// And and Or cannot return an error, and a rule that a program puts together must not
// take all memory before New refuses it.
func TestRulesStayBounded(t *testing.T) {
	pair := Passkey.Within(time.Minute).Or(totp.Within(time.Minute))
	wide, long := pair, Factor("f").Within(time.Minute)
	for i := range 100 {
		wide = wide.And(Factor("f" + strings.Repeat("a", i%30)).Within(time.Minute).Or(Factor("g" + strings.Repeat("a", i%30)).Within(time.Minute)))
		long = long.And(Factor("f" + strings.Repeat("a", i%30)).Within(time.Minute))
		if len(wide) > maxAlternatives+1 || len(long[0]) > maxNeeds+1 || len(wide[0]) > maxNeeds+1 {
			t.Fatalf("%d alternatives, %d needs", len(wide), len(long[0]))
		}
	}
	either := Rule(nil)
	for range 100 {
		either = either.Or(pair)
		if len(either) > maxAlternatives+1 {
			t.Fatalf("%d alternatives", len(either))
		}
	}
	for _, rule := range []Rule{wide, long, either} {
		if rule.check() == nil {
			t.Errorf("%s was accepted", rule)
		}
	}
}

func TestRuleChecks(t *testing.T) {
	var eight, sixteen Rule
	for i := range 16 {
		need := Factor(strings.Repeat("f", i+1)).Within(time.Minute)
		sixteen = sixteen.Or(need)
		if i == 0 {
			eight = need
		} else if i < 8 {
			eight = eight.And(need)
		}
	}
	for _, test := range []struct {
		name string
		rule Rule
		want string // part of the error; "" if there is none
	}{
		{"sixteen alternatives", sixteen, ""},
		{"seventeen", sixteen.Or(Passkey.Within(time.Minute)), "more than 16 alternatives"},
		{"eight needs", eight, ""},
		{"nine", eight.And(Passkey.Within(time.Minute)), "more than 8 needs"},
		{"zero", nil, "the rule is empty: write for example"},
		{"without a list", Rule{}, "the rule is empty"},
		{"an alternative that always holds", Rule{{{Passkey, time.Minute}}, {}}, "every request would meet it"},
		{"twelve hours", Passkey.Within(12 * time.Hour), ""},
		{"more than twelve hours", Passkey.Within(12*time.Hour + time.Second), "at most 12h is possible"},
		{"of a password", Password.Within(24 * time.Hour), ""},
		{"no age", Passkey.Within(0), "out of range"},
		{"a negative age", Password.Within(-time.Minute).And(Password.Within(time.Minute)), "out of range"},
		{"more than a year", Password.Within(1 << 62), "out of range"},
		{"a factor without a name", Factor("").Within(time.Minute), "not a factor"},
		{"one factor twice", Rule{{{totp, time.Minute}, {totp, time.Hour}}}, "totp twice: keep the shorter age"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.rule.check()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// The clock table: which proofs count at noon.
func TestClock(t *testing.T) {
	rule := Passkey.Within(10 * time.Minute)
	need := rule[0]
	for _, test := range []struct {
		name             string
		at               time.Time
		missing, expired []Need
	}{
		{"now", noon, nil, nil},
		{"at the limit", noon.Add(-10 * time.Minute), nil, nil},
		{"over the limit", noon.Add(-10*time.Minute - time.Nanosecond), nil, need},
		{"years ago", time.Unix(0, 0), nil, need},
		{"never", time.Time{}, need, nil},
		{"5 s ahead", noon.Add(5 * time.Second), nil, nil},
		{"more than 5 s ahead", noon.Add(5*time.Second + time.Nanosecond), need, nil},
		{"the clock was set back by an hour", noon.Add(time.Hour), need, nil},
		{"in another millennium", time.Unix(1<<40, 0), need, nil},
		{"in another time zone", noon.In(time.FixedZone("", 3600)), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok, missing, expired := rule.evaluate(noon, []Proof{{Factor: Passkey, At: test.at}})
			if want := test.missing == nil && test.expired == nil; ok != want || !slices.Equal(missing, test.missing) || !slices.Equal(expired, test.expired) {
				t.Errorf("%v, missing %v, expired %v", ok, missing, expired)
			}
		})
	}
}

func TestEvaluation(t *testing.T) {
	rule := Passkey.Within(10 * time.Minute).Or(Password.Within(time.Minute).And(totp.Within(5 * time.Minute)))
	passkey, password, code := rule[0][0], rule[1][0], rule[1][1]
	proof := func(factor Factor, ago time.Duration) Proof { return Proof{Factor: factor, At: noon.Add(-ago)} }
	for _, test := range []struct {
		name             string
		rule             Rule
		proofs           []Proof
		ok               bool
		missing, expired []Need
	}{
		{"no proofs", rule, nil, false, []Need{passkey, password, code}, nil},
		{"the first alternative", rule, []Proof{proof(Passkey, time.Minute)}, true, nil, nil},
		{"the second", rule, []Proof{proof(totp, time.Minute), proof(Password, time.Second)}, true, nil, nil},
		{"half of the second", rule, []Proof{proof(totp, time.Minute)}, false, []Need{passkey, password}, nil},
		{"one need expired", rule, []Proof{proof(totp, time.Minute), proof(Password, time.Hour)}, false, []Need{passkey}, []Need{password}},
		{"the newest proof counts", rule, []Proof{proof(Passkey, time.Hour), proof(Passkey, time.Minute), proof(Passkey, 2*time.Hour)}, true, nil, nil},
		{"one from the future hides none", rule, []Proof{proof(Passkey, time.Minute), proof(Passkey, -time.Hour)}, true, nil, nil},
		{"a need of two alternatives is told once", rule.And(Factor("sms").Within(time.Hour)), nil, false, []Need{passkey, {"sms", time.Hour}, password, code}, nil},
		{"two ages of one factor", Passkey.Within(time.Minute).And(totp.Within(time.Hour)).Or(Passkey.Within(5 * time.Minute)), []Proof{proof(Passkey, 2*time.Minute), proof(totp, time.Hour)}, true, nil, nil},
		{"the zero rule", nil, []Proof{proof(Passkey, 0)}, false, nil, nil},
		{"an empty alternative", Rule{{}}, []Proof{proof(Passkey, 0)}, false, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok, missing, expired := test.rule.evaluate(noon, test.proofs)
			if ok != test.ok || !slices.Equal(missing, test.missing) || !slices.Equal(expired, test.expired) {
				t.Errorf("%v, missing %v, expired %v", ok, missing, expired)
			}
		})
	}
}

// drawRule draws a rule that check accepts.
func drawRule(rt *rapid.T, label string) Rule {
	need := rapid.Custom(func(rt *rapid.T) Need {
		return Need{
			Factor: rapid.SampledFrom([]Factor{Passkey, Password, totp, "a-1"}).Draw(rt, "factor"),
			Within: time.Duration(rapid.IntRange(1, 12*3600).Draw(rt, "seconds")) * time.Second,
		}
	})
	list := rapid.SliceOfNDistinct(need, 1, 3, func(n Need) Factor { return n.Factor })
	return rapid.SliceOfN(list, 1, 3).Draw(rt, label)
}

// And and Or mean what they say, whatever the proofs.
func TestAndOrModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := drawRule(rt, "a"), drawRule(rt, "b")
		var proofs []Proof
		for _, factor := range []Factor{Passkey, Password, totp, "a-1"} {
			if rapid.Bool().Draw(rt, "proved") {
				proofs = append(proofs, Proof{Factor: factor, At: noon.Add(-time.Duration(rapid.IntRange(0, 12*3600).Draw(rt, "ago")) * time.Second)})
			}
		}
		holds := func(r Rule) bool { ok, _, _ := r.evaluate(noon, proofs); return ok }
		if holds(a.And(b)) != (holds(a) && holds(b)) || holds(a.Or(b)) != (holds(a) || holds(b)) {
			rt.Fatalf("%s; %s; %v", a, b, proofs)
		}
		if err := a.And(b).check(); err != nil {
			rt.Fatal(err)
		}
		if ok, missing, expired := a.evaluate(noon, proofs); ok == (len(missing)+len(expired) > 0) {
			rt.Fatalf("%v with %v, %v", ok, missing, expired)
		}
	})
}

func TestNeededError(t *testing.T) {
	for _, test := range []struct {
		err  NeededError
		want string
	}{
		{
			NeededError{Purpose: "payout", Missing: []Need{{Passkey, 10 * time.Minute}, {totp, 5 * time.Minute}}, Expired: []Need{{Password, time.Minute}}, NoPasskey: true},
			"stepup: payout needs a verification: passkey within 10m is missing; totp within 5m is missing; password within 1m has expired; the user has no passkey",
		},
		{NeededError{Purpose: "payout", Expired: []Need{{Passkey, 90 * time.Second}}}, "stepup: payout needs a verification: passkey within 1m30s has expired"},
		{NeededError{Purpose: "payout"}, "stepup: payout needs a verification"},
	} {
		if diff := cmp.Diff(test.want, test.err.Error()); diff != "" {
			t.Error(diff)
		}
	}
}
