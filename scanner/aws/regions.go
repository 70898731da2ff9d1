package aws

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// Regions lists the regions that are enabled in the account (ec2:DescribeRegions).
func Regions(ctx context.Context, cfg aws.Config) ([]string, error) {
	out, err := ec2.NewFromConfig(cfg).DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(false)})
	if err != nil {
		return nil, fmt.Errorf("listing the enabled regions: %w", err)
	}
	names := make([]string, 0, len(out.Regions))
	for _, r := range out.Regions {
		// Emulators list regions that nobody opted into as well.
		if name := aws.ToString(r.RegionName); name != "" && aws.ToString(r.OptInStatus) != "not-opted-in" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
