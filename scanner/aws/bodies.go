package aws

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// WholeBodies sends each request's body in one piece from memory. The SDK
// closes a body as soon as the answer begins; where net/http was about to ask
// that body once more it closes the connection under the answer, which then
// ends in "use of closed network connection".
type WholeBodies struct{ Next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c WholeBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return c.Next.Do(r)
	}
	b, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	r = r.WithContext(r.Context()) // the caller's request stays as it was
	r.Body = io.NopCloser(bytes.NewReader(b))
	return c.Next.Do(r)
}
