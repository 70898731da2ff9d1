package aws

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/cloudops/cloudops/storage/kind"
)

// Regions lists the regions of a partition that are enabled in the account
// (ec2:DescribeRegions).
func Regions(ctx context.Context, cfg aws.Config, partition string) ([]string, error) {
	out, err := ec2.NewFromConfig(cfg).DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(false)})
	if err != nil {
		return nil, fmt.Errorf("listing the enabled regions: %w", err)
	}
	names := make([]string, 0, len(out.Regions))
	for _, r := range out.Regions {
		// Emulators list regions that nobody opted into, and other partitions' too.
		name := aws.ToString(r.RegionName)
		if name != "" && aws.ToString(r.OptInStatus) != "not-opted-in" && kind.Partition(name) == partition {
			names = append(names, name)
		}
	}
	if len(names) == 0 { // a few can't be switched off
		return nil, fmt.Errorf("listing the enabled regions: %w",
			NotAWS("a list of regions with none of "+partition))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
