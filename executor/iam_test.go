package executor

import (
	"slices"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner/session"
)

func TestPermissionsNameActionsAndCallerAndClaimNothing(t *testing.T) {
	expires := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		who            session.Identity
		username, role string
	}{
		{session.Identity{}, "", ""},
		{session.Identity{ARN: "arn:aws:iam::123456789012:user/team/ann"}, "ann", ""},
		{session.Identity{ARN: "arn:aws:iam::123456789012:root"}, "root", ""},
		{session.Identity{ARN: "arn:aws-cn:sts::123456789012:assumed-role/reader/me@example.org"}, "me@example.org", "arn:aws-cn:iam::123456789012:role/reader"},
		{session.Identity{ARN: "arn:aws:sts::123456789012:federated-user/bob"}, "bob", ""},
		{session.Identity{ARN: "no arn"}, "", ""},
	} {
		c.who.Expires = expires
		iam := IAM("rds_instance", c.who)
		if u := iam.UserContext; u.Username != c.username || u.RoleARN != c.role || (c.username != "" && !u.SessionExpires.Equal(expires)) {
			t.Errorf("%s: %+v", c.who.ARN, u)
		}
		want := []string{"rds:DescribeDBInstances", "rds:RebootDBInstance", "rds:StartDBInstance", "rds:StopDBInstance"}
		if !slices.Equal(iam.UnknownActions, want) || len(iam.AllowedActions)+len(iam.DeniedActions) != 0 || iam.AllowedActions == nil {
			t.Errorf("actions: %+v", iam)
		}
	}
	if u := IAM("s3_bucket", session.Identity{ARN: "arn:aws:iam::1:user/x"}); u.UnknownActions == nil || u.UserContext.SessionExpires != nil {
		t.Errorf("a type without operations: %+v", u)
	}
}
