package pgtest

import (
	"io"
	"os"
	"path/filepath"
)

// maxLog bounds, in bytes, how much of the server's log an error or a failed
// test shows.
const maxLog = 8 << 10

func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// logSize returns how long the log is now, to be handed to logSince later.
func (s *Server) logSize() int64 {
	info, err := os.Stat(s.logFile())
	if err != nil {
		return 0
	}
	return info.Size()
}

// logSince returns what the server logged after the log had size bytes, at most
// the last 8 KiB of it. A log that cannot be read gives its error as text: this
// is for people who are looking at another failure already.
func (s *Server) logSince(size int64) string {
	file, err := os.Open(s.logFile())
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if _, err := file.Seek(max(size, s.logSize()-maxLog), io.SeekStart); err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLog))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
