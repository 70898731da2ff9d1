package aws

import (
	"net"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/cloudops/cloudops/storage"
)

// form is what can be told of an identifier by its looks.
type form int

const (
	// A name is what people choose: a Name tag, or the identifier of a database or bucket.
	aName form = iota
	anInstance
	anAddress
	aDatabase
	aCluster
	// The names of hosts.
	instanceHost
	databaseHost
	bucketHost
	// Of a type that is not read, such as vpc-0123abcd.
	somethingElse
)

var (
	instanceID = regexp.MustCompile(`^i-([0-9a-f]{8}|[0-9a-f]{17})$`)
	// otherID has the form of the ids that EC2 gives.
	otherID    = regexp.MustCompile(`^[a-z]+(-[a-z]+)*-([0-9a-f]{8}|[0-9a-f]{17})$`)
	databaseID = regexp.MustCompile(`^db-[A-Z0-9]{20,}$`)
	clusterID  = regexp.MustCompile(`^cluster-[A-Z0-9]{20,}$`)
	// databaseName and bucketName are what AWS lets databases and buckets be called.
	databaseName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

func formOf(identifier string) form {
	low := strings.ToLower(identifier)
	switch {
	case net.ParseIP(identifier) != nil:
		return anAddress
	case instanceID.MatchString(low):
		return anInstance
	case databaseID.MatchString(identifier):
		return aDatabase
	case clusterID.MatchString(identifier):
		return aCluster
	case otherID.MatchString(low):
		return somethingElse
	case strings.Contains(low, ".rds.amazonaws.com"):
		return databaseHost
	case strings.HasPrefix(low, "s3://"), strings.Contains(low, ".s3.") || strings.Contains(low, ".s3-"):
		return bucketHost
	case strings.HasSuffix(low, ".internal"), strings.Contains(low, ".compute") && strings.Contains(low, ".amazonaws.com"):
		return instanceHost
	}
	return aName
}

// Where is the part of AWS that can hold what an identifier names.
type Where struct {
	// AccountID and Region are "" for any.
	AccountID, Region string
	// Types are the types that can; none where this version reads none of them.
	Types []string
	// Unread says, where there are none, what it would be, such as "lambda".
	Unread string
}

// WhereCouldBe tells by the looks of an identifier what it can name, and where.
func WhereCouldBe(identifier string) Where {
	identifier = strings.TrimSpace(identifier)
	if parsed, err := arn.Parse(identifier); err == nil {
		kind, _, _ := strings.Cut(strings.ReplaceAll(parsed.Resource, "/", ":"), ":")
		w := Where{AccountID: parsed.AccountID, Region: parsed.Region, Unread: parsed.Service + " " + kind}
		for _, c := range Collectors() {
			if named := kindInARN[c.Type]; c.Service == parsed.Service && (named == "" || named == kind) {
				w.Types = append(w.Types, c.Type)
			}
		}
		return w
	}
	f := formOf(identifier)
	low := strings.ToLower(identifier)
	database := f == databaseHost || f == aName && len(low) <= 63 && databaseName.MatchString(low)
	can := map[string]bool{
		"ec2_instance": f == anInstance || f == anAddress || f == instanceHost || f == aName,
		"rds_instance": f == aDatabase || database,
		"rds_cluster":  f == aCluster || database,
		"s3_bucket":    f == bucketHost || f == aName && bucketName.MatchString(identifier),
	}
	w := Where{Unread: identifier[:max(0, strings.LastIndexByte(identifier, '-'))]}
	for _, c := range Collectors() {
		// A type that this table doesn't know can hold anything.
		if able, known := can[c.Type]; able || !known {
			w.Types = append(w.Types, c.Type)
		}
	}
	return w
}

// Identifies says whether a text is an identifier by its looks, and no name.
func Identifies(text string) bool {
	text = strings.TrimSpace(text)
	_, err := arn.Parse(text)
	return err == nil && !strings.ContainsAny(text, " \t") || formOf(text) != aName
}

// kindInARN is what the resource part of a type's ARN begins with; buckets'
// begins with their name.
var kindInARN = map[string]string{"ec2_instance": "instance", "rds_instance": "db", "rds_cluster": "cluster"}

// Unique says whether an identifier of a resource can be nothing else's: its
// ARN, an id that AWS made up, an address or a name of a host. What people
// choose can be chosen again in another region or account; a bucket's name can't.
func Unique(r storage.Record, identifier string) bool {
	if r.Type == "s3_bucket" || strings.EqualFold(identifier, r.ARN) {
		return true
	}
	f := formOf(identifier)
	return f != aName && f != somethingElse && !strings.EqualFold(identifier, r.Name)
}
