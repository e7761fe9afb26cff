//go:build containers

package containers_test

import "testing"

func TestRootWithoutItsRightsIsToldApart(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\n": true,
		"CapEff:\t00000000a80425fb\n":                           false, // what Docker leaves to root by default
		"CapEff:\t0000000000000000\n":                           false,
		"CapEff:\t0000000000001000\n":                           false, // no mounts
		"CapEff:\t0000000000200000\n":                           false, // no networks
		"CapEff:\t0000000000201000\n":                           true,
		"Name:\tx\n":                                            true, // not known to rule an engine out
	} {
		if got := mayAdminister(status); got != want {
			t.Errorf("%q: %t, want %t", status, got, want)
		}
	}
}

func TestDebian12IsToldApart(t *testing.T) {
	for release, want := range map[string]bool{
		"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n": true,
		"VERSION_CODENAME=trixie\nID=debian\n":                                                   false,
		"VERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n":                                    false,
	} {
		if got := isBookworm(release); got != want {
			t.Errorf("%q: %t, want %t", release, got, want)
		}
	}
}
