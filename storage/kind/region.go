package kind

import (
	"regexp"
	"slices"
	"strings"
)

var (
	regionShape = regexp.MustCompile(`^[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}$`)
	continents  = strings.Fields("us eu ap sa ca me af il mx cn eusc")
	directions  = strings.Fields("north south east west central northeast northwest southeast southwest")
)

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
