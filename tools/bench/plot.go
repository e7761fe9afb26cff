package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	texttemplate "text/template"
)

// bar is one row of a plot.
type bar struct {
	label, value string
	length       float64
	least, most  float64 // ends of the thin line, both 0 for none
	goal         float64 // where the tick is, 0 for none
	other        bool    // not ours
}

// plot is bars on one scale, as an image for a document.
type plot struct {
	name  string // of the file: performance-NAME.svg
	title string
	hint  string // how to read it
	bars  []bar
	log   bool // a logarithmic scale, which begins with 1
}

// ratioPlot shows the ratios of rows.
func ratioPlot(name, title string, bars []bar) plot {
	return plot{
		name: name, title: title, bars: bars,
		hint: "CPU time as a multiple of the yardstick: median, least to most as a thin line, the goal as a tick. Less is better.",
	}
}

// ratioBar is the bar of a row.
func ratioBar(label string, s sample, g goal) bar {
	r := spreadOf(s.ratios())
	return bar{label: label, value: ratio(r), length: r.median, least: r.least, most: r.most, goal: g.most}
}

func (p plot) file() string { return "performance-" + p.name + ".svg" }

// markdown embeds the image in a document beside its folder.
func (p plot) markdown() string { return fmt.Sprintf("![%s](images/%s)\n", p.title, p.file()) }

// Measures of an image, in its own units.
const (
	plotWidth = 960
	barsAt    = 380 // where bars begin
	barsWidth = 380
	barsTop   = 70
	rowHeight = 26
)

// svg draws the plot.
func (p plot) svg() (string, error) {
	position, marks := p.scale()
	x := func(value float64) string { return strconv.FormatFloat(barsAt+barsWidth*position(value), 'f', 1, 64) }
	type tick struct{ X, Text string }
	type row struct {
		Label, Value, Class, Width string
		Y, Middle, Top, Bottom     int
		Least, Most, Goal          string
	}
	drawing := struct {
		Title, Hint, Description                   string
		Width, Height, BarsAt, ValuesAt, Top, Foot int
		Ticks                                      []tick
		Rows                                       []row
	}{
		Title: p.title, Hint: p.hint, Description: p.description(),
		Width: plotWidth, BarsAt: barsAt, ValuesAt: barsAt + barsWidth + 12, Top: barsTop - 6, Foot: barsTop + rowHeight*len(p.bars),
	}
	drawing.Height = drawing.Foot + 34
	for _, mark := range marks {
		drawing.Ticks = append(drawing.Ticks, tick{x(mark), strconv.FormatFloat(mark, 'f', -1, 64)})
	}
	for i, b := range p.bars {
		y := barsTop + rowHeight*i
		r := row{Label: b.label, Value: b.value, Class: "bar", Y: y + 4, Middle: y + rowHeight/2, Top: y + 1, Bottom: y + rowHeight - 1}
		r.Width = strconv.FormatFloat(barsWidth*position(b.length), 'f', 1, 64)
		if b.other {
			r.Class = "bar other"
		}
		if b.most > 0 {
			r.Least, r.Most = x(b.least), x(b.most)
		}
		if b.goal > 0 {
			r.Goal = x(b.goal)
		}
		drawing.Rows = append(drawing.Rows, r)
	}
	var b strings.Builder
	err := plotTemplate.Execute(&b, drawing)
	return b.String(), err
}

// scale returns where a value is, from 0 to 1, and the values to write below the bars.
func (p plot) scale() (position func(float64) float64, marks []float64) {
	greatest := 1.0
	for _, b := range p.bars {
		greatest = max(greatest, b.length, b.most, b.goal)
	}
	if p.log {
		decades := math.Ceil(math.Log10(greatest))
		for n := range int(decades) + 1 {
			marks = append(marks, math.Pow10(n))
		}
		return func(value float64) float64 { return max(0, math.Log10(max(value, 1))/max(decades, 1)) }, marks
	}
	step := stepOf(greatest)
	end := step * math.Ceil(greatest/step)
	for n := 0; float64(n)*step <= end; n++ {
		marks = append(marks, float64(n)*step)
	}
	return func(value float64) float64 { return value / end }, marks
}

// stepOf is the distance between at most eight marks up to a value.
func stepOf(greatest float64) float64 {
	for decade := 0.01; ; decade *= 10 {
		for _, step := range []float64{1, 2.5, 5} {
			if greatest/(step*decade) <= 8 {
				return step * decade
			}
		}
	}
}

// description says in words what the bars show.
func (p plot) description() string {
	said := make([]string, len(p.bars))
	for i, b := range p.bars {
		said[i] = b.label + ": " + b.value
		if b.goal > 0 {
			said[i] += ", goal " + strconv.FormatFloat(b.goal, 'f', -1, 64)
		}
	}
	return strings.Join(said, "; ") + "."
}

// plotTemplate has a background of its own, because a page may be dark where the system is light.
var plotTemplate = texttemplate.Must(texttemplate.New("plot").Funcs(texttemplate.FuncMap{"text": xmlText}).Parse(
	`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description" width="{{.Width}}" height="{{.Height}}" viewBox="0 0 {{.Width}} {{.Height}}">
<title id="title">{{text .Title}}</title>
<desc id="description">{{text .Description}}</desc>
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.heading { font-size: 16px; font-weight: 600 }
.hint, .mark { font-size: 12px; fill: #59636e }
.card { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.bar { fill: #4a7fc1 }
.other { fill: #9a6b1f }
.spread { stroke: #1f2328; stroke-width: 1.5 }
.goal { stroke: #c4320a; stroke-width: 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.hint, .mark { fill: #9da7b3 }
.card { fill: #0d1117 }
.grid { stroke: #30363d }
.bar { fill: #3f74b8 }
.other { fill: #b98a3e }
.spread { stroke: #e6edf3 }
.goal { stroke: #ff8a5c }
}
</style>
<rect class="card" width="{{.Width}}" height="{{.Height}}" rx="8"/>
<text class="heading" x="16" y="28">{{text .Title}}</text>
<text class="hint" x="16" y="48">{{text .Hint}}</text>
{{range .Ticks}}<line class="grid" x1="{{.X}}" x2="{{.X}}" y1="{{$.Top}}" y2="{{$.Foot}}"/>
<text class="mark" x="{{.X}}" y="{{$.Foot}}" dy="18" text-anchor="middle">{{.Text}}</text>
{{end}}{{range .Rows}}<text x="{{$.BarsAt}}" dx="-10" y="{{.Middle}}" dy="4" text-anchor="end">{{text .Label}}</text>
<rect class="{{.Class}}" x="{{$.BarsAt}}" y="{{.Y}}" width="{{.Width}}" height="18"/>
{{if .Most}}<line class="spread" x1="{{.Least}}" x2="{{.Most}}" y1="{{.Middle}}" y2="{{.Middle}}"/>
{{end}}{{if .Goal}}<line class="goal" x1="{{.Goal}}" x2="{{.Goal}}" y1="{{.Top}}" y2="{{.Bottom}}"/>
{{end}}<text x="{{$.ValuesAt}}" y="{{.Middle}}" dy="4">{{text .Value}}</text>
{{end}}</svg>
`))

// xmlText escapes text for an XML element.
func xmlText(text string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(text))
	return b.String(), err
}
