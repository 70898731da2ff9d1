package scanner

import "time"

// SetPatience bounds each wait of a scanner that was not used yet.
func (s *Scanner) SetPatience(d time.Duration) {
	s.wait = patience{connect: d, silence: d, call: d, identity: d, describe: d}
}
