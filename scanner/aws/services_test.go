package aws

import (
	"testing"

	"github.com/cloudops/cloudops/storage/kind"
)

func TestNoTypeContradictsItselfOrAnother(t *testing.T) {
	all := unread()
	for _, c := range Collectors() {
		all = append(all, *c.Kind)
		if c.List == nil || c.Describe == nil || c.Unread {
			t.Errorf("%s can't be read", c.Type)
		}
	}
	if _, err := kind.New(all...); err != nil {
		t.Error(err)
	}
}
