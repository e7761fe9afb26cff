package messages

// maxPreference bounds a preference that a request sent. Real ones are below 200 bytes.
const maxPreference = 1000

// Choose returns the tag of the best language for preferences, as Match does, and an empty tag if none of the
// languages matches. The result is a tag of Tags and never text of a request.
func (s *Set) Choose(preferences ...string) string {
	for _, preference := range preferences {
		if c, ok := s.Find(preference); ok {
			return c.Lang()
		}
	}
	return ""
}
