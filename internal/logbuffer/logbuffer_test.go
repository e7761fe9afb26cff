package logbuffer

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a writer that takes its time and notes its blocks.
type slow struct {
	takes time.Duration

	mu     sync.Mutex
	blocks []string
}

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks = append(s.blocks, string(p))
	return len(p), nil
}

func (s *slow) written() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocks
}

func TestLinesArriveSoonAndInBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slow{}
		w := New(out)
		defer w.Close()
		for range 3 {
			fmt.Fprintln(w, "one")
		}
		time.Sleep(delay + 1)
		fmt.Fprintln(w, "two")
		time.Sleep(delay + 1)
		if got := out.written(); len(got) != 2 || got[0] != "one\none\none\n" || got[1] != "two\n" {
			t.Errorf("blocks %q", got)
		}
	})
}

func TestCloseWritesTheRest(t *testing.T) {
	out := &slow{takes: 20 * time.Millisecond}
	w := New(out)
	fmt.Fprintln(w, "before")
	time.Sleep(2 * delay)
	fmt.Fprintln(w, "while a block is written")
	w.Close()
	fmt.Fprintln(w, "after")
	if got := strings.Join(out.written(), ""); got != "before\nwhile a block is written\nafter\n" {
		t.Errorf("written %q", got)
	}
}

func TestWriteDuringClose(t *testing.T) {
	out := &slow{takes: 20 * time.Millisecond}
	w := New(out)
	fmt.Fprintln(w, "before")
	var closing sync.WaitGroup
	closing.Go(w.Close)
	time.Sleep(10 * time.Millisecond)
	fmt.Fprintln(w, "after")
	closing.Wait()
	if got := strings.Join(out.written(), ""); got != "before\nafter\n" {
		t.Errorf("written %q", got)
	}
}

func TestWarningsAreWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &slow{}
		w := New(out)
		defer w.Close()
		log := slog.New(w.Urgent(slog.NewTextHandler(w, nil))).With("a", 1).WithGroup("g")
		log.Info("first")
		if got := out.written(); len(got) != 0 {
			t.Errorf("written at once: %q", got)
		}
		log.Warn("second", "b", 2)
		if got := strings.Join(out.written(), ""); !strings.Contains(got, "msg=first") || !strings.Contains(got, "msg=second a=1 g.b=2") {
			t.Errorf("written after a warning: %q", got)
		}
		time.Sleep(delay)
		log.Info("third")
		time.Sleep(delay + 1)
		if got := strings.Join(out.written(), ""); !strings.Contains(got, "msg=third") {
			t.Errorf("written in the end: %q", got)
		}
	})
}

// With a slow writer behind it, lines wait at the door instead of in memory.
func TestMemoryIsBoundedAndNothingIsLost(t *testing.T) {
	out := &slow{takes: 5 * time.Millisecond}
	w := New(out)
	line := bytes.Repeat([]byte{'x'}, limit/4)
	var writers sync.WaitGroup
	for range 40 {
		writers.Go(func() { _, _ = w.Write(line) })
	}
	time.Sleep(15 * time.Millisecond)
	w.mu.Lock()
	if len(w.waiting) > limit {
		t.Errorf("%d bytes wait, more than %d", len(w.waiting), limit)
	}
	w.mu.Unlock()
	writers.Wait()
	_, _ = w.Write(bytes.Repeat(line, 8)) // a line longer than the limit
	w.Close()
	if got := len(strings.Join(out.written(), "")); got != 48*len(line) {
		t.Errorf("%d bytes arrived, want %d", got, 48*len(line))
	}
}

func TestLinesOfSeveralGoroutinesDoNotMix(t *testing.T) {
	out := &slow{}
	w := New(out)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 2000 {
				fmt.Fprintf(w, "writer %d line %d\n", i, j)
			}
		})
	}
	writers.Wait()
	w.Close()
	next := map[int]int{}
	lines := strings.Split(strings.TrimSuffix(strings.Join(out.written(), ""), "\n"), "\n")
	for _, line := range lines {
		var i, j int
		if _, err := fmt.Sscanf(line, "writer %d line %d", &i, &j); err != nil || next[i] != j {
			t.Fatalf("line %q after %d lines of its writer: %v", line, next[i], err)
		}
		next[i]++
	}
	if len(lines) != 8*2000 {
		t.Errorf("%d lines arrived", len(lines))
	}
}

func BenchmarkWrite(b *testing.B) {
	w := New(&slow{})
	defer w.Close()
	line := []byte(strings.Repeat("x", 130) + "\n")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = w.Write(line)
		}
	})
}
