package storage

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/kind"
)

func TestHealth(t *testing.T) {
	s := newHome(t).openConfig(t, Config{S3Backup: &S3BackupConfig{Bucket: "my-cloudops-backup", Region: "us-west-2"}})
	if _, err := s.Estate.BulkUpsert(t.Context(), instances(7)); err != nil {
		t.Fatal(err)
	}
	talk(t, s, "first", "second")
	h := s.Health()
	if h.Mode != "embedded" || h.Version == "" || !h.Connection.Connected || !h.S3Configured || h.Resources != 7 || h.DiskSpaceMB <= 0 {
		t.Errorf("Health = %+v", h)
	}
	want := []CollectionHealth{{"chat_history", 3, "green"}, {"aws_estate", 7, "green"}}
	if fmt.Sprint(h.Collections) != fmt.Sprint(want) {
		t.Errorf("collections %+v, want %+v", h.Collections, want)
	}
	if len(h.Problems) != 0 || h.Problems == nil || h.Warnings == nil {
		t.Errorf("Health = %+v", h)
	}
	for _, w := range h.Warnings {
		if !strings.Contains(w.Message, "free where the home is") { // which may be so here
			t.Errorf("a warning: %+v", w)
		}
	}
}

func TestHealthOfAQdrantThatDoesNotAnswer(t *testing.T) {
	var gone atomic.Bool
	s, err := open(t.Context(), Config{}, newHome(t).keys, &kind.Set{}, func(c *endpoint.Config) {
		c.Options = append(c.Options, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if gone.Load() {
				return status.Error(codes.Unavailable, "gone")
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Estate.Upsert(t.Context(), instance(1)); err != nil {
		t.Fatal(err)
	}
	gone.Store(true)
	h := s.Health()
	for _, c := range h.Collections {
		if c.Status != "unknown" || c.PointsCount != 0 {
			t.Errorf("a collection that nobody can ask: %+v", c)
		}
	}
	if h.Resources != 1 || len(h.Collections) != 2 {
		t.Errorf("Health = %+v", h)
	}
}

// Points that no resource stands behind, such as duplicates, raise the alarm.
func TestUnexpectedGrowthIsTold(t *testing.T) {
	s := newHome(t).open(t)
	if _, err := s.Estate.BulkUpsert(t.Context(), instances(10)); err != nil {
		t.Fatal(err)
	}
	grown := func() bool {
		for _, w := range s.Health().Warnings {
			if strings.Contains(w.Message, "aws_estate") && strings.Contains(w.Message, "for 10 resources") && w.Mend != "" {
				return true
			}
		}
		return false
	}
	foreign := func(n int) {
		t.Helper()
		points := make([]*qdrant.PointStruct, n)
		for i := range points {
			points[i] = newPoint(uuid.NewString(), map[string]*qdrant.Value{fieldRegion: qdrant.NewValueString("us-west-2")})
		}
		if err := upsert(t.Context(), s.Estate.client, s.Estate.name, points); err != nil {
			t.Fatal(err)
		}
	}
	foreign(100)
	if grown() {
		t.Error("a few points raise an alarm")
	}
	foreign(200)
	if !grown() {
		t.Errorf("310 points for 10 resources raise none: %+v", s.Health())
	}
}

func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		h    Health
		want string // "" for none
	}{
		"all is well":   {Health{DiskSpaceMB: 512, Collections: []CollectionHealth{{Status: "green"}, {Status: "yellow"}}}, ""},
		"unknown":       {Health{DiskSpaceMB: -1, Collections: []CollectionHealth{{Status: "unknown"}, {Status: "grey"}}}, ""},
		"a full disk":   {Health{DiskSpaceMB: 0}, "only 0 MB are free"},
		"hardly any":    {Health{DiskSpaceMB: 511}, "only 511 MB are free"},
		"a broken part": {Health{DiskSpaceMB: -1, Collections: []CollectionHealth{{Name: "chat_history", Status: "red"}}}, "chat_history is red"},
	} {
		got := c.h.warnings(CollectionHealth{Name: "aws_estate", PointsCount: 256}, 0)
		switch {
		case c.want == "" && len(got) != 0, c.want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, c.want) || got[0].Mend == ""):
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}
