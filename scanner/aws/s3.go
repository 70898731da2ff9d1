package aws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/cloudops/cloudops/storage"
)

// bucketsAtOnce bounds the buckets of one account whose details are read at once.
const bucketsAtOnce = 8

func listBuckets(ctx context.Context, cfg aws.Config, t Target, s Sink) error {
	// With MaxBuckets in the request AWS tells each bucket's region as well.
	pages := s3.NewListBucketsPaginator(bucketClient(cfg, t.Region), &s3.ListBucketsInput{MaxBuckets: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing S3 buckets: %w", err)
		}
		found := make([]*storage.Resource, len(page.Buckets))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(bucketsAtOnce)
		for i, b := range page.Buckets {
			g.Go(func() error {
				r, err := bucket(gctx, cfg, t, b, s.Note)
				if errors.Is(err, ErrGone) {
					return nil
				}
				found[i] = &r
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		kept := []storage.Resource{}
		for _, r := range found {
			if r != nil {
				kept = append(kept, *r)
			}
		}
		if err := s.Emit(ctx, kept); err != nil {
			return err
		}
	}
	return nil
}

func describeBucket(ctx context.Context, cfg aws.Config, t Target, id string) (storage.Resource, error) {
	// HeadBucket tells no creation date, so the list is asked for just this one.
	pages := s3.NewListBucketsPaginator(bucketClient(cfg, t.Region), &s3.ListBucketsInput{Prefix: &id, MaxBuckets: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return storage.Resource{}, fmt.Errorf("describing an S3 bucket: %w", err)
		}
		for _, b := range page.Buckets {
			if aws.ToString(b.Name) == id {
				return bucket(ctx, cfg, t, b, func(string, error) {})
			}
		}
	}
	return storage.Resource{}, ErrGone
}

// bucket reads the details of a bucket and keeps what is allow-listed.
// Details that can't be read are noted and left out.
func bucket(ctx context.Context, cfg aws.Config, t Target, b types.Bucket, note func(string, error)) (storage.Resource, error) {
	name, region := aws.ToString(b.Name), aws.ToString(b.BucketRegion)
	if region == "" {
		out, err := bucketClient(cfg, t.Region).GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &name})
		switch {
		case code(err) == "NoSuchBucket":
			return storage.Resource{}, ErrGone
		case ctx.Err() != nil:
			return storage.Resource{}, ctx.Err()
		case err != nil:
			note("s3:GetBucketLocation", err)
		default:
			region = location(out.LocationConstraint)
		}
	}
	r := t.resource("s3", "s3_bucket", name)
	r.Name = name
	r.Region = region
	r.ARN = "arn:" + t.Partition + ":s3:::" + name
	r.CreatedAt = moment(b.CreationDate)
	r.Tags = map[string]string{}
	r.Summary = "bucket"
	if t.Partition == "aws" {
		r.Aliases = []string{name + ".s3.amazonaws.com", name + ".s3." + region + ".amazonaws.com"}
	}
	if region == "" {
		r.Aliases = nil
		r.Metadata["tags_unknown"] = true
		return r, nil
	}

	client := bucketClient(cfg, region)
	tags, err := client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name})
	switch {
	case err == nil:
		for _, tag := range tags.TagSet {
			r.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	case code(err) == "NoSuchTagSet":
	case code(err) == "NoSuchBucket":
		return storage.Resource{}, ErrGone
	case ctx.Err() != nil:
		return storage.Resource{}, ctx.Err()
	default:
		r.Metadata["tags_unknown"] = true
		note("s3:GetBucketTagging", err)
	}
	versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name})
	switch {
	case err == nil:
		state := "off"
		switch versioning.Status {
		case types.BucketVersioningStatusEnabled:
			state = "enabled"
		case types.BucketVersioningStatusSuspended:
			state = "suspended"
		}
		r.Metadata["versioning"] = state
		r.Summary = summary(r.Summary, "versioning "+state)
	case code(err) == "NoSuchBucket":
		return storage.Resource{}, ErrGone
	case ctx.Err() != nil:
		return storage.Resource{}, ctx.Err()
	default:
		note("s3:GetBucketVersioning", err)
	}
	return r, nil
}

// bucketClient is a client for the region of a bucket. Servers other than AWS
// rarely resolve bucket.host, so they get the bucket in the path.
func bucketClient(cfg aws.Config, region string) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Region = region
		o.UsePathStyle = o.BaseEndpoint != nil
	})
}

// location is the region of a LocationConstraint, which has two old spellings.
func location(c types.BucketLocationConstraint) string {
	switch c {
	case "":
		return "us-east-1"
	case types.BucketLocationConstraintEu:
		return "eu-west-1"
	}
	return string(c)
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
