package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stepkey/stepkey/gate/rules"
	"github.com/stepkey/stepkey/token"
)

// Exit statuses of stepkey rules check. Scripts tell them apart, so an error has its own.
const (
	exitDeny    = 1
	exitStepUp  = 2
	exitRefused = 3
	exitNoRules = 4
)

// exitStatus is an error that ends the command with a status and prints nothing.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

type rulesCommands struct {
	Check rulesCheckCommand `cmd:"" help:"Check a file of rules, and what it says about a request: stepkey rules check GET https://app.example.com/x user=mira group=ops level=full age=3m. The exit status is 0 for allow, 1 for deny, 2 for step-up, 3 for a refused path, and 4 if the file or the request cannot be read."`
}

type rulesCheckCommand struct {
	Rules string   `env:"STEPKEY_RULES" help:"File of the gate's rules. Default: none, and there is no gate."`
	Words []string `arg:"" optional:"" name:"request" help:"The file, unless STEPKEY_RULES is set; then a method, a URL, and of the user: user=NAME, id=ID, group=NAME, level=password, full or hardware, age=3m."`
}

// Run prints what the rules say.
func (c *rulesCheckCommand) Run(out output) error {
	if err := c.check(out.stdout, time.Now()); err != nil {
		if status := exitStatus(0); errors.As(err, &status) {
			return err
		}
		fmt.Fprintln(out.stderr, "stepkey:", err)
		return exitStatus(exitNoRules)
	}
	return nil
}

func (c *rulesCheckCommand) check(stdout io.Writer, now time.Time) error {
	path, words := c.Rules, c.Words
	if len(words) > 0 && (len(words) == 1 || !strings.Contains(words[1], "://")) {
		path, words = words[0], words[1:]
	}
	if path == "" {
		return errors.New("name a file of rules, or set STEPKEY_RULES")
	}
	file, err := rules.Load(path, now)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		fmt.Fprintf(stdout, "%s is in order: %d rules for %d origins\n", path, file.Rules(), file.Apps())
		return nil
	}
	if len(words) == 1 {
		return errors.New("write a method and a URL, as in GET https://app.example.com/x")
	}
	request, err := readRequest(words[0], words[1])
	if err != nil {
		return err
	}
	who, err := readSubject(words[2:], now)
	if err != nil {
		return err
	}
	return explain(stdout, file.Decide(request, who, now))
}

// readRequest takes the target from the text as it is: net/url would repair it.
func readRequest(method, text string) (rules.Request, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 {
		rest, end = rest+"/", len(rest)
	}
	origin, err := rules.Origin(scheme, rest[:end])
	if err != nil {
		return rules.Request{}, fmt.Errorf("%q has no host: write a URL such as https://app.example.com/x", text)
	}
	return rules.Request{Origin: origin, Method: method, Target: rest[end:]}, nil
}

func readSubject(words []string, now time.Time) (rules.Subject, error) {
	var who rules.Subject
	var age time.Duration
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "user":
			who.Name = value
		case "id":
			who.ID = value
		case "group":
			who.Groups = append(who.Groups, value)
		case "level":
			who.Level, who.Hardware, err = readLevel(value)
		case "age":
			age, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("%q is not known: write user=, id=, group=, level= or age=", word)
		}
		if err != nil {
			return rules.Subject{}, err
		}
	}
	if age < 0 {
		return rules.Subject{}, errors.New("age is negative: write how long ago the factor was verified, as in 3m")
	}
	switch who.Level {
	case token.LevelFull:
		who.PasskeyTime = now.Add(-age)
	case token.LevelPassword:
		who.PasswordTime = now.Add(-age)
	case token.LevelNone:
		if len(words) > 0 {
			return rules.Subject{}, errors.New("level is missing: write level=password, level=full or level=hardware, or leave out the user")
		}
	}
	return who, nil
}

func readLevel(text string) (level token.Level, hardware bool, err error) {
	switch text {
	case "password", "full":
		return token.Level(text), false, nil
	case "hardware":
		return token.LevelFull, true, nil
	}
	return "", false, fmt.Errorf("%q is not a level: write password, full or hardware", text)
}

// explain prints the decision and returns its exit status.
func explain(stdout io.Writer, d rules.Decision) error {
	fmt.Fprintf(stdout, "%s: %s\n", d.Verdict, d.Reason)
	if len(d.Missing) > 0 {
		fmt.Fprintf(stdout, "missing: %s\n", rules.Describe(d.Missing))
	}
	if d.Shadow {
		fmt.Fprintln(stdout, "The origin is in shadow mode: the request passes until that ends.")
	}
	switch d.Verdict {
	case rules.Allow:
		return nil
	case rules.StepUp:
		return exitStatus(exitStepUp)
	case rules.Refused:
		return exitStatus(exitRefused)
	}
	return exitStatus(exitDeny)
}
