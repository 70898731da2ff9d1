package aws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Caller is who the credentials belong to.
type Caller struct {
	AccountID string
	ARN       string
	Partition string
}

// Identify asks sts:GetCallerIdentity, which needs no permission.
func Identify(ctx context.Context, cfg aws.Config) (Caller, error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Caller{}, fmt.Errorf("asking AWS who the caller is: %w", err)
	}
	account := aws.ToString(out.Account)
	if account == "" {
		return Caller{}, errors.New("asking AWS who the caller is: the answer names no account")
	}
	c := Caller{AccountID: account, ARN: aws.ToString(out.Arn), Partition: "aws"}
	if parsed, err := arn.Parse(c.ARN); err == nil && parsed.Partition != "" {
		c.Partition = parsed.Partition
	}
	return c, nil
}
