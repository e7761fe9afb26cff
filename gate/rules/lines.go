package rules

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines says where things are in a file, which the decoder does not. A value in an inline
// table has line 0.
type lines struct {
	purposes map[string]int
	apps     []appLines
}

type appLines struct {
	line  int
	rules []int
}

func (l lines) app(i int) appLines {
	if i < len(l.apps) {
		return l.apps[i]
	}
	return appLines{}
}

func (a appLines) rule(i int) int {
	if i < len(a.rules) {
		return a.rules[i]
	}
	return 0
}

// findLines refuses keys with capitals on its way: the decoder takes Origin for origin, and
// would take the second of both for the first.
func findLines(text []byte) (lines, error) {
	found := lines{purposes: map[string]int{}}
	parser := unstable.Parser{}
	parser.Reset(text)
	table := ""
	for parser.NextExpression() {
		node := parser.Expression()
		keys, line := keyOf(node, &parser)
		if name := strings.Join(keys, "."); strings.ToLower(name) != name {
			return lines{}, inLine(line, fmt.Errorf("the key %q has capitals: write all keys in small letters", name))
		}
		switch {
		case node.Kind == unstable.ArrayTable:
			table = strings.Join(keys, ".")
			if table == "app" {
				found.apps = append(found.apps, appLines{line: line})
			}
		case node.Kind == unstable.Table:
			table = strings.Join(keys, ".")
		case table == "purposes" && len(keys) == 1:
			found.purposes[keys[0]] = line
		case table == "" && len(keys) == 2 && keys[0] == "purposes":
			found.purposes[keys[1]] = line
		case table == "app" && len(keys) == 1 && keys[0] == "rules":
			found.apps[len(found.apps)-1].rules = elementLines(node.Value(), &parser)
		}
	}
	return found, parser.Error()
}

func keyOf(node *unstable.Node, parser *unstable.Parser) (keys []string, line int) {
	for key := node.Key(); key.Next(); {
		keys = append(keys, string(key.Node().Data))
		if line == 0 {
			line = parser.Shape(key.Node().Raw).Start.Line
		}
	}
	return keys, line
}

func elementLines(array *unstable.Node, parser *unstable.Parser) (list []int) {
	for element := array.Children(); element.Next(); {
		list = append(list, parser.Shape(element.Node().Raw).Start.Line)
	}
	return list
}
