package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// findings are what a measurement found.
type findings struct {
	text     string // Markdown
	plots    []plot
	postgres string // version, "" if PostgreSQL was not used
}

// section is a generated part of the report: its markers have its name.
type section struct {
	name    string
	measure func(ctx context.Context, rounds int) (findings, error)
}

var sections = []section{{"service", part{}.measure}, {"gate", measureGate}, {"stepup", measureKit}}

// chosen returns the sections of a list of names, or all for none.
func chosen(names string) ([]section, error) {
	if names == "" {
		return sections, nil
	}
	var found []section
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: no section %q", name)
		}
		found = append(found, sections[i])
	}
	return found, nil
}

// writeReport measures sections and replaces their parts of the document, one after the other, and their plots in the folder
// images beside it. Everything else stays. The day is that of the measurement.
func writeReport(ctx context.Context, document, only string, rounds int, day time.Time) error {
	list, err := chosen(only)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	for _, s := range list { // before minutes of measuring
		if _, err := replacePart(string(text), s.name, ""); err != nil {
			return fmt.Errorf("%s: %w", document, err)
		}
	}
	on, err := inspect(ctx) // before the document is changed, so that the commit is not dirty by it
	if err != nil {
		return err
	}
	for _, s := range list {
		fmt.Fprintf(os.Stderr, "section %s\n", s.name)
		c := circumstances{
			day: day, machine: on, rounds: rounds,
			command: fmt.Sprintf("go -C tools run ./bench -report ../docs/performance.md -only %s -rounds %d", s.name, rounds),
		}
		found, err := s.observe(ctx, &c)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := writeSection(document, s.name, c, found); err != nil {
			return err
		}
	}
	return nil
}

// observe measures a section, and what the machine does before and after it.
func (s section) observe(ctx context.Context, c *circumstances) (found findings, err error) {
	if c.before, err = listen(ctx); err != nil {
		return findings{}, err
	}
	if found, err = s.measure(ctx, c.rounds); err != nil {
		return findings{}, err
	}
	c.postgres = found.postgres
	c.after, err = listen(ctx)
	return found, err
}

// writeSection replaces a part of the document as it is now, and its plots.
func writeSection(document, name string, c circumstances, found findings) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	var part strings.Builder
	part.WriteString(c.text())
	for _, p := range found.plots {
		image, err := p.svg()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(document), "images", p.file()), []byte(image), 0o644); err != nil {
			return err
		}
		part.WriteString("\n" + p.markdown())
	}
	part.WriteString("\n" + found.text)
	replaced, err := replacePart(string(text), name, part.String())
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	return os.WriteFile(document, []byte(replaced), 0o644)
}
