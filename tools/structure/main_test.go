package main

import (
	"strings"
	"testing"
)

// The table has a row for each package that can be imported, and for no other.
func TestTable(t *testing.T) {
	var out strings.Builder
	if err := run(&out, "../..", false); err != nil {
		t.Fatal(err)
	}
	table := out.String()
	for _, want := range []string{"| `(root)` |", "| `guard` |", "| `token` |", "| `sqlstore` |", "| `httpapi` |"} {
		if !strings.Contains(table, want) {
			t.Errorf("no row %s in\n%s", want, table)
		}
	}
	for _, unwanted := range []string{"internal/", "cmd/"} {
		if strings.Contains(table, unwanted) {
			t.Errorf("a row of %s in\n%s", unwanted, table)
		}
	}
}
