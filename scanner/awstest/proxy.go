package awstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Kind is what a fault does to a call.
type Kind int

// The kinds of faults.
const (
	// Deny answers access denied.
	Deny Kind = iota
	// Throttle answers that the rate was exceeded.
	Throttle
	// Fail answers an internal error.
	Fail
	// Cut closes the connection in the middle of the answer.
	Cut
	// Hang answers nothing until the caller gives up or the proxy closes.
	Hang
	// Slow passes the call on after Fault.Delay, or once the proxy is healed.
	Slow
	// SignIn answers a sign-in page with status 200, as a network does that
	// wants to know who uses it.
	SignIn
)

// Fault spoils the calls it matches; an empty field matches all.
type Fault struct {
	// Service is the name in the signature, such as ec2.
	Service string
	// Operation is the API's, such as DescribeInstances.
	Operation string
	Region    string
	Kind      Kind
	// Times bounds how many calls it spoils; 0 means all.
	Times int
	Delay time.Duration
}

// Call is one call that came through.
type Call struct {
	Service, Operation, Region string
	// UserAgent is how the caller named itself.
	UserAgent string
}

func (f Fault) matches(c Call) bool {
	return (f.Service == "" || f.Service == c.Service) &&
		(f.Operation == "" || f.Operation == c.Operation) &&
		(f.Region == "" || f.Region == c.Region)
}

// Proxy stands before a server, counts calls and spoils the chosen ones.
type Proxy struct {
	// URL is its endpoint.
	URL string

	http *httptest.Server
	next *httputil.ReverseProxy
	done chan struct{}
	end  sync.Once

	mu     sync.Mutex // guards what follows
	faults []*Fault
	spent  map[*Fault]int
	calls  []Call
	healed chan struct{} // closed once the faults of now are taken away
}

// NewProxy listens on loopback before the endpoint. Close it.
func NewProxy(endpoint string) (*Proxy, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("reading the proxy's target: %w", err)
	}
	p := &Proxy{done: make(chan struct{}), spent: map[*Fault]int{}, healed: make(chan struct{})}
	p.next = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is part of the signature
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway) // a caller that left is no news
	}}
	p.http = httptest.NewServer(p)
	p.URL = p.http.URL
	return p, nil
}

// Close releases hanging calls and ends the proxy; later calls find nobody.
func (p *Proxy) Close() {
	p.end.Do(func() {
		close(p.done)
		p.http.CloseClientConnections()
		p.http.Close()
	})
}

// Spoil adds faults; the first that matches a call wins.
func (p *Proxy) Spoil(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		p.faults = append(p.faults, &f)
	}
}

// Heal takes all faults away, passes on the calls that are slow, and forgets the
// calls.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.healed)
	p.healed = make(chan struct{})
	p.faults, p.spent, p.calls = nil, map[*Fault]int{}, nil
}

// Calls lists the calls so far that match; empty fields match all.
func (p *Proxy) Calls(service, operation, region string) []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := Fault{Service: service, Operation: operation, Region: region}
	matching := []Call{}
	for _, c := range p.calls {
		if f.matches(c) {
			matching = append(matching, c)
		}
	}
	return matching
}

// ServeHTTP passes a call on, or spoils it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := read(r)
	if err != nil {
		http.Error(w, "unreadable request", http.StatusBadRequest)
		return
	}
	f, healed, found := p.fault(c)
	if !found {
		p.next.ServeHTTP(w, r)
		return
	}
	switch f.Kind {
	case Deny:
		code := "AccessDenied"
		if c.Service == "ec2" {
			code = "UnauthorizedOperation"
		}
		refuse(w, c.Service, http.StatusForbidden, code)
	case Throttle:
		code := "Throttling"
		switch c.Service {
		case "ec2":
			code = "RequestLimitExceeded"
		case "s3":
			code = "SlowDown"
		}
		refuse(w, c.Service, http.StatusServiceUnavailable, code)
	case Fail:
		refuse(w, c.Service, http.StatusInternalServerError, "InternalError")
	case Cut:
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Cut`)
		panic(http.ErrAbortHandler)
	case Hang:
		p.wait(r, nil, nil)
		panic(http.ErrAbortHandler)
	case SignIn:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><form method=post></form></body></html>\n")
	case Slow:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		p.wait(r, timer.C, healed)
		p.next.ServeHTTP(w, r)
	}
}

func (p *Proxy) wait(r *http.Request, until <-chan time.Time, healed <-chan struct{}) {
	select {
	case <-until:
	case <-healed:
	case <-r.Context().Done():
	case <-p.done:
	}
}

// fault records a call and finds the fault for it, and what is closed once that
// is taken away.
func (p *Proxy) fault(c Call) (Fault, <-chan struct{}, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
	for _, f := range p.faults {
		if f.matches(c) && (f.Times == 0 || p.spent[f] < f.Times) {
			p.spent[f]++
			return *f, p.healed, true
		}
	}
	return Fault{}, nil, false
}

// read finds out what a request asks for and leaves its body unread.
func read(r *http.Request) (Call, error) {
	c := Call{UserAgent: r.UserAgent()}
	// AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...
	if _, scope, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		scope, _, _ = strings.Cut(scope, ",")
		if parts := strings.Split(scope, "/"); len(parts) == 5 {
			c.Region, c.Service = parts[2], parts[3]
		}
	}
	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		c.Operation = target[strings.LastIndex(target, ".")+1:]
	case c.Service == "s3":
		c.Operation = s3Operation(r)
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return c, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return c, err
		}
		c.Operation = form.Get("Action")
	}
	return c, nil
}

// s3Operation names the few S3 calls that are spoiled in tests.
func s3Operation(r *http.Request) string {
	q := r.URL.Query()
	bucket := strings.Trim(r.URL.Path, "/") != ""
	switch {
	case !bucket:
		return "ListBuckets"
	case r.Method == http.MethodHead:
		return "HeadBucket"
	case q.Has("location"):
		return "GetBucketLocation"
	case q.Has("tagging"):
		return "GetBucketTagging"
	case q.Has("versioning"):
		return "GetBucketVersioning"
	}
	return ""
}

// refuse answers an error in the form that the service's SDK reads.
func refuse(w http.ResponseWriter, service string, status int, code string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	err := "<Error><Code>" + code + "</Code><Message>injected</Message></Error>"
	switch service {
	case "ec2":
		_, _ = io.WriteString(w, "<Response><Errors>"+err+"</Errors><RequestID>injected</RequestID></Response>")
	case "s3":
		_, _ = io.WriteString(w, err)
	default:
		_, _ = io.WriteString(w, "<ErrorResponse>"+err+"<RequestId>injected</RequestId></ErrorResponse>")
	}
}
