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
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
)

// What fakeAWS has: one account, two regions, and a role for who brings the token.
const (
	fakeAccount = "123456789012"
	fakeToken   = "a.web.token"
)

var fakeRegions = []string{"eu-west-1", "us-west-2"}

// fakeAWS answers a scan from memory, with instances and databases that come,
// go and change with each round.
type fakeAWS struct {
	*httptest.Server
	round atomic.Int64
}

const (
	fakeNumber = 80
	fakePage   = 20
)

// fakeHas says whether the resource of a number exists in a round.
func fakeHas(n, round int) bool { return (n+round)%5 != 0 }

func newFakeAWS(t *testing.T) *fakeAWS {
	f := &fakeAWS{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// environment is a session that reaches it.
func (f *fakeAWS) environment(t *testing.T) scanner.Environment {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte("[default]\naws_access_key_id = AKIAFAKE\naws_secret_access_key = fake\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return scanner.Environment{CredentialsFile: path, Region: "us-west-2", EndpointURL: f.URL}
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	if r.Method == http.MethodGet {
		fmt.Fprint(w, "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>")
		return
	}
	round := int(f.round.Load())
	from, _ := strconv.Atoi(r.FormValue("NextToken") + r.FormValue("Marker"))
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
	switch action := r.FormValue("Action"); action {
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
		items = "<DescribeDBClustersResult><DBClusters></DBClusters></DescribeDBClustersResult>"
	default:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer := r.FormValue("Action") + "Response"
	fmt.Fprint(w, "<"+answer+">"+strings.ReplaceAll(strings.ReplaceAll(items, "<nextToken></nextToken>", ""), "<Marker></Marker>", "")+"</"+answer+">")
}

// fakeIDs are the identifiers that a type has in a round, in order.
func fakeIDs(typ string, round int) []string {
	ids := []string{}
	for n := range fakeNumber {
		switch {
		case !fakeHas(n, round):
		case typ == "ec2_instance":
			ids = append(ids, fmt.Sprintf("i-%017d", n))
		case typ == "rds_instance":
			ids = append(ids, fmt.Sprintf("db-%d", n))
		}
	}
	slices.Sort(ids)
	return ids
}
