// Package useragent describes the browser and the system that sent a request, for lists in which
// people recognise their devices.
package useragent

import (
	"slices"
	"strings"
)

// Unknown is the description of a client that does not describe itself.
const Unknown = "Unknown device"

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

// Describe names browser and system in our own words. Nothing of the header is kept.
func Describe(userAgent string) string {
	browser, system := firstMatch(browsers, userAgent), firstMatch(systems, userAgent)
	switch {
	case browser == "" && system == "":
		return Unknown
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

// Split returns the two names that a description of Describe consists of, if there are two.
func Split(description string) (browser, system string, ok bool) {
	browser, system, ok = strings.Cut(description, " on ")
	return browser, system, ok && named(browsers, browser) && named(systems, system)
}

func named(words [][2]string, name string) bool {
	return slices.ContainsFunc(words, func(word [2]string) bool { return word[1] == name })
}
