package executor

// RecordLocal makes a record of an act upon what cloudops keeps itself, such as
// a key or a conversation, durable in the audit log. Record it before the act:
// an error means that the act must not be done.
func (e *Executor) RecordLocal(text string) error {
	if err := e.ready(); err != nil {
		return err
	}
	if _, _, err := e.log.append(content{Time: e.times.now(), Kind: "local", Text: cut(text, 2000)}); err != nil {
		return refuse("it could not be recorded: %v", err)
	}
	e.changed()
	return nil
}
