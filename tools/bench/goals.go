package main

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"time"
)

// goal bounds the median of a row: its ratio, or the number of operations in a second of CPU time. The zero goal is none.
type goal struct {
	most  float64 // of the ratio
	least int     // operations a second and vCPU
}

// goalOf returns the goal of an operation of the service. On SQLite, where the database's own work counts, the goals of refresh
// and step-up are half of what was measured on 2026-11-23.
func goalOf(operation, database, tokens string) goal {
	switch operation {
	case guardedRoute, profileRoute:
		if tokens == "ES256" {
			return goal{most: 1.3}
		}
		return goal{most: 1.25}
	case refreshed:
		if database == "SQLite" {
			return goal{most: 10}
		}
		return goal{most: 5}
	case steppedUp:
		if database == "SQLite" {
			return goal{most: 12}
		}
		return goal{most: 8}
	case loggedIn:
		return goal{most: 1}
	case guardedApp:
		return goal{most: 1.1}
	case introspected:
		return goal{least: 1150}
	}
	return goal{}
}

// text is the goal as a cell of a table.
func (g goal) text() string {
	switch {
	case g.most > 0:
		return "≤ " + strconv.FormatFloat(g.most, 'f', -1, 64)
	case g.least > 0:
		return fmt.Sprintf("≥ %d a second and vCPU", g.least)
	}
	return "–"
}

// reached is the answer for a row as a cell of a table: of the ratio as the table shows it, with two digits.
func (g goal) reached(s sample) string {
	switch {
	case g.most > 0:
		return yesOrNo(math.Round(100*spreadOf(s.ratios()).median) <= math.Round(100*g.most))
	case g.least > 0:
		rate := int(time.Second / spreadOf(s.ours).median)
		return fmt.Sprintf("%s: %d", yesOrNo(rate >= g.least), rate)
	}
	return "–"
}

func yesOrNo(reached bool) string {
	if reached {
		return "yes"
	}
	return "**no**"
}

// Goals of starts and memory.
const (
	goalLaterStart = 60 * time.Millisecond
	goalResident   = 25_000_000 // bytes
)

// goalMost is the most memory under load, in bytes: 64 MB, and 19 MiB for each password that is hashed at once, of
// which the service has places for one less than there are CPUs.
func goalMost() int { return 64_000_000 + 19<<20*max(1, runtime.NumCPU()-1) }
