package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report writes the Markdown tables.
func (g *growth) report(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: times of all calls over %d connections, and CPU time of a call in the service and in the processes of the database, "+
		"medians of %d rounds; ratios to the smallest size, round by round; %s, %s/%s, %d CPUs:\n\n",
		g.database, people, g.rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	b.WriteString("| operation | users | p50 | p99 | CPU of the service | ratio | CPU of the database | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, c := range g.costs {
		for n, t := range g.towns {
			inDatabase, growsInDatabase := "–", "–"
			if spreadOf(c.databases[n]).most > 0 {
				inDatabase, growsInDatabase = micros(spreadOf(c.databases[n])), ratioTo(c.databases[n], c.databases[0])
			}
			fmt.Fprintf(&b, "| %s | %d | %.2f ms | %.2f ms | %s | %s | %s | %s |\n", c.operation, t.size,
				us(quantile(c.took[n], 50))/1e3, us(quantile(c.took[n], 99))/1e3,
				micros(spreadOf(c.service[n])), ratioTo(c.service[n], c.service[0]), inDatabase, growsInDatabase)
		}
	}
	fmt.Fprintf(&b, "\n%s: rows and bytes:\n\n", g.database)
	b.WriteString("| table | users | rows | bytes a row | bytes of indexes a row |\n|---|---:|---:|---:|---:|\n")
	for _, t := range g.towns {
		for _, table := range populationTables {
			if size := t.tables[table]; size.rows > 1 {
				fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d |\n", table, t.size, size.rows, size.table/size.rows, size.indexes/size.rows)
			}
		}
		var total int64
		for _, size := range t.tables {
			total += size.table + size.indexes
		}
		fmt.Fprintf(&b, "| all, for each user | %d | | %d | filled in %s |\n", t.size, total/int64(t.size), t.filled.Round(time.Second))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// ratioTo is the median of the ratios within a round.
func ratioTo(values, to []time.Duration) string {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = float64(values[i]) / float64(to[i])
	}
	return fmt.Sprintf("%.2f", spreadOf(ratios).median)
}

// quantile returns the value that that many of a hundred do not exceed.
func quantile(values []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
