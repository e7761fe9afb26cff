package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/pgtest"
)

// A population has rows that the service could have written, and its users can do everything.
func TestPopulationIsLikeThatOfTheService(t *testing.T) {
	dir := t.TempDir()
	binary, err := build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := pgtest.Start(t.Context(), pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, s := range setups(postgres) {
		if s.tokens != "ES256" {
			continue
		}
		t.Run(s.database, func(t *testing.T) {
			const size = people * visitorsEach
			town, err := s.found(t.Context(), binary, dir, size)
			if err != nil {
				t.Fatal(err)
			}
			checkCopies(t, town)
			if err := town.open(t.Context(), binary, dir); err != nil {
				t.Fatal(err)
			}
			defer town.service.stop()
			town.invite(1)
			for _, v := range visits {
				if _, err := town.measure(t.Context(), v); err != nil {
					t.Errorf("%s: %v", v.name, err)
				}
			}
		})
	}
}

// checkCopies compares the rows of the population with those of the template: types, what is NULL, and the
// lengths of texts and bytes.
func checkCopies(t *testing.T, town *town) {
	t.Helper()
	db, err := openBulk(context.Background(), town.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	for _, original := range town.template.tables {
		all, err := db.read(t.Context(), original.name)
		if err != nil {
			t.Fatal(err)
		}
		if want := len(original.rows) * (1 + town.size); len(all.rows) != want {
			t.Errorf("%s: %d rows, want %d", original.name, len(all.rows), want)
		}
		want := forms(original)
		for form := range want {
			want[form] *= 1 + town.size
		}
		if got := forms(all); !maps.Equal(got, want) {
			t.Errorf("%s: rows are of the forms\n%v\nwant\n%v", original.name, got, want)
		}
	}
}

// forms counts the rows of each form.
func forms(table templateTable) map[string]int {
	counts := make(map[string]int)
	for _, row := range table.rows {
		var form strings.Builder
		for _, value := range row {
			fmt.Fprintf(&form, " %T", value)
			switch value := value.(type) {
			case string:
				fmt.Fprint(&form, len(value))
			case []byte:
				fmt.Fprint(&form, len(value))
			}
		}
		counts[form.String()]++
	}
	return counts
}

func TestSizesAreRefused(t *testing.T) {
	for _, list := range []string{"", "1", "1000,", "1e6", "1000000000"} {
		if sizes, err := parseSizes(list); err == nil {
			t.Errorf("%q: %v, want an error", list, sizes)
		}
	}
	if sizes, err := parseSizes("100000,1000"); err != nil || fmt.Sprint(sizes) != "[1000 100000]" {
		t.Errorf("%v, %v", sizes, err)
	}
}
