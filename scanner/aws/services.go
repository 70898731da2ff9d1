package aws

import (
	"slices"
	"sync"

	"github.com/cloudops/cloudops/storage/kind"
)

// collectors are all types that are read, one line each.
var collectors = []Collector{
	{Kind: &ec2Instance, List: listInstances, Describe: describeInstance, Live: protection},
	{Kind: &rdsInstance, List: listDBInstances, Describe: describeDBInstance},
	{Kind: &rdsCluster, List: listDBClusters, Describe: describeDBCluster},
	{Kind: &s3Bucket, List: listBuckets, Describe: describeBucket, Lacks: lacksOfBucket, Keep: keepOfBucket},
}

// Collectors lists all collectors; the list is not the caller's to change.
func Collectors() []Collector { return collectors }

// CollectorOf is the collector of a type.
func CollectorOf(typ string) (Collector, bool) {
	c, ok := byType()[typ]
	return c, ok
}

var byType = sync.OnceValue(func() map[string]Collector {
	m := map[string]Collector{}
	for _, c := range collectors {
		m[c.Type] = c
	}
	return m
})

// known is all types, those that are read first: one that is read has no need of
// its row among those that are not.
func known() []kind.Kind {
	var all []kind.Kind
	for _, c := range collectors {
		all = append(all, *c.Kind)
	}
	return append(all, slices.DeleteFunc(unread(), func(k kind.Kind) bool {
		_, read := CollectorOf(k.Type)
		return read
	})...)
}

// Kinds is all types that are known, read or not. That no type contradicts
// itself or another is tested, so that it never fails here.
var Kinds = sync.OnceValue(func() *kind.Set {
	set, err := kind.New(known()...)
	if err != nil {
		panic("the table of types is wrong: " + err.Error())
	}
	return set
})
