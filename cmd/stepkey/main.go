// Command stepkey adds passkeys to a password login: API, pages and tools in one
// binary.
//
//	stepkey serve          run the service; with no settings, on SQLite at http://localhost:3000
//	stepkey gate           run the service with a proxy in front of an application
//	stepkey key            list, rotate or revoke signing keys
//	stepkey user           list, show, disable, enable, unlock or delete users, set groups and claims, remove an address; export or import all
//	stepkey invite         make, list or revoke invitations to sign up
//	stepkey rules          check the gate's rules, and what they say about a request
//	stepkey import         take users over from the NestJS original
//	stepkey healthcheck    ask a running service whether it is alive
//	stepkey version        print the version
//
// Settings are flags or environment variables, also from a file .env in the
// working directory. "stepkey serve --help" lists them all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// commands is the command line.
type commands struct {
	Serve       serveCommand       `cmd:"" default:"withargs" help:"Run the service."`
	Gate        gateCommand        `cmd:"" help:"Run the service with a proxy in front of an application, which gets only what the rules allow."`
	Key         keyCommands        `cmd:"" help:"List, rotate or revoke signing keys."`
	User        userCommands       `cmd:"" help:"List, show, disable, enable, unlock or delete users; export or import all."`
	Invite      inviteCommands     `cmd:"" help:"Make, list or revoke invitations to sign up."`
	Rules       rulesCommands      `cmd:"" help:"Check the gate's rules, and what they say about a request."`
	Import      importCommands     `cmd:"" help:"Import users from another system."`
	Healthcheck healthcheckCommand `cmd:"" help:"Check whether a running service on this machine is alive."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// output is where a command writes.
type output struct{ stdout, stderr io.Writer }

// run is main without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := loadEnvFile(); err != nil {
		fmt.Fprintln(stderr, "stepkey:", err)
		return 1
	}
	exited, code := false, 0
	parser, err := kong.New(grammarFor(args),
		kong.Name("stepkey"),
		kong.Description("Add passkeys to a password login without breaking it."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { exited, code = true, c }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(output{stdout, stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "stepkey:", err)
		return 1
	}
	if err := unsetEmpty(parser.Model); err != nil {
		fmt.Fprintln(stderr, "stepkey:", err)
		return 1
	}
	command, err := parser.Parse(groupsLast(keyIDLast(args)))
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintln(stderr, "stepkey:", err)
		if len(args) > 0 && args[0] == "rules" {
			return exitNoRules // 2 is an answer of rules check
		}
		return 2
	}
	if strings.HasPrefix(command.Command(), "serve") || command.Command() == "gate" {
		for _, name := range unknownSettings(os.Environ()) {
			fmt.Fprintf(stderr, "stepkey: %s is not a setting and has no effect: check its spelling (stepkey serve --help lists all)\n", name)
		}
	}
	if err := command.Run(); err != nil {
		var status exitStatus
		if errors.As(err, &status) {
			return int(status)
		}
		fmt.Fprintln(stderr, "stepkey:", settingNames.Replace(err.Error()))
		return 1
	}
	return 0
}

// loadEnvFile adds the settings in .env to the environment. If both have a setting, the environment
// wins.
func loadEnvFile() error {
	values, err := godotenv.Read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		// The parser's own error quotes the line, which may contain a secret.
		return errors.New("the file .env cannot be read: it takes lines like NAME=value")
	}
	for name, value := range values {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("the file .env sets %s, which the system refuses", name)
		}
	}
	return nil
}

// grammarFor returns what kong has to know to parse args: the command that they name, or all commands
// for help and for a name that is none. To learn all takes it longer than the service takes to
// start, because most of them have every setting as a flag.
func grammarFor(args []string) any {
	name := "serve" // is the default
	if len(args) > 0 {
		name = args[0]
	}
	for field := range reflect.TypeFor[commands]().Fields() {
		if strings.ToLower(field.Name) == name {
			return reflect.New(reflect.StructOf([]reflect.StructField{field})).Interface()
		}
	}
	return new(commands)
}

// unknownSettings returns, in order, the variables in environ that are named like our
// settings but are not settings of any command, so that operators notice misspelt ones.
func unknownSettings(environ []string) (unknown []string) {
	known := map[string]bool{}
	noteSettings(reflect.TypeFor[commands](), known)
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "STEPKEY_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// noteSettings notes the variables of a struct of commands or settings.
func noteSettings(t reflect.Type, known map[string]bool) {
	if t.Kind() != reflect.Struct {
		return
	}
	for field := range t.Fields() {
		if name, ok := field.Tag.Lookup("env"); ok {
			known[name] = true
			continue
		}
		noteSettings(field.Type, known)
	}
}

// unsetEmpty removes settings without a value from the environment, so that each has its default. That is
// what a line such as NAME= in .env means, and an unset variable in compose.yaml.
func unsetEmpty(app *kong.Application) error {
	return kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		flag, ok := node.(*kong.Flag)
		if !ok {
			return next(nil)
		}
		for _, name := range flag.Envs {
			if os.Getenv(name) != "" {
				continue
			}
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
		return next(nil)
	})
}

type versionCommand struct{}

// Run prints the module version and revision, as recorded by the Go tool.
func (versionCommand) Run(out output) error {
	version := "development"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	_, err := fmt.Fprintln(out.stdout, "stepkey", version)
	return err
}
