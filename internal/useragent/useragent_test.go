package useragent

import "testing"

func TestSplit(t *testing.T) {
	for description, want := range map[string][2]string{
		Describe("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"): {"Firefox", "Linux"},
		"Samsung Internet on Android": {"Samsung Internet", "Android"},
	} {
		if browser, system, ok := Split(description); !ok || browser != want[0] || system != want[1] {
			t.Errorf("%q: %q, %q, %v", description, browser, system, ok)
		}
	}
	for _, description := range []string{"", Unknown, "Firefox", "Linux", "Kettle on Linux", "Firefox on fire", "Linux on Firefox"} {
		if browser, system, ok := Split(description); ok {
			t.Errorf("%q is split into %q and %q", description, browser, system)
		}
	}
}
