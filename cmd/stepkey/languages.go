package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// languages are the operator's language files, nil for none.
func (s settings) languages() (fs.FS, error) {
	if s.Messages == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(s.Messages, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("STEPKEY_MESSAGES: there is no language file such as fr.json in %s", s.Messages)
	}
	return os.DirFS(s.Messages), nil
}

// onlyLanguage is the tag of the only language, empty for the reader's.
func (s settings) onlyLanguage() string {
	if s.Language == "auto" {
		return ""
	}
	return s.Language
}
