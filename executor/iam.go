package executor

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// IAM is what leaves the daemon about the permissions on a resource of a type:
// the actions of the operations that the catalog has for it, and who asks, as
// far as known. Whether the caller may is not computed, so all are unknown.
func IAM(resourceType string, who session.Identity) *storage.IAM {
	actions := []string{}
	if k := aws.Kinds().Of(resourceType); k != nil {
		for _, a := range k.Actions {
			if op, ok := catalog.Find(k.Service, a.Operation); ok {
				actions = append(actions, op.Actions...)
			}
		}
	}
	slices.Sort(actions)
	return &storage.IAM{
		AllowedActions: []string{},
		DeniedActions:  []string{},
		UnknownActions: slices.Compact(actions),
		UserContext:    userContext(who),
	}
}

// userContext reads a caller's ARN: a user, or a session of a role.
func userContext(who session.Identity) (u storage.UserContext) {
	a, err := arn.Parse(who.ARN)
	if err != nil {
		return u
	}
	sort, name, _ := strings.Cut(a.Resource, "/")
	switch role, session, _ := strings.Cut(name, "/"); sort {
	case "assumed-role":
		u.Username = session
		u.RoleARN = arn.ARN{Partition: a.Partition, Service: "iam", AccountID: a.AccountID, Resource: "role/" + role}.String()
	case "user", "federated-user":
		u.Username = path.Base(name)
	default:
		u.Username = a.Resource
	}
	if !who.Expires.IsZero() {
		expires := who.Expires.UTC().Truncate(time.Second)
		u.SessionExpires = &expires
	}
	return u
}
