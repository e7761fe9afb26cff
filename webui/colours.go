package webui

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// colour is an sRGB colour with components from 0 to 1.
type colour struct{ r, g, b float64 }

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// parseColour reads the form #rrggbb.
func parseColour(text string) (colour, error) {
	if !hexColour.MatchString(text) {
		return colour{}, fmt.Errorf("a colour is written like #1a5c48")
	}
	return mustColour(text), nil
}

func mustColour(text string) colour {
	bits, err := strconv.ParseUint(text[1:], 16, 32)
	if err != nil {
		panic(err) // callers have checked the form
	}
	return colour{float64(bits>>16) / 255, float64(bits>>8&255) / 255, float64(bits&255) / 255}
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", byte(math.Round(c.r*255)), byte(math.Round(c.g*255)), byte(math.Round(c.b*255)))
}

// towards returns the colour a share of the way to another one, rounded to what String can write, so that a contrast
// is computed for the colour that browsers show.
func (c colour) towards(other colour, share float64) colour {
	mix := func(from, to float64) float64 { return from + (to-from)*share }
	return mustColour(colour{mix(c.r, other.r), mix(c.g, other.g), mix(c.b, other.b)}.String())
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b colour) float64 {
	high, low := a.luminance(), b.luminance()
	if low > high {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// leastContrast is the smallest contrast of c with any of the others.
func leastContrast(c colour, others ...colour) float64 {
	least := math.Inf(1)
	for _, other := range others {
		least = min(least, contrast(c, other))
	}
	return least
}

// The least contrast: of text (WCAG 2.2, 1.4.3), and of edges and signs (1.4.11).
const (
	textContrast = 4.5
	signContrast = 3
)

// scheme has the colours of stepkey.css that meet the accent colour; a test compares them.
type scheme struct {
	paper, surface, sunken, ink, danger colour

	// strong is the direction in which contrast with the paper grows.
	strong colour

	// hover and soft are shares: of strong in the accent under the pointer, and of the accent in a soft ground.
	hover, soft float64
}

var (
	black = mustColour("#000000")
	white = mustColour("#ffffff")

	light = scheme{
		paper: mustColour("#faf9f6"), surface: white, sunken: mustColour("#f2f0ea"), ink: mustColour("#1b1c1a"), danger: mustColour("#a3271d"),
		strong: black, hover: 0.2, soft: 0.1,
	}
	dark = scheme{
		paper: mustColour("#131512"), surface: mustColour("#1b1e1a"), sunken: mustColour("#0e100d"), ink: mustColour("#ecede7"), danger: mustColour("#f3a197"),
		strong: white, hover: 0.25, soft: 0.15,
	}
)

// accents are the colours of stepkey.css that depend on the accent.
type accents struct{ accent, hover, on, soft, ink colour }

// readable reports the contrast of an accent that is used as text on every ground of the scheme.
func (s scheme) readable(accent colour) float64 {
	return leastContrast(accent, s.paper, s.surface, s.sunken)
}

// nearest returns the colour closest to accent that can be read in the scheme. It may be accent itself.
func (s scheme) nearest(accent colour) colour {
	return until(accent, s.strong, func(c colour) bool { return s.readable(c) >= textContrast })
}

// until moves a colour in small steps towards another one until it is good enough. The other one must be.
func until(from, to colour, good func(colour) bool) colour {
	const steps = 100
	for i := range steps {
		if c := from.towards(to, float64(i)/steps); good(c) {
			return c
		}
	}
	return to
}

// derive returns the other accents. The accent must be readable.
func (s scheme) derive(accent colour) accents {
	a := accents{accent: accent, hover: accent.towards(s.strong, s.hover), soft: s.surface.towards(accent, s.soft)}
	a.on = s.onAccent(a)
	a.ink = until(accent, s.ink, func(c colour) bool { return contrast(c, a.soft) >= textContrast })
	return a
}

// onAccent is the colour of words on buttons: white, or black with a tint of the accent. Buttons that delete have it too.
func (s scheme) onAccent(a accents) colour {
	tinted := a.accent.towards(black, 0.85)
	if leastContrast(white, a.accent, a.hover, s.danger) >= leastContrast(tinted, a.accent, a.hover, s.danger) {
		return white
	}
	return tinted
}

// css are the declarations of the accents.
func (a accents) css() string {
	return fmt.Sprintf("--accent:%s;--accent-hover:%s;--on-accent:%s;--accent-soft:%s;--accent-ink:%s", a.accent, a.hover, a.on, a.soft, a.ink)
}
