package executor

// Command is one AWS operation as data. Parameters are the API's, by CLI name
// ("db-instance-identifier"): strings, numbers, booleans or lists of strings.
type Command struct {
	Service    string         `json:"service"`
	Operation  string         `json:"operation"`
	Parameters map[string]any `json:"parameters"`
	Profile    string         `json:"profile,omitempty"`
	AccountID  string         `json:"account_id,omitempty"`
	Region     string         `json:"region,omitempty"`
}

// Argv is the AWS CLI call that the command equals, starting with "aws".
// Parameters come in the catalog's order as --name=value.
func (c Command) Argv() []string { return nil }

// String is Argv quoted for a POSIX shell.
func (c Command) String() string { return "" }

// Parse reads an AWS CLI call. Only exact names of known operations and
// parameters pass; all else is ErrRefused with the reason.
func Parse(argv []string) (Command, error) { return Command{}, ErrRefused }

// For is the command that does a verb (start, stop, reboot, describe) to a
// resource type, or ErrRefused if there is none.
func For(verb, resourceType, id string) (Command, error) { return Command{}, ErrRefused }

// Verbs lists the verbs that For knows for a resource type, such as
// start, stop, reboot, describe; nil for types without commands.
func Verbs(resourceType string) []string { return nil }
