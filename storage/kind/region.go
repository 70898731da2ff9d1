package kind

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	regionShape = regexp.MustCompile(`^[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}$`)
	continents  = strings.Fields("us eu ap sa ca me af il mx cn eusc")
	directions  = strings.Fields("north south east west central northeast northwest southeast southwest")
)

// places are where regions are, as people call them.
var places = map[string]string{
	"virginia": "us-east-1", "ohio": "us-east-2", "california": "us-west-1", "oregon": "us-west-2", "canada": "ca-central-1",
	"ireland": "eu-west-1", "dublin": "eu-west-1", "london": "eu-west-2", "paris": "eu-west-3", "frankfurt": "eu-central-1",
	"zurich": "eu-central-2", "stockholm": "eu-north-1", "milan": "eu-south-1", "spain": "eu-south-2",
	"tokyo": "ap-northeast-1", "seoul": "ap-northeast-2", "osaka": "ap-northeast-3", "singapore": "ap-southeast-1",
	"sydney": "ap-southeast-2", "jakarta": "ap-southeast-3", "mumbai": "ap-south-1", "bahrain": "me-south-1",
}

// RegionIn is the region that people call by its place; "" for none.
func RegionIn(place string) string { return places[place] }

// Places lists the places of regions, in order.
func Places() []string { return slices.Sorted(maps.Keys(places)) }

// RegionShaped reports whether a name could be a region's, of today or of
// tomorrow: us-west-2, us-gov-east-1, eusc-de-east-1. Such a name can stand in
// the name of a host.
func RegionShaped(name string) bool { return regionShape.MatchString(name) }

// IsRegion reports whether a word in a text is a region's name and not, by its
// looks, that of anything else: people call servers web-west-2.
func IsRegion(word string) bool {
	if !RegionShaped(word) {
		return false
	}
	parts := strings.Split(word, "-")
	n := len(parts) - 1
	if !slices.Contains(continents, parts[0]) || !slices.Contains(directions, parts[n-1]) || len(parts[n]) > 1 {
		return false
	}
	return n == 2 || n == 3 && (parts[1] == "gov" || strings.HasPrefix(parts[1], "iso") || parts[0] == "eusc")
}

// EndsInDirection reports whether a name ends as AWS's names of regions do.
func EndsInDirection(name string) bool {
	parts := strings.Split(name, "-")
	return len(parts) > 2 && RegionShaped(name) && slices.Contains(directions, parts[len(parts)-2])
}

// Partition is the partition that a region belongs to, by its name, such as aws-cn.
func Partition(region string) string {
	for prefix, partition := range map[string]string{
		"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b",
		"eu-isoe-": "aws-iso-e", "us-isof-": "aws-iso-f", "eusc-": "aws-eusc",
	} {
		if strings.HasPrefix(region, prefix) {
			return partition
		}
	}
	return "aws"
}
