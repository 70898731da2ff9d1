package api

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// This file reads what botocore was recorded to do for every AWS operation:
// testdata/*.tsv.zst, which record/record.py makes and describes.

// recordedManifest says what the recordings are made with and how much they hold.
type recordedManifest struct {
	Versions           map[string]string
	Time               string
	Key, Secret, Token string
	Counts             map[string]int
	Files              map[string]struct {
		Bytes, Packed int
		SHA256        string
	}
}

// recordedRow is a line of a recording and the section that it stands in.
type recordedRow struct {
	service, protocol string
	fields            []string
}

// recordedRequest is what botocore's serializer makes of an input.
type recordedRequest struct {
	service, protocol, operation string
	sample                       string // required, all or edge
	input                        json.RawMessage
	method, prefix, path, query  string
	headers                      map[string]string
	body                         []byte
}

// recordedWire is a whole request of a botocore client.
type recordedWire struct {
	service, protocol, operation string
	sample, region               string
	result                       string // sent, sent/Other when Other is asked first, or an error's name
	method, url                  string
	headers                      map[string]string
	body                         []byte
	scheme                       string // AWS4-HMAC-SHA256, Bearer, or none
	name, scope                  string // of the signature: service and region
	signed                       []string
	signature                    string // its first 8 bytes
}

// recordedAnswer is a whole answer and what botocore's parser makes of it.
type recordedAnswer struct {
	service, protocol, operation string
	writer                       string // moto, own, or odd: the result is not what was written
	status                       int
	headers                      map[string]string
	body                         []byte
	result                       json.RawMessage
}

// recordedError is an error's answer and what botocore's parser makes of it.
type recordedError struct {
	service, protocol string
	shape             string // "-" for one that no model declares
	status            int
	headers           map[string]string
	body              []byte
	code, message     string
	members           json.RawMessage
}

// recordedEndpoint is where a service, or a bucket of S3, is found.
type recordedEndpoint struct {
	service, operation, region string
	flags                      string // f: FIPS, d: dual stack, p: path style, a: accelerate
	result                     string // as that of recordedWire
	url, scheme, name, scope   string
	headers                    map[string]string
	bucket                     string
}

// recordings reads the manifest.
func recordings(t testing.TB) recordedManifest {
	t.Helper()
	var made recordedManifest
	text, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// recordedRows yields the lines of a kind.
func recordedRows(t testing.TB, kind string) iter.Seq[recordedRow] {
	t.Helper()
	return func(yield func(recordedRow) bool) {
		packed, err := os.Open(filepath.Join("testdata", kind+".tsv.zst"))
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		text, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer text.Close()
		lines := bufio.NewScanner(text)
		lines.Buffer(nil, 4<<20)
		var row recordedRow
		for lines.Scan() {
			row.fields = strings.Split(lines.Text(), "\t")
			if row.fields[0] == "#" {
				row.service, row.protocol = row.fields[1], row.fields[2]
				continue
			}
			if !yield(row) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func recordedRequests(t testing.TB) iter.Seq[recordedRequest] {
	return func(yield func(recordedRequest) bool) {
		for row := range recordedRows(t, "requests") {
			f := row.fields
			if !yield(recordedRequest{
				service: row.service, protocol: row.protocol, operation: f[0], sample: f[1],
				input: json.RawMessage(f[2]), method: f[3], prefix: f[4],
				path: recordedText(t, f[5], nil), query: recordedText(t, f[6], nil),
				headers: recordedHeaders(t, f[7]),
				body:    []byte(recordedText(t, f[8], map[string]string{"input": f[2]})),
			}) {
				return
			}
		}
	}
}

func recordedWires(t testing.TB) iter.Seq[recordedWire] {
	bodies := map[[3]string]string{}
	for made := range recordedRequests(t) {
		key := [3]string{made.service, made.operation, made.sample}
		if _, forced := bodies[key]; !forced {
			bodies[key] = string(made.body)
		}
	}
	return func(yield func(recordedWire) bool) {
		var home recordedWire
		var homeHeaders string
		for row := range recordedRows(t, "wire") {
			f := row.fields
			made := recordedWire{
				service: row.service, protocol: row.protocol,
				operation: f[0], sample: f[1], region: f[2], result: f[3],
			}
			if len(f) > 4 {
				domain := "amazonaws.com"
				if strings.HasPrefix(made.region, "cn-") {
					domain = "amazonaws.com.cn"
				}
				away := strings.NewReplacer("eu-west-1", made.region, "amazonaws.com", domain)
				headers := recordedText(t, f[6], map[string]string{"home": away.Replace(homeHeaders)})
				made.method = f[4]
				made.url = recordedText(t, f[5], map[string]string{"home": away.Replace(home.url)})
				made.body = []byte(recordedText(t, f[7], map[string]string{
					"requests": bodies[[3]string{made.service, made.operation, made.sample}],
				}))
				made.headers = recordedHeaders(t, "t:"+headers)
				sum := sha256.Sum256(made.body)
				for name, value := range made.headers {
					value = strings.ReplaceAll(value, "{sha256}", hex.EncodeToString(sum[:]))
					made.headers[name] = strings.ReplaceAll(value, "{length}", strconv.Itoa(len(made.body)))
				}
				made.scheme, made.name, made.scope, made.signature = f[8], f[9], f[10], f[12]
				if f[11] != "" {
					made.signed = strings.Split(f[11], ";")
				}
				if made.region == "eu-west-1" {
					home, homeHeaders = made, headers
				}
			}
			if !yield(made) {
				return
			}
		}
	}
}

func recordedAnswers(t testing.TB) iter.Seq[recordedAnswer] {
	return func(yield func(recordedAnswer) bool) {
		for row := range recordedRows(t, "answers") {
			f := row.fields
			body := recordedText(t, f[4], nil)
			if !yield(recordedAnswer{
				service: row.service, protocol: row.protocol, operation: f[0], writer: f[1],
				status: recordedInt(t, f[2]), headers: recordedHeaders(t, f[3]), body: []byte(body),
				result: json.RawMessage(recordedText(t, f[5], map[string]string{"body": body})),
			}) {
				return
			}
		}
	}
}

func recordedErrors(t testing.TB) iter.Seq[recordedError] {
	return func(yield func(recordedError) bool) {
		for row := range recordedRows(t, "errors") {
			f := row.fields
			if !yield(recordedError{
				service: row.service, protocol: row.protocol, shape: f[0],
				status: recordedInt(t, f[1]), headers: recordedHeaders(t, f[2]),
				body: []byte(recordedText(t, f[3], nil)),
				code: recordedText(t, f[4], nil), message: recordedText(t, f[5], nil),
				members: json.RawMessage(f[6]),
			}) {
				return
			}
		}
	}
}

func recordedEndpoints(t testing.TB) iter.Seq[recordedEndpoint] {
	return func(yield func(recordedEndpoint) bool) {
		for row := range recordedRows(t, "endpoints") {
			f := append(row.fields, make([]string, 5)...)
			made := recordedEndpoint{
				service: row.service, operation: f[0], region: f[1], flags: f[2], result: f[3],
				url: f[4], scheme: f[5], name: f[6], scope: f[7],
			}
			if row.protocol == "buckets" {
				made.bucket = f[8]
			} else {
				made.headers = recordedHeaders(t, f[8])
			}
			if !yield(made) {
				return
			}
		}
	}
}

// recordedText reads a field: a text, bytes, or the same as another field.
func recordedText(t testing.TB, field string, same map[string]string) string {
	t.Helper()
	kind, text, _ := strings.Cut(field, ":")
	switch kind {
	case "":
		return ""
	case "t":
		return text
	case "x":
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	case "j":
		var made string
		if err := json.Unmarshal([]byte(text), &made); err != nil {
			t.Fatal(err)
		}
		return made
	}
	made, known := same[strings.TrimPrefix(field, "=")]
	if !known {
		t.Fatalf("reading the field %.40q: no such form", field)
	}
	return made
}

func recordedHeaders(t testing.TB, field string) map[string]string {
	t.Helper()
	if field == "" {
		return nil
	}
	var made map[string]string
	if err := json.Unmarshal([]byte(strings.TrimPrefix(field, "t:")), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

func recordedInt(t testing.TB, field string) int {
	t.Helper()
	made, err := strconv.Atoi(field)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// signature computes SigV4 of a recorded request by AWS's description of it,
// and so without anybody's signer.
func (w recordedWire) signature4(secret, at string) string {
	where, _ := url.Parse(w.url)
	path := where.EscapedPath()
	if w.name != "s3" && w.name != "s3-outposts" && w.name != "s3-object-lambda" && w.name != "s3express" {
		path = escape4(path)
	}
	var query [][2]string
	for pair := range strings.SplitSeq(where.RawQuery, "&") {
		if key, value, _ := strings.Cut(pair, "="); key != "" {
			query = append(query, [2]string{key, value})
		}
	}
	slices.SortFunc(query, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	pairs := make([]string, len(query))
	for i, pair := range query {
		pairs[i] = pair[0] + "=" + pair[1]
	}
	headers := http.Header{"Host": {strings.ToLower(where.Host)}}
	for name, value := range w.headers {
		headers.Set(name, value)
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", w.method, cmp.Or(path, "/"), strings.Join(pairs, "&"))
	for _, name := range w.signed {
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.Join(strings.Fields(headers.Get(name)), " "))
	}
	payload := headers.Get("X-Amz-Content-Sha256")
	if payload == "" {
		sum := sha256.Sum256(w.body)
		payload = hex.EncodeToString(sum[:])
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", strings.Join(w.signed, ";"), payload)
	day := at[:8]
	sum := sha256.Sum256([]byte(canonical.String()))
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%x", at, day, w.scope, w.name, sum)
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, w.scope, w.name, "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		io.WriteString(mac, part)
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// escape4 escapes a path once more, as all services but S3 want it.
func escape4(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(part), "+", "%20")
		parts[i] = strings.ReplaceAll(parts[i], "%7E", "~")
	}
	return strings.Join(parts, "/")
}

// TestRecordings holds that the recordings are whole: all rows of all services
// are there, each can be read, and they are of the versions that are pinned.
func TestRecordings(t *testing.T) {
	manifest := recordings(t)
	var size int64
	for kind, file := range manifest.Files {
		packed, err := os.ReadFile(filepath.Join("testdata", kind+".tsv.zst"))
		if err != nil {
			t.Fatal(err)
		}
		size += int64(len(packed))
		text, err := zstd.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, text); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		text.Close()
		if got := hex.EncodeToString(sum.Sum(nil)); got != file.SHA256 {
			t.Errorf("%s has the checksum %s, the manifest says %s", kind, got, file.SHA256)
		}
	}
	if size > 6<<20 {
		t.Errorf("the recordings take %d bytes; 6 MB is what a checkout may cost", size)
	}
	pinned, err := os.ReadFile(filepath.Join("record", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pinned)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "==")
		if manifest.Versions[name] != version {
			t.Errorf("recorded with %s %s, but %s is pinned: record again", name, manifest.Versions[name], version)
		}
	}

	// As many as botocore of that version knows; a new version has others.
	for kind, want := range map[string]int{
		// 130 of the 1,842 operations with CBOR have nothing else.
		"requests/required":           20025 + 1842 - 130,
		"requests/all":                20025 + 1842 - 130,
		"requests/smithy-rpc-v2-cbor": 2 * 1842,
		"wire":                        4 * 20025,
		"answers":                     18415,
		"errors":                      3651,
		"endpoints":                   11010,
	} {
		if got := manifest.Counts[kind]; got < want {
			t.Errorf("%d %s are recorded, of %d", got, kind, want)
		}
	}

	counts := map[string]int{}
	services := map[string]map[string]bool{}
	count := func(kind, group, service string) {
		counts[kind]++
		counts[kind+"/"+group]++
		if services[kind] == nil {
			services[kind] = map[string]bool{}
		}
		services[kind][service] = true
	}
	valid := func(kind, operation string, text json.RawMessage) {
		if !json.Valid(text) {
			t.Errorf("%s of %s: no JSON: %.80q", kind, operation, text)
		}
	}
	for made := range recordedRequests(t) {
		count("requests", made.protocol, made.service)
		counts["requests/"+made.sample]++
		valid("request", made.operation, made.input)
		if made.method == "" || !strings.HasPrefix(made.path, "/") {
			t.Errorf("request of %s %s: %q %q", made.service, made.operation, made.method, made.path)
		}
	}
	for made := range recordedAnswers(t) {
		count("answers", made.protocol, made.service)
		valid("answer", made.operation, made.result)
		if made.status < 200 || made.status > 299 {
			t.Errorf("answer of %s %s: status %d", made.service, made.operation, made.status)
		}
	}
	for made := range recordedErrors(t) {
		count("errors", made.protocol, made.service)
		valid("error", made.shape, made.members)
		if made.status < 300 || made.code == "" {
			t.Errorf("error %s of %s: status %d, code %q", made.shape, made.service, made.status, made.code)
		}
	}
	for made := range recordedEndpoints(t) {
		group := "rules"
		if made.bucket != "" {
			group = "buckets"
		}
		count("endpoints", group, made.service)
		if strings.HasPrefix(made.result, "sent") != strings.HasPrefix(made.url, "https://") {
			t.Errorf("endpoint of %s in %s: %s, %q", made.service, made.region, made.result, made.url)
		}
	}
	for range recordedRows(t, "wire") {
		counts["wire"]++
	}
	for kind, want := range manifest.Counts {
		if kind, group, _ := strings.Cut(kind, "/"); kind == "wire" && group != "" {
			continue
		}
		if counts[kind] != want {
			t.Errorf("%d %s, the manifest says %d", counts[kind], kind, want)
		}
	}
	// Two services answer nothing at all, and not every one declares errors.
	for kind, want := range map[string]int{"requests": 445, "answers": 443, "endpoints": 445} {
		if got := len(services[kind]); got != want {
			t.Errorf("%s of %d services, of %d", kind, got, want)
		}
	}
}

// TestRecordedSignatures holds that the whole requests are read as botocore
// sent them: each signature can be computed again from what was read.
func TestRecordedSignatures(t *testing.T) {
	manifest := recordings(t)
	at := strings.NewReplacer("-", "", ":", "", "+00:00", "Z").Replace(manifest.Time)
	signed, services, rows := 0, map[string]bool{}, 0
	for made := range recordedWires(t) {
		rows++
		services[made.service] = true
		if made.scheme != "AWS4-HMAC-SHA256" {
			continue
		}
		if got := made.signature4(manifest.Secret, at)[:16]; got != made.signature {
			t.Errorf("%s %s in %s is signed %s, recorded is %s", made.service, made.operation, made.region, got, made.signature)
		}
		signed++
	}
	if rows != manifest.Counts["wire"] || len(services) != 445 {
		t.Errorf("%d whole requests of %d services, the manifest says %d of 445", rows, len(services), manifest.Counts["wire"])
	}
	if signed < rows*99/100 {
		t.Errorf("only %d of %d whole requests are signed", signed, rows)
	}
}
