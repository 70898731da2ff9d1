package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

var s3Bucket = kind.Kind{
	Type: "s3_bucket", Service: "s3", Label: kind.Regular("S3 bucket"),
	Words: []string{"bucket", "s3"}, Global: true, Reads: "s3:ListAllMyBuckets",
	Named: `[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]`, UniqueName: true, TagsApart: true,
	Forms: []kind.Form{{Pattern: `s3://.+`}, {Pattern: `.*\.s3[.-].*`}},
	IaC:   []string{"aws_s3_bucket.bucket", "AWS::S3::Bucket"},
	Facts: []kind.Fact{
		{Name: "versioning", Label: "versioning", Show: "versioning {versioning}", Embed: true, Asks: kind.Versioned, Yes: []string{"enabled"}},
	},
	Gone: []string{"NoSuchBucket"},
}

// bucketsAtOnce bounds the buckets of one account whose details are read at once.
const bucketsAtOnce = 8

func listBuckets(ctx context.Context, cfg aws.Config, t Target, s Sink) error {
	reader := newBucketReader(cfg, t, s.Note)
	// With MaxBuckets in the request AWS tells each bucket's region as well.
	pages := s3.NewListBucketsPaginator(reader.client(t.Region), &s3.ListBucketsInput{MaxBuckets: aws.Int32(1000)})
	return list(ctx, "S3 buckets", pages, nextBuckets, func(page *s3.ListBucketsOutput) error {
		found := make([]*storage.Resource, len(page.Buckets))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(bucketsAtOnce)
		for i, b := range page.Buckets {
			g.Go(func() error {
				r, err := reader.bucket(gctx, b)
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
		return s.Emit(ctx, kept)
	})
}

func nextBuckets(page *s3.ListBucketsOutput) *string { return page.ContinuationToken }

func describeBucket(ctx context.Context, cfg aws.Config, t Target, id string) (storage.Resource, error) {
	reader := newBucketReader(cfg, t, func(string, error) {})
	// HeadBucket tells no creation date, so the list is asked for just this one.
	pages := s3.NewListBucketsPaginator(reader.client(t.Region), &s3.ListBucketsInput{Prefix: &id, MaxBuckets: aws.Int32(1000)})
	described, err := storage.Resource{}, ErrGone
	listing := list(ctx, "S3 buckets", pages, nextBuckets, func(page *s3.ListBucketsOutput) error {
		for _, b := range page.Buckets {
			if aws.ToString(b.Name) == id {
				described, err = reader.bucket(ctx, b)
			}
		}
		return nil
	})
	if listing != nil {
		return storage.Resource{}, fmt.Errorf("describing an S3 bucket: %w", listing)
	}
	return described, err
}

// bucketReader reads the details of an account's buckets. What can't be read
// is noted and left out.
type bucketReader struct {
	cfg    aws.Config
	target Target
	note   func(action string, err error)

	mu   sync.Mutex      // guards what follows
	away map[string]bool // regions that don't answer
}

func newBucketReader(cfg aws.Config, t Target, note func(string, error)) *bucketReader {
	return &bucketReader{cfg: cfg, target: t, note: note, away: map[string]bool{}}
}

// bucket keeps what is allow-listed of a bucket.
func (b *bucketReader) bucket(ctx context.Context, found types.Bucket) (storage.Resource, error) {
	name, region := aws.ToString(found.Name), aws.ToString(found.BucketRegion)
	if region == "" {
		_, err := b.ask(ctx, b.target.Region, "s3:GetBucketLocation", func(client *s3.Client) error {
			out, err := client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &name})
			if err == nil {
				region = location(out.LocationConstraint)
			}
			return err
		})
		if err != nil {
			return storage.Resource{}, err
		}
	}
	r := b.target.resource(&s3Bucket, name)
	r.Name = name
	r.Region = region
	r.ARN = "arn:" + b.target.Partition + ":s3:::" + name
	r.CreatedAt = moment(found.CreationDate)
	r.Tags = map[string]string{}
	if region == "" {
		r.Metadata[kind.TagsUnknown] = true
		return r, nil
	}
	if b.target.Partition == "aws" {
		r.Aliases = []string{name + ".s3.amazonaws.com", name + ".s3." + region + ".amazonaws.com"}
	}
	known, err := b.ask(ctx, region, "s3:GetBucketTagging", func(client *s3.Client) error {
		tags, err := client.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name})
		if code(err) == "NoSuchTagSet" {
			return nil
		}
		if err == nil {
			for _, tag := range tags.TagSet {
				r.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
		}
		return err
	})
	if err != nil {
		return storage.Resource{}, err
	}
	if !known {
		r.Metadata[kind.TagsUnknown] = true
	}
	_, err = b.ask(ctx, region, "s3:GetBucketVersioning", func(client *s3.Client) error {
		out, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name})
		if err == nil {
			setVersioning(&r, versioning(out.Status))
		}
		return err
	})
	return r, err
}

// A detail that could not be read is tags_unknown, or no versioning; one that is
// kept from an earlier time has that time in NAME_as_of.

func lacksOfBucket(r storage.Resource) bool {
	return r.Region == "" || r.Metadata[kind.TagsUnknown] != nil || r.Metadata["versioning"] == nil
}

func keepOfBucket(r *storage.Resource, known storage.Resource, at time.Time) {
	keep := func(name string) {
		since, ok := known.Metadata[name+"_as_of"]
		if !ok {
			since = at.UTC().Format(time.RFC3339Nano)
		}
		r.Metadata[name+"_as_of"] = since
	}
	if r.Region == "" {
		r.Region, r.Aliases = known.Region, known.Aliases // a bucket never moves
	}
	if r.Metadata[kind.TagsUnknown] != nil && known.Metadata[kind.TagsUnknown] == nil {
		r.Tags = known.Tags
		delete(r.Metadata, kind.TagsUnknown)
		keep("tags")
	}
	if v, ok := known.Metadata["versioning"].(string); ok && r.Metadata["versioning"] == nil {
		setVersioning(r, v)
		keep("versioning")
	}
}

// ask reads one detail in a region, and says whether it is known now. The error
// is for a bucket that is gone and for the end of ctx.
func (b *bucketReader) ask(ctx context.Context, region, action string, read func(*s3.Client) error) (known bool, err error) {
	b.mu.Lock()
	away := b.away[region]
	b.mu.Unlock()
	if away {
		return false, nil
	}
	err = read(b.client(region))
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case code(err) == "NoSuchBucket":
		return false, ErrGone
	}
	// What doesn't answer for one bucket is not waited for with each other.
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		b.mu.Lock()
		b.away[region] = true
		b.mu.Unlock()
	}
	b.note(action, err)
	return false, nil
}

func setVersioning(r *storage.Resource, state string) {
	r.Metadata["versioning"] = state
	summarise(&s3Bucket, r)
}

func versioning(status types.BucketVersioningStatus) string {
	switch status {
	case types.BucketVersioningStatusEnabled:
		return "enabled"
	case types.BucketVersioningStatusSuspended:
		return "suspended"
	}
	return "off"
}

// client is a client for the region of a bucket. Servers other than AWS
// rarely resolve bucket.host, so they get the bucket in the path.
func (b *bucketReader) client(region string) *s3.Client {
	return s3.NewFromConfig(b.cfg, func(o *s3.Options) {
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
