package storage

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/cloudops/cloudops/storage/kind"
)

// S3BackupConfig is about backups in S3. This version makes none: auto_sync is
// refused. Credentials come from the AWS profiles and never stand here.
type S3BackupConfig struct {
	Bucket string `json:"bucket" yaml:"bucket"`
	Region string `json:"region" yaml:"region"`
	// AutoSync makes a backup every IntervalHours.
	AutoSync bool `json:"auto_sync,omitempty" yaml:"auto_sync,omitempty"`
	// IntervalHours is 24 when left out.
	IntervalHours int `json:"interval_hours,omitempty" yaml:"interval_hours,omitempty"`
	// RetentionDays is how long a backup is kept in S3; 30 when left out.
	RetentionDays int `json:"retention_days,omitempty" yaml:"retention_days,omitempty"`
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (c *S3BackupConfig) withDefaults() *S3BackupConfig {
	if c == nil {
		return nil
	}
	full := *c
	if full.IntervalHours == 0 {
		full.IntervalHours = 24
	}
	if full.RetentionDays == 0 {
		full.RetentionDays = 30
	}
	return &full
}

// validate wants the defaults filled in.
func (c *S3BackupConfig) validate() error {
	if c == nil {
		return nil
	}
	var errs []error
	if !bucketName.MatchString(c.Bucket) || strings.Contains(c.Bucket, "..") {
		errs = append(errs, fmt.Errorf("s3_backup.bucket %q: must be a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens", c.Bucket))
	}
	if !kind.RegionShaped(c.Region) {
		errs = append(errs, fmt.Errorf("s3_backup.region %q: must be a region, such as us-west-2", c.Region))
	}
	if c.IntervalHours < 1 || c.IntervalHours > 24*365 {
		errs = append(errs, fmt.Errorf("s3_backup.interval_hours %d: must be 1 to 8760", c.IntervalHours))
	}
	if c.RetentionDays < 1 || c.RetentionDays > 36500 {
		errs = append(errs, fmt.Errorf("s3_backup.retention_days %d: must be 1 to 36500", c.RetentionDays))
	}
	if c.AutoSync {
		errs = append(errs, errors.New("s3_backup.auto_sync: this version makes no backups yet; set it to false, and copy the home while no daemon runs"))
	}
	return errors.Join(errs...)
}
