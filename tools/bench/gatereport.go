package main

import (
	"fmt"
	"runtime"
	"strings"
)

// reportGate returns the Markdown table of the gate.
func reportGate(costs []gateCost, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CPU time of the process for one request of a session that was seen before, median of %d rounds (least–most); %s, %s/%s, %d CPUs:\n\n",
		rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| request | connections | stepkey | yardstick | | ratio | goal | reached |\n|---|---:|---:|---|---:|---:|---:|---|\n")
	for _, c := range costs {
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s |\n", c.operation, c.connections,
			micros(spreadOf(c.ours)), c.yardstick, micros(spreadOf(c.bare)), ratio(spreadOf(c.ratios())), c.goal.text(), c.goal.reached(c.sample))
	}
	return b.String()
}

// gatePlot shows the rows of the table in which Stepkey is.
func gatePlot(costs []gateCost) plot {
	var bars []bar
	for _, c := range costs {
		if c.operation == sameBytes {
			continue
		}
		bars = append(bars, ratioBar(fmt.Sprintf("beside %s, connections: %d", c.yardstick, c.connections), c.sample, c.goal))
	}
	return ratioPlot("gate", "The gate beside its yardsticks", bars)
}
