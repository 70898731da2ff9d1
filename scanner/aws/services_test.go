package aws

import (
	"testing"

	"github.com/cloudops/cloudops/storage/kind"
)

func TestNoTypeContradictsItselfOrAnother(t *testing.T) {
	for _, c := range Collectors() {
		if c.List == nil || c.Describe == nil || c.Unread {
			t.Errorf("%s can't be read", c.Type)
		}
	}
	if _, err := kind.New(known()...); err != nil {
		t.Error(err)
	}
}
