//go:build !unix

package main

import "math"

// openFiles is how many files and connections the system lets this process have
// open.
func openFiles() int { return math.MaxInt }
