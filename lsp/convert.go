package lsp

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.lsp.dev/protocol"
)

// encoding is how the editor counts the columns of a line.
type encoding int

const (
	utf16 encoding = iota
	utf8bytes
)

// position is a place in a document as the editor counts.
type position struct{ line, character uint32 }

// area is the part of a document that a request is about: a place where it
// begins and ends at once. The zero area is of no document.
type area struct {
	uri        string
	start, end position
}

func placeOf(p protocol.TextDocumentPositionParams) area {
	at := fromPosition(p.Position)
	return area{string(p.TextDocument.URI), at, at}
}

func areaOf(d protocol.TextDocumentIdentifier, r protocol.Range) area {
	return area{string(d.URI), fromPosition(r.Start), fromPosition(r.End)}
}

// encodingOf picks from what the editor offers: bytes where it can, which cost
// nothing to convert, else what every editor can.
func encodingOf(offered []protocol.PositionEncodingKind) encoding {
	if slices.Contains(offered, protocol.PositionEncodingKindUTF8) {
		return utf8bytes
	}
	return utf16
}

func (e encoding) kind() protocol.PositionEncodingKind {
	if e == utf8bytes {
		return protocol.PositionEncodingKindUTF8
	}
	return protocol.PositionEncodingKindUTF16
}

func fromPosition(p protocol.Position) position {
	return position{p.Line, p.Character}
}

// offset is the byte offset of a position. Positions beyond a line or the text
// are its end, those within a character its start.
func (d *document) offset(p position, enc encoding) int {
	text, lines := d.content()
	if uint64(p.line) >= uint64(len(lines)) {
		return len(text)
	}
	start, end := d.line(int(p.line))
	line := text[start:end]
	if enc == utf8bytes {
		at := int(min(uint64(p.character), uint64(len(line))))
		for at > 0 && at < len(line) && !utf8.RuneStart(line[at]) {
			at--
		}
		return start + at
	}
	left := uint64(p.character)
	for i, r := range line {
		units := utf16Units(r)
		if left < units {
			return start + i
		}
		left -= units
	}
	return end
}

// position is the inverse of offset.
func (d *document) position(offset int, enc encoding) protocol.Position {
	text := d.text()
	offset = max(0, min(offset, len(text)))
	n := d.lineOf(offset)
	start, end := d.line(n)
	line := text[start:min(offset, end)]
	if enc == utf8bytes {
		return protocol.Position{Line: uint32(n), Character: uint32(len(line))}
	}
	var units uint64
	for _, r := range line {
		units += utf16Units(r)
	}
	return protocol.Position{Line: uint32(n), Character: uint32(units)}
}

func utf16Units(r rune) uint64 {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// fromChanges copies what it keeps: decoded strings share the message's memory.
func fromChanges(changes []protocol.TextDocumentContentChangeEvent) []edit {
	edits := make([]edit, 0, len(changes))
	for _, c := range changes {
		switch c := c.(type) {
		case *protocol.TextDocumentContentChangeWholeDocument:
			edits = append(edits, edit{whole: true, text: strings.Clone(c.Text)})
		case *protocol.TextDocumentContentChangePartial:
			edits = append(edits, edit{
				start: fromPosition(c.Range.Start), end: fromPosition(c.Range.End), text: strings.Clone(c.Text),
			})
		}
	}
	return edits
}

func toHover(kind protocol.MarkupKind, text string, at protocol.Range) *protocol.Hover {
	return &protocol.Hover{Contents: &protocol.MarkupContent{Kind: kind, Value: text}, Range: &at}
}

// folders are the paths of the workspace: its folders, else the root.
func folders(p *protocol.InitializeParams) []string {
	if list, ok := p.WorkspaceFolders.Get(); ok {
		return folderPaths(list)
	}
	//lint:ignore SA1019 older editors send nothing else
	if p.RootURI != nil {
		//lint:ignore SA1019 older editors send nothing else
		return folderPaths([]protocol.WorkspaceFolder{{URI: *p.RootURI}})
	}
	//lint:ignore SA1019 older editors send nothing else
	if path, ok := p.RootPath.Get(); ok && path != "" {
		return []string{strings.Clone(path)}
	}
	return nil
}

// folderPaths leaves out what is not on this disk.
func folderPaths(list []protocol.WorkspaceFolder) []string {
	var paths []string
	for _, f := range list {
		if strings.HasPrefix(string(f.URI), "file:") {
			paths = append(paths, strings.Clone(f.URI.FsPath()))
		}
	}
	return paths
}

func isTrue(b *bool) bool { return b != nil && *b }
