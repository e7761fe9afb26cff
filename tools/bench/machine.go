package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// quiet is the share of the CPUs that other programs may use, before and after a measurement.
const quiet = 0.1

// machine is what figures were measured on.
type machine struct {
	cpu, kernel string
	memory      int // bytes
	commit      string
}

// inspect reads what Linux tells of the machine, and the commit of the working directory.
func inspect(ctx context.Context) (machine, error) {
	var m machine
	processors, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, err
	}
	m.cpu = fieldOf(string(processors), "model name")
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	kib, err := strconv.Atoi(strings.TrimSuffix(fieldOf(string(memory), "MemTotal"), " kB"))
	if err != nil {
		return m, fmt.Errorf("/proc/meminfo: %w", err)
	}
	m.memory = kib << 10
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.kernel = strings.TrimSpace(string(kernel))
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return m, fmt.Errorf("git describe: %w", err)
	}
	m.commit = strings.TrimSpace(string(commit))
	return m, nil
}

// fieldOf returns the first value of a name in a file of lines "name: value", or "unknown".
func fieldOf(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// bustle is what a machine does while no part of the benchmark runs.
type bustle struct {
	load string  // average of a minute, in which the benchmark's own work counts
	busy float64 // share of the CPUs in use, 0 to 1
}

// listen waits two seconds and returns what the machine did in them. CPU time that the host took for other guests counts as busy.
func listen(ctx context.Context) (bustle, error) {
	before, err := readTicks()
	if err != nil {
		return bustle{}, err
	}
	select {
	case <-ctx.Done():
		return bustle{}, ctx.Err()
	case <-time.After(2 * time.Second):
	}
	after, err := readTicks()
	if err != nil {
		return bustle{}, err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return bustle{}, err
	}
	b := bustle{load: strings.Fields(string(load))[0]}
	if total := after.total - before.total; total > 0 {
		b.busy = 1 - float64(after.idle-before.idle)/float64(total)
	}
	return b, nil
}

// ticks are the times of all CPUs since the start of the machine.
type ticks struct{ idle, total int }

func readTicks() (ticks, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	return parseTicks(string(stat))
}

// parseTicks reads the first line of /proc/stat (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal, and then
// the guests' times, which are in user and nice already.
func parseTicks(stat string) (ticks, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return ticks{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var t ticks
	for i, field := range fields[1:9] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return ticks{}, fmt.Errorf("/proc/stat: %w", err)
		}
		t.total += n
		if i == 3 || i == 4 {
			t.idle += n
		}
	}
	return t, nil
}

// circumstances are how a part of the report was measured.
type circumstances struct {
	day           time.Time
	machine       machine
	postgres      string // version, "" for a part without PostgreSQL
	before, after bustle
	rounds        int
	command       string
}

// text begins a generated part.
func (c circumstances) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s at commit `%s`, rounds: %d, by `%s`.\n",
		c.day.Format(time.DateOnly), c.machine.commit, c.rounds, c.command)
	fmt.Fprintf(&b, "%s, %d CPUs, %.1f GiB of memory, Linux %s; %s", c.machine.cpu, runtime.NumCPU(),
		float64(c.machine.memory)/(1<<30), c.machine.kernel, runtime.Version())
	if c.postgres != "" {
		fmt.Fprintf(&b, ", PostgreSQL %s", c.postgres)
	}
	fmt.Fprintf(&b, ".\nLoad average %s before and %s after, the benchmark's own work included; without it %.0f %% of the CPUs were busy before and %.0f %% after.\n",
		c.before.load, c.after.load, 100*c.before.busy, 100*c.after.busy)
	if max(c.before.busy, c.after.busy) > quiet {
		b.WriteString("\n**The machine was not quiet**, so the spread is wide and the medians may be off: measure again.\n")
	}
	return b.String()
}
