package main

import "fmt"

// originalPlot shows the figures of the original beside ours. They were measured the same way, with PostgreSQL, before this
// program could write a report; docs/performance.md tells them in words. Ours are those of PostgreSQL with HS256.
func originalPlot(costs []cost, comings []start) plot {
	p := plot{
		name: "original", title: "Stepkey beside the original, on PostgreSQL", log: true,
		hint: "Stepkey above, the original below it; a logarithmic scale, in the unit beside each bar. Less is better.",
	}
	pair := func(label string, ours float64, oursText string, original float64, originalText string) {
		p.bars = append(p.bars,
			bar{label: label + ", Stepkey", value: oursText, length: ours},
			bar{label: "the original", value: originalText, length: original, other: true})
	}
	for _, c := range costs {
		if c.setup.database != "PostgreSQL" || c.setup.tokens != "HS256" {
			continue
		}
		times := spreadOf(c.ratios()).median
		switch c.operation {
		case guardedRoute:
			pair("guarded route", times, fmt.Sprintf("%.2f times bare", times), 24, "24 times bare")
		case steppedUp:
			pair("step-up", times, fmt.Sprintf("%.1f times bare", times), 150, "140–160 times bare")
		case loggedIn:
			spent := us(spreadOf(c.ours).median) / 1e3
			pair("login, CPU time", spent, fmt.Sprintf("%.0f ms", spent), 213, "213 ms (bcrypt 12)")
		}
	}
	for _, s := range comings {
		if s.setup.database != "PostgreSQL" || s.setup.tokens != "HS256" {
			continue
		}
		memory, took := megabytes(s.resident.median), us(s.again.median)/1e3
		pair("resident after start", memory, fmt.Sprintf("%.0f MB", memory), 100, "100 MB")
		pair("start", took, fmt.Sprintf("%.0f ms", took), 2500, "2 500 ms")
	}
	return p
}
