package token

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// byReflection encodes claims as encoding/json does from the tags of the struct.
func byReflection(c Claims) ([]byte, error) {
	type members Claims // without MarshalJSON
	object, err := json.Marshal(members(c))
	if err != nil {
		return nil, err
	}
	return appendOwn(object, c.OwnClaims)
}

// The encoder is written out, so each claim, with any content, has to come out as the library
// writes it. Reflection fills in fields that are added later.
func TestClaimsAreEncodedAsTheLibraryDoes(t *testing.T) {
	text := rapid.OneOf(
		rapid.StringMatching(`[ -~]{0,12}`), rapid.String(),
		rapid.SampledFrom([]string{"", "a<b>&c", `"\`, "\u2028\u2029", "\xff", "\x7f", "a\xc3", "ß", "\x00\n"}),
	)
	texts := rapid.OneOf(rapid.Just[[]string](nil), rapid.SliceOfN(text, 0, 3))
	number := rapid.OneOf(rapid.Just[int64](0), rapid.Int64())
	rapid.Check(t, func(rt *rapid.T) {
		var c Claims
		fields := reflect.ValueOf(&c).Elem()
		for i := range fields.NumField() {
			field, name := fields.Field(i), fields.Type().Field(i).Name
			switch field.Kind() {
			case reflect.String:
				field.SetString(text.Draw(rt, name))
			case reflect.Int64:
				field.SetInt(number.Draw(rt, name))
			case reflect.Bool:
				field.SetBool(rapid.Bool().Draw(rt, name))
			case reflect.Slice:
				field.Set(reflect.ValueOf(texts.Draw(rt, name)).Convert(field.Type()))
			case reflect.Map:
				field.Set(reflect.ValueOf(rapid.MapOfN(rapid.StringMatching(`[a-z]{4,8}_x`), text, 0, 3).Draw(rt, name)))
			default:
				rt.Fatalf("the test cannot fill in %s", name)
			}
		}
		got, err1 := c.MarshalJSON()
		want, err2 := byReflection(c)
		if (err1 == nil) != (err2 == nil) || string(got) != string(want) {
			rt.Fatalf("%s, %v\nwant\n%s, %v", got, err1, want, err2)
		}
	})
}
