// Command geofile writes the file of countries that the tests of package geo read. Run it in tools/.
package main

import (
	"log"
	"net"
	"os"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

const target = "../geo/testdata/countries.mmdb"

func main() {
	if err := write(); err != nil {
		log.Fatal(err)
	}
}

// write uses networks for documentation, so that no address in the file is anybody's.
func write() error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Test-Country", RecordSize: 24, IncludeReservedNetworks: true, BuildEpoch: 1,
	})
	if err != nil {
		return err
	}
	for network, code := range map[string]mmdbtype.String{
		"203.0.113.0/24": "DE", "198.51.100.0/24": "FR", "2001:db8:1::/48": "DE", "198.18.0.0/16": "<b>",
	} {
		_, parsed, err := net.ParseCIDR(network)
		if err != nil {
			return err
		}
		record := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": code}}
		if err := tree.Insert(parsed, record); err != nil {
			return err
		}
	}
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	if _, err := tree.WriteTo(file); err != nil {
		return err
	}
	return file.Close()
}
