package pgtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// ownerEnv makes the test binary play the process that owns a server and is
// killed (see TestServerDiesWithItsOwner).
const ownerEnv = "PGTEST_PLAY_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerEnv) != "" {
		playOwner()
	}
	os.Exit(Main(m))
}

// playOwner starts a server, tells where it is and waits to be killed.
func playOwner() {
	server, err := Start(context.Background(), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.process.Process.Pid, server.dir)
	time.Sleep(time.Minute)
	os.Exit(1)
}
