package session

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// setting is one value of an AWS file.
type setting struct {
	value string
	// nested has the settings of the indented lines below a name without a value.
	nested map[string]string
	// path and line are where it stands.
	path string
	line int
}

// where names the place of a setting, such as "/home/me/.aws/config, line 7".
func (s setting) where() string { return fmt.Sprintf("%s, line %d", s.path, s.line) }

// settings are those of a section, by name in lower case.
type settings map[string]setting

func (s settings) get(name string) string { return s[name].value }

// word is a value that can hold neither blanks nor quotes. The AWS CLI takes a
// comment behind it and quotes around it for parts of it, and fails.
func (s settings) word(name string) string {
	value := s[name].value
	if at := strings.IndexAny(value, " \t"); at > 0 {
		if rest := trimSpace(value[at:]); strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, ";") {
			value = value[:at]
		}
	}
	return unquoted(value)
}

// unquoted takes a pair of quotes from around a text.
func unquoted(s string) string {
	if end := len(s) - 1; end > 0 && (s[0] == '"' || s[0] == '\'') && s[end] == s[0] {
		return s[1:end]
	}
	return s
}

func (s settings) has(name string) bool { _, ok := s[name]; return ok }

// section is a part of an AWS file, under its header as it is written.
type section struct {
	name string
	settings
}

// inheritedSection has the settings that hold in every other section.
const inheritedSection = "DEFAULT"

// readINI reads an AWS file as the AWS CLI does, whose reader is the class
// RawConfigParser of Python: no comment behind a value, no value in quotes,
// lines that are indented deeper go on with the value above. Where the AWS CLI
// gives up on a section or a setting that stands there twice, the sections are
// one and the later setting counts. Sections come in their order. Errors name
// the line and never its content, which may be a key.
func readINI(path string, content []byte) ([]section, error) {
	text, err := decodeText(path, content)
	if err != nil {
		return nil, err
	}
	r := iniReader{path: path, inherited: settings{}}
	// As in Python's text files, a lone carriage return ends a line too.
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		r.line++
		if err := r.read(line); err != nil {
			return nil, err
		}
	}
	r.finish()
	return r.sections, nil
}

// iniReader is how far the reading of a file is.
type iniReader struct {
	path      string
	line      int
	sections  []section
	inherited settings
	// current is where settings go; nil before the first header. name is the
	// setting that indented lines go on with, "" for none.
	current settings
	name    string
	indent  int
}

func (r *iniReader) read(line string) error {
	text := trimSpace(line)
	switch {
	case strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";"):
		return nil
	case text == "":
		if r.name == "" {
			return nil
		}
		return r.extend("")
	}
	indent := utf8.RuneCountInString(line[:strings.Index(line, text)])
	if r.name != "" && indent > r.indent {
		return r.extend(text)
	}
	r.indent = indent
	if end := strings.LastIndex(text, "]"); text[0] == '[' && end > 1 {
		r.open(text[1:end])
		return nil
	}
	if r.current == nil {
		return r.malformed(r.line, "it stands before the first [section]", "begin the file with a section such as [default]")
	}
	at := strings.IndexAny(text, "=:")
	if at < 0 {
		return r.malformed(r.line, "it is neither [a section] nor name = value", "correct that line")
	}
	name := strings.ToLower(trimSpace(text[:at]))
	if name == "" {
		return r.malformed(r.line, "nothing stands before the "+text[at:at+1], "correct that line: it should be name = value")
	}
	r.name = name
	r.current[name] = setting{value: trimSpace(text[at+1:]), path: r.path, line: r.line}
	return nil
}

// open begins a section, or goes on with one that was begun before.
func (r *iniReader) open(name string) {
	r.name = ""
	if name == inheritedSection {
		r.current = r.inherited
		return
	}
	for _, s := range r.sections {
		if s.name == name {
			r.current = s.settings
			return
		}
	}
	r.current = settings{}
	r.sections = append(r.sections, section{name, r.current})
}

// extend adds an indented or empty line to the setting that was read last.
func (r *iniReader) extend(text string) error {
	s := r.current[r.name]
	switch {
	case s.value != "":
		s.value += "\n" + text
	case text != "":
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return r.malformed(r.line, "it is indented, so it belongs to the name above, and is not name = value",
				"correct that line, or take the indentation away")
		}
		if s.nested == nil {
			s.nested = map[string]string{}
		}
		s.nested[trimSpace(name)] = trimSpace(value)
	}
	r.current[r.name] = s
	return nil
}

// finish takes the empty lines off the ends, and gives each section the
// inherited settings.
func (r *iniReader) finish() {
	for _, in := range r.sections {
		for name, s := range r.inherited {
			if !in.has(name) {
				in.settings[name] = s
			}
		}
		for name, s := range in.settings {
			s.value = strings.TrimRightFunc(s.value, space)
			in.settings[name] = s
		}
	}
}

func (r *iniReader) malformed(line int, why, hint string) error {
	return Explained(ErrNoCredentials, CodeProfile, fmt.Sprintf("the AWS file %s is malformed at line %d: %s", r.path, line, why), hint, nil)
}

// decodeText refuses what is not UTF-8. A byte order mark, as Notepad writes
// it, is no part of the first line.
func decodeText(path string, content []byte) (string, error) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	wide := bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff"))
	switch {
	case wide || bytes.IndexByte(content, 0) >= 0:
		return "", Explained(ErrNoCredentials, CodeProfile,
			fmt.Sprintf("the AWS file %s is encoded in UTF-16, as > of PowerShell and some editors write it", path), "save it in UTF-8", nil)
	case !utf8.Valid(content):
		line := 1
		for len(content) > 0 {
			r, size := utf8.DecodeRune(content)
			if r == utf8.RuneError && size == 1 {
				break
			}
			if r == '\n' {
				line++
			}
			content = content[size:]
		}
		return "", Explained(ErrNoCredentials, CodeProfile,
			fmt.Sprintf("the AWS file %s is not encoded in UTF-8: line %d has another encoding", path, line), "save it in UTF-8", nil)
	}
	return string(content), nil
}

// space says whether Python takes a character for white space.
func space(r rune) bool { return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f) }

func trimSpace(s string) string { return strings.TrimFunc(s, space) }

// errQuote: a quotation or an escape has no end.
var errQuote = errors.New("a quotation is not closed")

// splitWords splits a text as shlex.split of Python does, which the AWS CLI
// uses for the headers of sections and for credential processes: like a POSIX
// shell, without its comments, variables and patterns.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun, quote, escaped := false, rune(0), false
	for _, c := range s {
		switch {
		case escaped:
			// Between double quotes only the quote and the backslash are escaped.
			if quote != 0 && c != '\\' && c != quote {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, begun = c, true
		case strings.ContainsRune(" \t\r\n", c):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 || escaped {
		return nil, errQuote
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
