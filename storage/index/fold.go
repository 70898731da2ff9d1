package index

import (
	"hash/maphash"
	"unicode"
	"unicode/utf8"
)

// foldRune is the one representative of all runes that equal r but for case.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least < utf8.RuneSelf {
		return foldRune(least)
	}
	return least
}

// appendFold appends s with case folded.
func appendFold[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			for _, r := range string(s[i:]) {
				dst = utf8.AppendRune(dst, foldRune(r))
			}
			return dst
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// foldHash is the fingerprint of an identifier. The seed is random, so nobody
// can choose names that collide.
func foldHash(seed maphash.Seed, s string) uint32 {
	var few [128]byte
	return hash(seed, appendFold(few[:0], s))
}

// hash is the fingerprint of a folded identifier.
func hash(seed maphash.Seed, folded []byte) uint32 {
	return uint32(maphash.Bytes(seed, folded) >> 32)
}

// appendText appends a string of an encoded record with case folded.
func appendText(dst, b []byte, p span, strs []string) []byte {
	if p.number > 0 {
		return appendFold(dst, strs[p.number-1])
	}
	return appendFold(dst, b[p.lo:p.hi])
}
