package token

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzEachMember holds the walk against encoding/json: what it accepts has the
// same members, with the same values, and nothing makes it panic.
func FuzzEachMember(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":"x","b":[1,"]",{"c":"}"}],"c":{"d":[{}]}}`, `{"a":"\"","b":"\\"}`, `{"a" : -1.5e3 , "b" : null }`,
		`{"a":1,"A":2}`, `{"a":1,"a":2}`, `{"ſ":1}`, `{"\u0061":1}`, `[]`, `[1]`, `"a"`, `1`, `{"a":1}{}`, `{"a":1} x`, `{"a":}`, "", "{", `{"":0}`,
		`{"a":["b","c\\"],"d":true,"e":false}`, "{\n\t\"a\"\r:\n[ ]\n}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := map[string][]byte{}
		err := eachMember(raw, func(name, value []byte) error {
			got[string(name)] = value
			_ = skipFlat(value)
			return nil
		})
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("accepted what is no object: %v", err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Errorf("%q: %s, want %s", name, got[name], value)
			}
		}
	})
}

// FuzzReadValue holds the readers against encoding/json.
func FuzzReadValue(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u0061\n"`, `""`, `1`, `-0`, `01`, `1.0`, `1e3`, `9223372036854775808`, `true`, `null`, `["a","b"]`, `[]`, `[1]`, `["a",["b"]]`, `[null]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed string) {
		value := []byte(strings.TrimSpace(seed))
		if !json.Valid(value) {
			return
		}
		var text, wantText string
		if readText(&text, value) == nil && (json.Unmarshal(value, &wantText) != nil || text != wantText) {
			t.Errorf("text %s: %q, want %q", value, text, wantText)
		}
		var number, wantNumber int64
		if readInt(&number, value) == nil && (json.Unmarshal(value, &wantNumber) != nil || number != wantNumber) {
			t.Errorf("number %s: %d, want %d", value, number, wantNumber)
		}
		var truth, wantTruth bool
		if readBool(&truth, value) == nil && (json.Unmarshal(value, &wantTruth) != nil || truth != wantTruth) {
			t.Errorf("truth %s: %v, want %v", value, truth, wantTruth)
		}
		var texts, wantTexts []string
		if readTexts(&texts, value) == nil {
			if err := json.Unmarshal(value, &wantTexts); err != nil || strings.Join(texts, "\x00") != strings.Join(wantTexts, "\x00") {
				t.Errorf("texts %s: %q, want %q", value, texts, wantTexts)
			}
		}
	})
}
