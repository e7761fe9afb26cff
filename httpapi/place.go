package httpapi

import "net/netip"

// placeAnswer is a network in terms that a page can put into words: this computer, the local network,
// a country, or just a network.
type placeAnswer struct {
	Kind    string `json:"kind"`
	Country string `json:"country,omitzero"`
}

// placeOf returns nil if the network is not known. The country is looked up when a list is read, by
// the network that is stored anyway, so a country is kept nowhere.
func (a *api) placeOf(network string) *placeAnswer {
	prefix, err := netip.ParsePrefix(network)
	if err != nil {
		return nil
	}
	addr := prefix.Addr()
	switch {
	case addr.IsLoopback() || prefix.Contains(netip.IPv6Loopback()):
		return &placeAnswer{Kind: "loopback"}
	case addr.IsPrivate() || addr.IsLinkLocalUnicast():
		return &placeAnswer{Kind: "private"}
	}
	if a.country != nil {
		if code := a.country(addr); code != "" {
			return &placeAnswer{"country", code}
		}
	}
	return &placeAnswer{Kind: "network"}
}
