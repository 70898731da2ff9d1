// Generated from the Go types by: go test ./lsp -run TestProtocol -update

/** The version of the daemon's protocol that this extension speaks. */
export const PROTOCOL = 1;
/** The longest prompt, in bytes. */
export const LONGEST_PROMPT = 32768;
