// Package geo finds the country of an address in a file of the MaxMind DB format, such as GeoLite2
// Country, DB-IP Country Lite or any other file whose records have country.iso_code. Nothing is sent
// anywhere.
package geo

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Countries is a file that was read. It is safe for concurrent use.
type Countries struct{ reader *maxminddb.Reader }

// Open reads the file into memory, some 10 MB. A newer file in its place is read at the next start; the
// file is not mapped, because overwriting a mapped file ends the process.
func Open(path string) (*Countries, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("geo: %w", err)
	}
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, fmt.Errorf("geo: %s is not a file in the MaxMind DB format (.mmdb): %w", path, err)
	}
	return &Countries{reader}, nil
}

// Of returns the country of an address as a code of two letters (ISO 3166-1), or "" if it is not known.
func (c *Countries) Of(addr netip.Addr) string {
	var code string
	if err := c.reader.Lookup(addr).DecodePath(&code, "country", "iso_code"); err != nil || !isCode(code) {
		return ""
	}
	return code
}

// isCode keeps what a damaged or unusual file contains out of answers.
func isCode(text string) bool {
	return len(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z'
}
