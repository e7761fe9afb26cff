package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

// drawn is what an image has.
type drawn struct {
	classes     map[string]int
	widths      []float64 // of bars, in their order
	title, desc string
	text        string
}

// readSVG parses an image, which fails if it is not XML.
func readSVG(t *testing.T, image string) drawn {
	t.Helper()
	d := drawn{classes: map[string]int{}}
	decoder, within := xml.NewDecoder(strings.NewReader(image)), ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, image)
		}
		switch token := token.(type) {
		case xml.StartElement:
			within = token.Name.Local
			if within == "svg" && token.Name.Space != "http://www.w3.org/2000/svg" {
				t.Errorf("namespace %q", token.Name.Space)
			}
			attributes := map[string]string{}
			for _, a := range token.Attr {
				attributes[a.Name.Local] = a.Value
			}
			d.classes[attributes["class"]]++
			if class := attributes["class"]; class == "bar" || class == "bar other" {
				width, err := strconv.ParseFloat(attributes["width"], 64)
				if err != nil || width < 0 || width > barsWidth {
					t.Errorf("a bar has the width %q", attributes["width"])
				}
				d.widths = append(d.widths, width)
			}
		case xml.EndElement:
			within = ""
		case xml.CharData:
			switch within {
			case "title":
				d.title += string(token)
			case "desc":
				d.desc += string(token)
			case "text":
				d.text += string(token) + "\n"
			}
		}
	}
}

func TestRatioPlotHasABarForEachRow(t *testing.T) {
	s := sample{ours: []time.Duration{20, 30, 40}, bare: []time.Duration{20, 20, 20}}
	image, err := ratioPlot("guarded", "Routes & <logins>", []bar{
		ratioBar("GET /users/profile", s, goal{most: 1.25}), ratioBar("a < b", s, goal{}), ratioBar("introspection", s, goal{least: 1150}),
	}).svg()
	if err != nil {
		t.Fatal(err)
	}
	d := readSVG(t, image)
	if len(d.widths) != 3 || d.classes["spread"] != 3 || d.classes["goal"] != 1 {
		t.Errorf("%d bars, %d spreads, %d goals, want 3, 3, 1", len(d.widths), d.classes["spread"], d.classes["goal"])
	}
	if d.widths[0] != 0.75*barsWidth { // 1.5 of 2, which is the greatest
		t.Errorf("the bar of 1.5 has the width %v of %d", d.widths[0], barsWidth)
	}
	if d.title != "Routes & <logins>" || !strings.Contains(d.desc, "GET /users/profile: 1.50 (1.00–2.00), goal 1.25; a < b: 1.50") {
		t.Errorf("title %q, description %q", d.title, d.desc)
	}
	if !strings.Contains(d.text, "\na < b\n") || !strings.Contains(d.text, "\n1.50 (1.00–2.00)\n") {
		t.Errorf("texts %q", d.text)
	}
	if !strings.Contains(image, "prefers-color-scheme: dark") {
		t.Error("the image has no colours for the dark")
	}
}

func TestOriginalPlotIsLogarithmic(t *testing.T) {
	on := setup{database: "PostgreSQL", tokens: "HS256"}
	var costs []cost
	for _, operation := range []string{guardedRoute, steppedUp, loggedIn, refreshed} {
		costs = append(costs,
			cost{setup: on, operation: operation, sample: sample{ours: []time.Duration{20 * time.Millisecond}, bare: []time.Duration{2 * time.Millisecond}}},
			cost{setup: setup{database: "SQLite", tokens: "HS256"}, operation: operation})
	}
	comings := []start{{setup: on, again: spreadOf([]time.Duration{100 * time.Millisecond}), resident: spreadOf([]int{25_000_000})}}
	image, err := originalPlot(costs, comings).svg()
	if err != nil {
		t.Fatal(err)
	}
	d := readSVG(t, image)
	if d.classes["bar"] != 5 || d.classes["bar other"] != 5 {
		t.Fatalf("%d bars of ours and %d of the original, want 5 of each", d.classes["bar"], d.classes["bar other"])
	}
	if got := d.widths[0]; got != barsWidth/4 { // 10 of a scale from 1 to 10 000
		t.Errorf("the bar of 10 has the width %v of %d", got, barsWidth)
	}
	for _, text := range []string{"24 times bare", "140–160 times bare", "213 ms (bcrypt 12)", "100 MB", "2 500 ms", "10.00 times bare", "25 MB"} {
		if !strings.Contains(d.text, text) {
			t.Errorf("no %q in %q", text, d.text)
		}
	}
}

func TestStepsOfTheScale(t *testing.T) {
	for greatest, want := range map[float64]float64{1: 0.25, 1.3: 0.25, 2: 0.25, 2.1: 0.5, 26: 5, 150: 25} {
		if got := stepOf(greatest); got != want {
			t.Errorf("up to %v: steps of %v, want %v", greatest, got, want)
		}
	}
}
