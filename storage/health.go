package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/endpoint"
)

const (
	// healthTime bounds what Health asks of Qdrant.
	healthTime = 3 * time.Second
	// lowSpaceMB is below how much free space writing may soon fail.
	lowSpaceMB = 512
)

// Health is how the store is.
type Health struct {
	// Mode is embedded, local or remote.
	Mode string `json:"mode"`
	// Version is the version of Qdrant, or the one the engine follows; "" while
	// it was never reached.
	Version string `json:"version"`
	// Connection is whether Qdrant answers.
	Connection endpoint.State `json:"connection"`
	// S3Configured: config.yaml names a bucket for backups.
	S3Configured bool `json:"s3_configured"`
	// DiskSpaceMB is what is free where the home is, in units of 2^20 bytes; -1
	// where the system does not say.
	DiskSpaceMB int64 `json:"disk_space_mb"`
	// Collections are the two, the chat first.
	Collections []CollectionHealth `json:"collections"`
	// Resources is how many are known.
	Resources int `json:"resources"`
	// Warnings is what should be looked at before it becomes damage.
	Warnings []Warning `json:"warnings"`
	// Problems is what was found damaged and passed over.
	Problems []Problem `json:"problems"`
}

// CollectionHealth is how a collection is.
type CollectionHealth struct {
	Name        string `json:"name"`
	PointsCount int    `json:"points_count"`
	// Status is green, yellow, grey or red, as Qdrant says it, or unknown when it
	// does not answer.
	Status string `json:"status"`
}

// Warning says what is not as it should be, and what to do.
type Warning struct {
	Message string `json:"message"`
	Mend    string `json:"mend"`
}

const unknownStatus = "unknown"

// Health says how the store is. It asks Qdrant, for three seconds at most.
func (s *Service) Health() Health {
	ctx, cancel := context.WithTimeout(context.Background(), healthTime)
	defer cancel()
	_ = s.Chat.settle(ctx) // what cannot be reached is looked at the next time
	s.endpoint.Scrubbed(ctx)
	s.Chat.checkOnce(ctx)
	h := Health{
		Mode: s.cfg.Qdrant.Mode, Version: s.endpoint.Version(), S3Configured: s.cfg.S3Backup != nil,
		DiskSpaceMB: -1, Resources: s.Estate.index.Len(),
		Collections: []CollectionHealth{s.collection(ctx, s.Chat.name), s.collection(ctx, s.Estate.name)},
		Connection:  s.endpoint.State(), Problems: s.faults.list(),
	}
	s.Estate.suspect(h.Problems)
	if free, ok := freeSpace(s.cfg.DataPath); ok {
		h.DiskSpaceMB = int64(free >> 20)
	}
	damaged := 0
	for _, p := range h.Problems {
		if strings.HasPrefix(p.Collection, s.Estate.name) {
			damaged++
		}
	}
	h.Warnings = append(h.warnings(h.Collections[1], h.Resources+damaged), s.faults.wroteBack()...)
	return h
}

func (s *Service) collection(ctx context.Context, name string) CollectionHealth {
	c := CollectionHealth{Name: name, Status: unknownStatus}
	info, err := s.endpoint.Client.GetCollectionInfo(ctx, name)
	if err != nil {
		return c
	}
	n, err := s.endpoint.Client.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)})
	if err != nil {
		return c
	}
	c.PointsCount, c.Status = int(n), strings.ToLower(info.GetStatus().String())
	return c
}

// warnings looks at the numbers; expected is how many points the estate's
// collection should have.
func (h Health) warnings(estate CollectionHealth, expected int) []Warning {
	all := []Warning{}
	if h.DiskSpaceMB >= 0 && h.DiskSpaceMB < lowSpaceMB {
		all = append(all, Warning{
			fmt.Sprintf("only %d MB are free where the home is", h.DiskSpaceMB),
			fmt.Sprintf("free some space: below %d MB a write may fail", lowSpaceMB),
		})
	}
	// What is being written is not known yet.
	if estate.PointsCount > 2*expected+pageSize {
		all = append(all, Warning{
			fmt.Sprintf("%s holds %d points for %d resources: it has grown unexpectedly", estate.Name, estate.PointsCount, expected),
			"see that nothing else writes to this collection, then remove it and run: cloudops scan --full",
		})
	}
	for _, c := range h.Collections {
		if !slices.Contains([]string{"green", "yellow", "grey", unknownStatus}, c.Status) {
			all = append(all, Warning{
				fmt.Sprintf("the collection %s is %s: Qdrant has failed at a part of it", c.Name, c.Status),
				"look into the log of Qdrant, and restart it",
			})
		}
	}
	return all
}
