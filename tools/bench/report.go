package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// report returns the Markdown tables of the service.
func report(costs []cost, comings []start, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CPU time of the server process for one operation, median of %d rounds (least–most), beside a bare handler with the same bytes "+
		"and, for a route that is one request, beside a bare handler that answers 204 to a small GET; %s, %s/%s, %d CPUs:\n\n",
		rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| operation | database | tokens | Stepkey | bare | ratio | goal | reached | beside a 204 |\n|---|---|---|---:|---:|---:|---:|---|---:|\n")
	for _, c := range costs {
		g, small := goalOf(c.operation, c.setup.database, c.setup.tokens), "–"
		if len(c.small) > 0 {
			small = ratio(spreadOf(c.besideSmall()))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			c.operation, c.setup.database, c.setup.tokens, micros(spreadOf(c.ours)), micros(spreadOf(c.bare)), ratio(spreadOf(c.ratios())),
			g.text(), g.reached(c.sample), small)
	}
	for _, c := range costs {
		if c.operation != guardedRoute || c.setup.tokens != "ES256" {
			continue
		}
		if other, ok := sameWith(costs, c, "HS256"); ok {
			fmt.Fprintf(&b, "\nA guarded route with ES256 costs %.2f times what it costs with HS256 (%s, medians of the table).\n",
				us(spreadOf(c.ours).median)/us(spreadOf(other.ours).median), c.setup.database)
		}
	}
	if len(comings) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "\nStart, from the start of the process to the first 200 of GET /livez, and resident memory 2 s later; median of %d (least–most). "+
		"Of the memory, *own* is what is not a page of the binary, which the kernel can drop and read again. "+
		"*Most* is the most that was resident while the operations above were measured. "+
		"The goals are at most %d ms for a later start, whose migrations are done, %.0f MB resident, and %.0f MB at most:\n\n",
		starts, goalLaterStart.Milliseconds(), megabytes(goalResident), megabytes(goalMost()))
	b.WriteString("| database | tokens | first start | later start | reached | resident | reached | own | most | reached |\n|---|---|---:|---:|---|---:|---|---:|---:|---|\n")
	for _, s := range comings {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %.1f MB | %s |\n", s.setup.database, s.setup.tokens,
			millis(s.first), millis(s.again), yesOrNo(s.again.median <= goalLaterStart), inMegabytes(s.resident), yesOrNo(s.resident.median <= goalResident),
			inMegabytes(s.own), megabytes(s.most), yesOrNo(s.most <= goalMost()))
	}
	return b.String()
}

// servicePlots shows operations that cost about as much as a bare handler apart from the others, so that the bars of both can be read.
func servicePlots(costs []cost) []plot {
	var near, far []bar
	for _, c := range costs {
		b := ratioBar(fmt.Sprintf("%s, %s, %s", c.operation, c.setup.database, c.setup.tokens), c.sample,
			goalOf(c.operation, c.setup.database, c.setup.tokens))
		switch c.operation {
		case guardedRoute, profileRoute, guardedApp, loggedIn:
			near = append(near, b)
		default:
			far = append(far, b)
		}
	}
	return []plot{
		ratioPlot("guarded", "Guarded routes and login beside a bare handler with the same bytes", near),
		ratioPlot("stored", "Operations that read or write the database beside a bare handler", far),
	}
}

// sameWith finds the same operation on the same database with other tokens.
func sameWith(costs []cost, like cost, tokens string) (cost, bool) {
	for _, c := range costs {
		if c.operation == like.operation && c.setup.database == like.setup.database && c.setup.tokens == tokens {
			return c, true
		}
	}
	return cost{}, false
}

func micros(s spread[time.Duration]) string {
	return fmt.Sprintf("%.1f µs (%.1f–%.1f)", us(s.median), us(s.least), us(s.most))
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func ratio(s spread[float64]) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.least, s.most)
}

func millis(s spread[time.Duration]) string {
	return fmt.Sprintf("%.0f ms (%.0f–%.0f)", us(s.median)/1e3, us(s.least)/1e3, us(s.most)/1e3)
}

func inMegabytes(s spread[int]) string {
	return fmt.Sprintf("%.1f MB (%.1f–%.1f)", megabytes(s.median), megabytes(s.least), megabytes(s.most))
}

func megabytes(bytes int) float64 { return float64(bytes) / 1e6 }
