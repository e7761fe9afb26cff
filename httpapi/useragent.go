package httpapi

import (
	"strings"

	"github.com/stepkey/stepkey"
)

// The first match counts. Most browsers also name the browsers that they descend from.
var (
	browsers = [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser", "Samsung Internet"},
		{"Firefox", "Firefox"},
		{"FxiOS", "Firefox"},
		{"CriOS", "Chrome"},
		{"Chrome", "Chrome"},
		{"Safari", "Safari"},
		{"curl", "curl"},
		{"Go-http-client", "Go"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"Linux", "Linux"},
	}
)

// deviceOf names browser and system in our own words. Nothing of the header is kept.
func deviceOf(userAgent string) string {
	browser, system := firstMatch(browsers, userAgent), firstMatch(systems, userAgent)
	switch {
	case browser == "" && system == "":
		return stepkey.UnknownDevice
	case browser == "":
		return system
	case system == "":
		return browser
	default:
		return browser + " on " + system
	}
}

func firstMatch(words [][2]string, text string) string {
	for _, word := range words {
		if strings.Contains(text, word[0]) {
			return word[1]
		}
	}
	return ""
}
