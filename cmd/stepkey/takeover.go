package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/stepkey/stepkey"
)

var errInterrupted = errors.New("interrupted: run it again, it continues where it stopped")

// candidate is a user to be imported.
type candidate struct {
	where   string // how to find the user again, such as "line 12"
	user    stepkey.PortableUser
	problem string // why the user cannot be read
}

// takeover imports users into the service, batch by batch, and reports.
type takeover struct {
	importer *stepkey.Importer
	out      output
	total    int // 0 if it is not known
	dryRun   bool

	batch    []candidate
	progress progress

	read, added, present, leftOut int
	passkeys, passkeysLeftOut     int
	emails, emailsLeftOut         int
	withoutPasskey                int // users who were added without any of their passkeys
}

func newTakeover(admin *stepkey.Admin, out output, total int, yes bool) *takeover {
	return &takeover{
		importer: admin.NewImporter(!yes), out: out, total: total, dryRun: !yes,
		progress: newProgress(out.stderr, total),
	}
}

// add adds one user to the batch.
func (t *takeover) add(ctx context.Context, c candidate) error {
	t.batch = append(t.batch, c)
	if len(t.batch) < stepkey.MaxImportBatch {
		return nil
	}
	return t.flush(ctx)
}

func (t *takeover) flush(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	var users []stepkey.PortableUser
	var places []int
	for i, c := range t.batch {
		if c.problem == "" {
			users, places = append(users, c.user), append(places, i)
		}
	}
	results, err := t.importer.Import(ctx, users)
	if err != nil {
		return fmt.Errorf("%w\nnone of the last %d users were imported: run it again, it continues where it stopped", err, len(t.batch))
	}
	all := make([]stepkey.ImportResult, len(t.batch))
	for i, place := range places {
		all[place] = results[i]
	}
	for i, c := range t.batch {
		if err := t.count(c, all[i]); err != nil {
			return err
		}
	}
	t.batch = t.batch[:0]
	t.progress.show(t.read)
	return nil
}

// count counts one user and prints what was left out. Names are quoted, because
// they may contain control characters for the terminal.
func (t *takeover) count(c candidate, r stepkey.ImportResult) error {
	t.read++
	t.passkeys += r.Passkeys
	t.passkeysLeftOut += len(r.LeftOut)
	var lines []string
	switch {
	case c.problem != "":
		t.leftOut++
		lines = append(lines, fmt.Sprintf("left out: %s: %s", c.where, c.problem))
	case r.Status == stepkey.ImportLeftOut:
		t.leftOut++
		lines = append(lines, fmt.Sprintf("left out: %s, %s: %s", c.where, quoted(c.user.Username), r.Problem))
	case r.Status == stepkey.ImportPresent:
		t.present++
	default:
		t.added++
		switch {
		case r.Email != "":
			t.emailsLeftOut++
			lines = append(lines, fmt.Sprintf("left out: %s, e-mail address of %s: %s", c.where, quoted(c.user.Username), r.Email))
		case c.user.Email != nil:
			t.emails++
		}
		if len(r.LeftOut) > 0 && r.Passkeys == 0 {
			t.withoutPasskey++
		}
	}
	for _, i := range slices.Sorted(maps.Keys(r.LeftOut)) {
		lines = append(lines, fmt.Sprintf("left out: %s, passkey %d of %s: %s", c.where, i+1, quoted(c.user.Username), r.LeftOut[i]))
	}
	if len(lines) == 0 {
		return nil
	}
	t.progress.clear()
	_, err := fmt.Fprintln(t.out.stdout, strings.Join(lines, "\n"))
	return err
}

// quoted returns a quoted name of bounded length: the original accepts names of
// any length.
func quoted(name string) string {
	const longest = 80
	if runes := []rune(name); len(runes) > longest {
		return fmt.Sprintf("%q…", string(runes[:longest]))
	}
	return fmt.Sprintf("%q", name)
}

// finish imports the last batch and writes the report.
func (t *takeover) finish(ctx context.Context) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	t.progress.clear()
	did := "taken over"
	if t.dryRun {
		did = "can be taken over"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d users read: %d %s, %d are here already, %d left out.\n", t.read, t.added, did, t.present, t.leftOut)
	fmt.Fprintf(&b, "%d passkeys %s, %d left out.\n", t.passkeys, did, t.passkeysLeftOut)
	if t.emails+t.emailsLeftOut > 0 {
		fmt.Fprintf(&b, "%d e-mail addresses %s, %d left out.\n", t.emails, did, t.emailsLeftOut)
	}
	if t.withoutPasskey > 0 {
		fmt.Fprintf(&b, "Users who lose all their passkeys: %d. They can add a new one with the password alone.\n", t.withoutPasskey)
	}
	if t.dryRun {
		fmt.Fprintln(&b, "This was a dry run, nothing has changed. To import, run the same command with --yes.")
	}
	_, err := io.WriteString(t.out.stdout, b.String())
	return err
}

// progress shows the progress on stderr: as a bar on a terminal, and otherwise as a
// line for every tenth.
type progress struct {
	w        io.Writer
	terminal bool
	total    int
	tenths   int
	drawn    bool
}

func newProgress(w io.Writer, total int) progress {
	p := progress{w: w, total: total}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) show(n int) {
	if p.total == 0 || n == 0 {
		return
	}
	n = min(n, p.total)
	if p.terminal {
		const width = 30
		full := width * n / p.total
		fmt.Fprintf(p.w, "\r[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", width-full), n, p.total)
		p.drawn = true
		return
	}
	if tenths := 10 * n / p.total; tenths > p.tenths {
		p.tenths = tenths
		fmt.Fprintf(p.w, "%d of %d users read\n", n, p.total)
	}
}

// clear removes the bar, so that a line can be written.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}
