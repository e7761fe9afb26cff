package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// report writes the Markdown tables.
func report(w io.Writer, costs []cost, comings []start, rounds int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "CPU time of the server process for one operation, median of %d rounds (least–most); %s, %s/%s, %d CPUs:\n\n",
		rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| operation | database | tokens | Stepkey | bare | ratio |\n|---|---|---|---:|---:|---:|\n")
	for _, c := range costs {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			c.operation, c.setup.database, c.setup.tokens, micros(spreadOf(c.ours)), micros(spreadOf(c.bare)), ratio(spreadOf(c.ratios())))
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
	fmt.Fprintf(&b, "\nStart, from the start of the process to the first 200 of GET /livez, and resident memory 2 s later; median of %d (least–most):\n\n", starts)
	b.WriteString("| database | tokens | first start | later start | resident |\n|---|---|---:|---:|---:|\n")
	for _, s := range comings {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n",
			s.setup.database, s.setup.tokens, millis(s.first), millis(s.again), mebibytes(s.resident))
	}
	_, err := io.WriteString(w, b.String())
	return err
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

func mebibytes(s spread[int]) string {
	return fmt.Sprintf("%.1f MiB (%.1f–%.1f)", mib(s.median), mib(s.least), mib(s.most))
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }
