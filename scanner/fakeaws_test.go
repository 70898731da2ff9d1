package scanner_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner/session"
)

// What fakeAWS has: one account, two regions, and a role for who brings the token.
const (
	fakeAccount = "123456789012"
	fakeToken   = "a.web.token"
)

var fakeRegions = []string{"eu-west-1", "us-west-2"}

// fakeAWS answers a scan from memory, with resources of every type that come,
// go and change with each round, each list in several pages.
type fakeAWS struct {
	*httptest.Server
	round atomic.Int64
	// instead answers in its place where it returns true; nil never does.
	instead atomic.Pointer[func(w http.ResponseWriter, operation string, r *http.Request) bool]

	mu    sync.Mutex // guards what follows
	calls map[string]int
}

// answer lets a function answer in place of AWS; nil lets AWS answer again.
func (f *fakeAWS) answer(instead func(w http.ResponseWriter, operation string, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.calls)
	if instead == nil {
		f.instead.Store(nil)
		return
	}
	f.instead.Store(&instead)
}

// called is how often an operation was called since the last answer.
func (f *fakeAWS) called(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[operation]
}

const (
	fakeNumber = 80
	fakePage   = 20
)

// fakeHas says whether the resource of a number exists in a round.
func fakeHas(n, round int) bool { return (n+round)%5 != 0 }

func newFakeAWS(t *testing.T) *fakeAWS {
	f := &fakeAWS{calls: map[string]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// environment is a session that reaches it.
func (f *fakeAWS) environment(t *testing.T) session.Environment {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte("[default]\naws_access_key_id = AKIAFAKE\naws_secret_access_key = fake\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return session.Environment{CredentialsFile: path, Region: "us-west-2", EndpointURL: f.URL}
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := r.FormValue("Action")
	if r.Method == http.MethodGet {
		operation = "ListBuckets"
		for detail, name := range map[string]string{"tagging": "GetBucketTagging", "versioning": "GetBucketVersioning", "location": "GetBucketLocation"} {
			if r.URL.Query().Has(detail) {
				operation = name
			}
		}
	}
	f.mu.Lock()
	f.calls[operation]++
	f.mu.Unlock()
	if instead := f.instead.Load(); instead != nil && (*instead)(w, operation, r) {
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	round := int(f.round.Load())
	from, _ := strconv.Atoi(r.FormValue("NextToken") + r.FormValue("Marker") + r.FormValue("continuation-token"))
	next, items := "", ""
	each := func(form string) {
		n := from
		for on := 0; n < fakeNumber && on < fakePage; n++ {
			if fakeHas(n, round) {
				items += fmt.Sprintf(form, n, round)
				on++
			}
		}
		if n < fakeNumber {
			next = strconv.Itoa(n)
		}
	}
	answer := operation + "Response"
	switch operation {
	case "ListBuckets":
		answer = "ListAllMyBucketsResult"
		each("<Bucket><Name>bucket-%d</Name><BucketRegion>us-west-2</BucketRegion><Round>%d</Round></Bucket>")
		items = "<Buckets>" + items + "</Buckets>"
		if next != "" {
			items += "<ContinuationToken>" + next + "</ContinuationToken>"
		}
	case "GetBucketTagging":
		answer = "Tagging"
		items = fmt.Sprintf("<TagSet><Tag><Key>round</Key><Value>%d</Value></Tag></TagSet>", round)
	case "GetBucketVersioning":
		answer = "VersioningConfiguration"
		items = "<Status>Enabled</Status>"
	case "GetBucketLocation":
		answer = "LocationConstraint"
		items = "us-west-2"
	case "GetCallerIdentity":
		items = "<GetCallerIdentityResult><Arn>arn:aws:iam::" + fakeAccount + ":user/me</Arn><Account>" + fakeAccount + "</Account></GetCallerIdentityResult>"
	case "AssumeRoleWithWebIdentity":
		if r.FormValue("WebIdentityToken") != fakeToken {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		items = "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAFAKE</AccessKeyId><SecretAccessKey>fake</SecretAccessKey><SessionToken>fake</SessionToken><Expiration>" +
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
	case "DescribeRegions":
		for _, region := range fakeRegions {
			items += "<item><regionName>" + region + "</regionName><optInStatus>opt-in-not-required</optInStatus></item>"
		}
		items = "<regionInfo>" + items + "</regionInfo>"
	case "DescribeInstances":
		each("<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>i-%017d</instanceId><instanceState><name>running</name></instanceState>" +
			"<tagSet><item><key>round</key><value>%d</value></item></tagSet></item></instancesSet></item>")
		items = "<reservationSet>" + items + "</reservationSet><nextToken>" + next + "</nextToken>"
	case "DescribeDBInstances":
		each("<DBInstance><DBInstanceIdentifier>db-%d</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>" +
			"<TagList><Tag><Key>round</Key><Value>%d</Value></Tag></TagList></DBInstance>")
		items = "<DescribeDBInstancesResult><DBInstances>" + items + "</DBInstances><Marker>" + next + "</Marker></DescribeDBInstancesResult>"
	case "DescribeDBClusters":
		each("<DBCluster><DBClusterIdentifier>cluster-%d</DBClusterIdentifier><Status>available</Status>" +
			"<TagList><Tag><Key>round</Key><Value>%d</Value></Tag></TagList></DBCluster>")
		items = "<DescribeDBClustersResult><DBClusters>" + items + "</DBClusters><Marker>" + next + "</Marker></DescribeDBClustersResult>"
	default:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, "<"+answer+">"+strings.ReplaceAll(strings.ReplaceAll(items, "<nextToken></nextToken>", ""), "<Marker></Marker>", "")+"</"+answer+">")
}

// fakeForms are the identifiers of each type.
var fakeForms = map[string]string{"ec2_instance": "i-%017d", "rds_instance": "db-%d", "rds_cluster": "cluster-%d", "s3_bucket": "bucket-%d"}

// fakeIDs are the identifiers that a type has in a round, in order.
func fakeIDs(typ string, round int) []string {
	ids := []string{}
	for n := range fakeNumber {
		if fakeHas(n, round) {
			ids = append(ids, fmt.Sprintf(fakeForms[typ], n))
		}
	}
	slices.Sort(ids)
	return ids
}
