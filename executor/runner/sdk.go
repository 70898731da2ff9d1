// Package runner makes the one call to AWS that an approved command stands
// for, through the SDK, so that nothing need be installed.
//
// Its entry point is Call. Build names the code that would make the call.
//
// Invariants: a change is sent at most once, never retried; the error of a call
// says whether AWS can have acted; of a result only the fields listed in the
// catalog are kept, up to a bounded size.
package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/cloudops/cloudops/executor/catalog"
	services "github.com/cloudops/cloudops/scanner/aws"
)

// Name is this runner's, in digests and on cards.
const Name = "sdk"

// maxPages bounds what a describe without targets reads.
const maxPages = 10

// errNotImplemented: the catalog holds an operation that this package does not.
var errNotImplemented = errors.New("not implemented")

// Build is the SHA-256 of the running executable, in hex.
var Build = sync.OnceValues(func() (string, error) {
	// On Linux this is the image that runs, even when the file was replaced.
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		path, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("finding the running program: %w", err)
		}
		if f, err = os.Open(path); err != nil {
			return "", fmt.Errorf("reading the running program: %w", err)
		}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading the running program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
})

// Call performs an operation with vetted parameters (string, bool, []string)
// and returns the kept part of the result as indented JSON. Its error is an
// *Error.
func Call(ctx context.Context, cfg aws.Config, op *catalog.Operation, params map[string]any) (string, error) {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	if !op.Changes() {
		cfg.Retryer = func() aws.Retryer { return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 3 }) }
	}
	ctx, sent := traceSent(ctx)
	items, more, err := call(ctx, cfg, op, params)
	if err == nil {
		err = about(targets(op, params), items)
	}
	if err != nil {
		return "", classify(err, sent.Load())
	}
	return output(op, items, more), nil
}

// call returns what stands under op.Items in the result, and whether pages
// were left unread.
func call(ctx context.Context, cfg aws.Config, op *catalog.Operation, params map[string]any) (items any, more bool, err error) {
	text := func(name string) *string {
		if s, ok := params[name].(string); ok {
			return &s
		}
		return nil
	}
	flag := func(name string) *bool {
		if b, ok := params[name].(bool); ok {
			return &b
		}
		return nil
	}
	ids := targets(op, params)
	switch op.Service {
	case "ec2":
		client := ec2.NewFromConfig(cfg)
		switch op.API {
		case "StartInstances":
			out, err := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids})
			return one(out, err, func() any { return out.StartingInstances })
		case "StopInstances":
			out, err := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids,
				Force: flag("force"), Hibernate: flag("hibernate"), SkipOsShutdown: flag("skip-os-shutdown")})
			return one(out, err, func() any { return out.StoppingInstances })
		case "RebootInstances":
			out, err := client.RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: ids})
			return one(out, err, func() any { return nil })
		case "DescribeInstances":
			return pages(ctx, ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{InstanceIds: ids}),
				func(out *ec2.DescribeInstancesOutput) ([]ec2types.Reservation, *string) {
					return out.Reservations, out.NextToken
				})
		}
	case "rds":
		client := rds.NewFromConfig(cfg)
		id := text(op.Target)
		switch op.API {
		case "StartDBInstance":
			out, err := client.StartDBInstance(ctx, &rds.StartDBInstanceInput{DBInstanceIdentifier: id})
			return one(out, err, func() any { return out.DBInstance })
		case "StopDBInstance":
			out, err := client.StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: id,
				DBSnapshotIdentifier: text("db-snapshot-identifier")})
			return one(out, err, func() any { return out.DBInstance })
		case "RebootDBInstance":
			out, err := client.RebootDBInstance(ctx, &rds.RebootDBInstanceInput{DBInstanceIdentifier: id,
				ForceFailover: flag("force-failover")})
			return one(out, err, func() any { return out.DBInstance })
		case "DescribeDBInstances":
			return pages(ctx, rds.NewDescribeDBInstancesPaginator(client, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: id}),
				func(out *rds.DescribeDBInstancesOutput) ([]rdstypes.DBInstance, *string) {
					return out.DBInstances, out.Marker
				})
		case "StartDBCluster":
			out, err := client.StartDBCluster(ctx, &rds.StartDBClusterInput{DBClusterIdentifier: id})
			return one(out, err, func() any { return out.DBCluster })
		case "StopDBCluster":
			out, err := client.StopDBCluster(ctx, &rds.StopDBClusterInput{DBClusterIdentifier: id})
			return one(out, err, func() any { return out.DBCluster })
		case "RebootDBCluster":
			out, err := client.RebootDBCluster(ctx, &rds.RebootDBClusterInput{DBClusterIdentifier: id})
			return one(out, err, func() any { return out.DBCluster })
		case "DescribeDBClusters":
			return pages(ctx, rds.NewDescribeDBClustersPaginator(client, &rds.DescribeDBClustersInput{DBClusterIdentifier: id}),
				func(out *rds.DescribeDBClustersOutput) ([]rdstypes.DBCluster, *string) {
					return out.DBClusters, out.Marker
				})
		}
	}
	return nil, false, fmt.Errorf("%s %s: %w", op.Service, op.API, errNotImplemented)
}

// targets are the ids that a call names; none for a list of all.
func targets(op *catalog.Operation, params map[string]any) []string {
	if id, ok := params[op.Target].(string); ok {
		return []string{id}
	}
	ids, _ := params[op.Target].([]string)
	return ids
}

// about refuses a result that is not of the targets, each of them and nothing
// else: AWS answers a call that names one which is not there with an error.
func about(targets []string, items any) error {
	var named []*string
	switch items := items.(type) {
	case nil: // there is none for a reboot of instances
		return nil
	case []ec2types.InstanceStateChange:
		for _, i := range items {
			named = append(named, i.InstanceId)
		}
	case []ec2types.Reservation:
		for _, r := range items {
			for _, i := range r.Instances {
				named = append(named, i.InstanceId)
			}
		}
	case []rdstypes.DBInstance:
		for _, d := range items {
			named = append(named, d.DBInstanceIdentifier)
		}
	case []rdstypes.DBCluster:
		for _, d := range items {
			named = append(named, d.DBClusterIdentifier)
		}
	case *rdstypes.DBInstance:
		named = append(named, items.DBInstanceIdentifier)
	case *rdstypes.DBCluster:
		named = append(named, items.DBClusterIdentifier)
	}
	same := func(a string) func(*string) bool {
		return func(b *string) bool { return strings.EqualFold(a, aws.ToString(b)) }
	}
	for _, id := range targets {
		if !slices.ContainsFunc(named, same(id)) {
			return services.NotAWS("one that is not about " + id)
		}
	}
	if len(targets) > 0 && len(named) != len(targets) {
		return services.NotAWS("one about other resources too")
	}
	return nil
}

// one is the whole of a result; items is asked only when there is one.
func one[O any](_ O, err error, items func() any) (any, bool, error) {
	if err != nil {
		return nil, false, err
	}
	return items(), false, nil
}

func pages[R, O, T any](ctx context.Context, p services.Pager[R, O], read func(R) (items []T, next *string)) (any, bool, error) {
	all := []T{}
	more, err := services.Pages(ctx, p, maxPages,
		func(out R) *string { _, next := read(out); return next },
		func(out R) error {
			items, _ := read(out)
			all = append(all, items...)
			return nil
		})
	if err != nil {
		return nil, false, err
	}
	return all, more, nil
}
