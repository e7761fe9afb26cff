package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateFiles are a certificate and its key as they were last in order. They are read
// again when one of the files changes, so that renewed ones need no restart.
type certificateFiles struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed [2]time.Time // when the files had changed last, as they were read last
}

func openCertificate(cert, key string, log *slog.Logger) (*certificateFiles, error) {
	f := &certificateFiles{cert: cert, key: key, log: log}
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("STEPKEY_TLS_CERT, STEPKEY_TLS_KEY: %w", err)
	}
	return f, nil
}

// read reads the files if they have changed. The caller holds the mutex, or is alone.
func (f *certificateFiles) read() error {
	var changed [2]time.Time
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		changed[i] = info.ModTime()
	}
	if changed == f.changed {
		return nil
	}
	f.changed = changed // files that are not in order are not read at each handshake
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.current = &pair
	return nil
}

// get is a tls.Config's GetCertificate.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(); err != nil {
		f.log.Error("The certificate was not read again, and the old one is used: correct STEPKEY_TLS_CERT and STEPKEY_TLS_KEY", "error", err)
	}
	return f.current, nil
}
