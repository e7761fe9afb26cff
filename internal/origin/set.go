package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Set is the origins of a relying party, as the fields of stepkey.Config with the same
// names, which its errors name.
type Set struct {
	RPID           string
	Origins        []string // at least one
	RelatedOrigins []string
	AppOrigins     []string
}

// Check returns an error with everything that is wrong in the set and how to fix
// it.
func (s Set) Check() error { return errors.Join(s.checkRPID(), s.checkOrigins()) }

func (s Set) checkRPID() error {
	if _, err := netip.ParseAddr(strings.Trim(s.RPID, "[]")); err == nil {
		return fmt.Errorf("Config.RPID is the IP address %s, and passkeys belong to a domain name: "+
			"use localhost for trying it out, or give the host a name", s.RPID)
	}
	if s.RPID != strings.ToLower(s.RPID) || strings.ContainsAny(s.RPID, ":/@ ") {
		return fmt.Errorf("Config.RPID %q is not a plain domain name: "+
			"write it in lower case, without scheme, port or path", s.RPID)
	}
	return nil
}

func (s Set) checkOrigins() error {
	if isApp(s.Origins[0]) {
		return errors.New("Config.Origins begins with an app: put the origin of a page first, which the tokens name as their issuer")
	}
	var faults []error
	for _, origin := range s.Origins {
		faults = append(faults, s.checkOrigin(origin))
	}
	for _, origin := range s.AppOrigins {
		faults = append(faults, s.checkAppOrigin(origin))
	}
	for _, origin := range s.RelatedOrigins {
		faults = append(faults, s.checkRelatedOrigin(origin))
	}
	return errors.Join(faults...)
}

func (s Set) checkOrigin(origin string) error {
	if isApp(origin) {
		return checkAndroid("Config.Origins", origin)
	}
	u, err := Parse("Config.Origins", origin)
	if err != nil {
		return err
	}
	if !Secure(u) {
		return fmt.Errorf("Config.Origins %s is plain http, and browsers allow passkeys only over https: "+
			"use https://%s, or http://localhost for trying it out", origin, u.Host)
	}
	if host := u.Hostname(); !within(host, s.RPID) {
		return fmt.Errorf("Config.RPID %s is neither the host of Config.Origins %s nor a parent domain of it: "+
			"set Config.RPID to %s, or list the origin in Config.RelatedOrigins", s.RPID, origin, host)
	}
	return nil
}

// checkAppOrigin also refuses an origin that is in Config.Origins: whether it gets
// cookies must not depend on which of the two lists is read.
func (s Set) checkAppOrigin(origin string) error {
	switch {
	case slices.Contains(s.Origins, origin):
		return fmt.Errorf("Config.AppOrigins has %s, which Config.Origins has as well: remove it from one of the two", origin)
	case isApp(origin):
		return checkAndroid("Config.AppOrigins", origin)
	}
	u, err := Parse("Config.AppOrigins", origin)
	if err != nil {
		return err
	}
	if u.Scheme != "https" || !within(u.Hostname(), s.RPID) {
		return fmt.Errorf("Config.AppOrigins has %s, which no app uses with passkeys of %s: "+
			"an iOS app uses https://%[2]s, and an Android app %[3]s…", origin, s.RPID, android)
	}
	return nil
}

func (s Set) checkRelatedOrigin(origin string) error {
	u, err := Parse("Config.RelatedOrigins", origin)
	if err != nil {
		return err
	}
	host := u.Hostname()
	_, notAddress := netip.ParseAddr(host)
	switch {
	case isLocalhost(s.RPID):
		return fmt.Errorf("Config.RelatedOrigins is set, and browsers would ask https://%s/.well-known/webauthn for them: "+
			"give the service a domain name, or remove the setting", s.RPID)
	case u.Scheme != "https" || notAddress == nil:
		return fmt.Errorf("Config.RelatedOrigins has %s, and browsers allow passkeys there only over https and by name: "+
			"write it like https://app.example.net", origin)
	case within(host, s.RPID):
		return fmt.Errorf("Config.RelatedOrigins has %s, which belongs to Config.RPID %s anyway: list it in Config.Origins", origin, s.RPID)
	default:
		return nil
	}
}

// Pages returns the origins of pages, related ones too, without those of apps.
func (s Set) Pages() []string {
	var pages []string
	for _, origin := range s.Origins {
		if !isApp(origin) {
			pages = append(pages, origin)
		}
	}
	return append(pages, s.RelatedOrigins...)
}

// All returns every origin from which passkeys work.
func (s Set) All() []string { return slices.Concat(s.Origins, s.RelatedOrigins, s.AppOrigins) }

// OnlyLocalhost reports whether only this machine can use the service. Apps run on
// other devices.
func (s Set) OnlyLocalhost() bool {
	for _, origin := range slices.Concat(s.Origins, s.AppOrigins) {
		if !isLocalhost(Host(origin)) {
			return false
		}
	}
	return true
}
