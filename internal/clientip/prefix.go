package clientip

import "net/netip"

// Address returns the range that counts as one client: an IPv4 address, or the
// /64 of an IPv6 address, in which a client can use any address. It is invalid
// if addr is.
func Address(addr netip.Addr) netip.Prefix { return prefix(addr, 32, 64) }

// Network returns the network around an address: enough to tell home from abroad,
// and not enough to identify one person. It is the /24 of an IPv4 address and the
// /48 of an IPv6 address, and invalid if addr is.
func Network(addr netip.Addr) netip.Prefix { return prefix(addr, 24, 48) }

func prefix(addr netip.Addr, bits4, bits6 int) netip.Prefix {
	addr = canonical(addr)
	bits := bits6
	if addr.Is4() {
		bits = bits4
	}
	network, _ := addr.Prefix(bits) // fails only for more bits than addr has
	return network
}

// canonical returns the canonical form of an address: without a zone, and IPv4
// inside IPv6 as IPv4, whether mapped (RFC 4291 §2.5.5.2) or translated with
// the well-known prefix 64:ff9b::/96 (RFC 6052 §2.1).
func canonical(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	raw := addr.As16()
	translated := [12]byte{0x00, 0x64, 0xff, 0x9b}
	if [12]byte(raw[:12]) == translated {
		return netip.AddrFrom4([4]byte(raw[12:]))
	}
	return addr
}
