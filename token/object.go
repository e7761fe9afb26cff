package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// maxMembers bounds the members of an object. An access token has 19 and
// its own claims.
const maxMembers = 64

var (
	errNotObject      = errors.New("not one JSON object")
	errMemberName     = errors.New("member name that is not plain ASCII")
	errMemberTwice    = errors.New("member named twice")
	errTooManyMembers = errors.New("too many members")
	errValue          = errors.New("member of the wrong kind")
)

// eachMember calls visit with the name and the JSON text of every member of the
// JSON object raw.
//
// It refuses input that encoding/json accepts silently and other parsers read
// differently: a member named twice in any case, names with escapes or letters
// outside ASCII (ſub would match sub), and anything after the object. visit
// should compare names exactly and ignore unknown ones.
func eachMember(raw []byte, visit func(name, value []byte) error) error {
	if !json.Valid(raw) {
		return errNotObject
	}
	return eachValidMember(raw, visit)
}

// eachValidMember requires valid JSON, so it can look for the end of a value
// without parsing it.
func eachValidMember(raw []byte, visit func(name, value []byte) error) error {
	rest := trimLeft(raw)
	if rest[0] != '{' {
		return errNotObject
	}
	var seen [maxMembers][]byte
	count := 0
	for rest = trimLeft(rest[1:]); rest[0] != '}'; count++ {
		if rest[0] == ',' {
			rest = trimLeft(rest[1:])
		}
		end := valueEnd(rest)
		name := rest[1 : end-1]
		if err := checkName(name, seen[:count]); err != nil {
			return err
		}
		seen[count] = name
		rest = trimLeft(trimLeft(rest[end:])[1:]) // the colon
		end = valueEnd(rest)
		if err := visit(name, rest[:end]); err != nil {
			return err
		}
		rest = trimLeft(rest[end:])
	}
	return nil
}

func checkName(name []byte, seen [][]byte) error {
	if len(seen) == maxMembers {
		return errTooManyMembers
	}
	for _, c := range name {
		if c == '\\' || c >= utf8.RuneSelf {
			return errMemberName
		}
	}
	for _, other := range seen {
		if len(other) == len(name) && bytes.EqualFold(other, name) {
			return errMemberTwice
		}
	}
	return nil
}

// eachElement calls visit with the JSON text of every element of the array
// value, which must be valid JSON.
func eachElement(value []byte, visit func(element []byte) error) error {
	if value[0] != '[' {
		return errValue
	}
	for rest := trimLeft(value[1:]); rest[0] != ']'; {
		if rest[0] == ',' {
			rest = trimLeft(rest[1:])
		}
		end := valueEnd(rest)
		if err := visit(rest[:end]); err != nil {
			return err
		}
		rest = trimLeft(rest[end:])
	}
	return nil
}

// valueEnd returns the length of the JSON value at the start of text.
func valueEnd(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return i + 1
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i // the end of the array or object that holds a bare number or word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || isSpace(c)):
			return i
		}
	}
	return len(text)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimLeft(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	return text
}

// The functions below read one value. A null is treated as a missing member.

func isNull(value []byte) bool { return value[0] == 'n' }

func readText(to *string, value []byte) error {
	switch {
	case isNull(value):
		return nil
	case value[0] != '"' || !utf8.Valid(value):
		return errValue
	case bytes.IndexByte(value, '\\') >= 0:
		return json.Unmarshal(value, to)
	}
	*to = string(value[1 : len(value)-1])
	return nil
}

func readInt(to *int64, value []byte) error {
	if isNull(value) {
		return nil
	}
	number, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return errValue
	}
	*to = number
	return nil
}

func readBool(to *bool, value []byte) error {
	switch string(value) {
	case "true":
		*to = true
	case "false", "null":
	default:
		return errValue
	}
	return nil
}

func readTexts(to *[]string, value []byte) error {
	if isNull(value) {
		return nil
	}
	texts := make([]string, 0, min(1+bytes.Count(value, []byte{','}), 8))
	err := eachElement(value, func(element []byte) error {
		if element[0] != '"' {
			return errValue
		}
		texts = append(texts, "")
		return readText(&texts[len(texts)-1], element)
	})
	*to = texts
	return err
}

// skipFlat skips the value of an unknown member. Claims are flat except for
// arrays, so deeper nesting is refused.
func skipFlat(value []byte) error {
	if value[0] == '{' {
		return errValue
	}
	if value[0] != '[' {
		return nil
	}
	return eachElement(value, func(element []byte) error {
		if element[0] == '{' || element[0] == '[' {
			return errValue
		}
		return nil
	})
}
