// Where the next message is written. Enter sends, Shift+Enter breaks the line,
// Escape stops the answer under way.
import { useEffect, useRef } from 'react';
import { LONGEST_PROMPT } from '../src/limits.gen';
import { send } from './host';
import { usePanel } from './store';

export function Composer() {
  const draft = usePanel((p) => p.draft);
  const busy = usePanel((p) => p.streaming !== undefined);
  const focus = usePanel((p) => p.focus);
  const ready = usePanel((p) => p.server.state === 'ready');
  const box = useRef<HTMLTextAreaElement>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the box grows with the draft
  useEffect(() => {
    const x = box.current;
    if (x === null) return;
    x.style.height = 'auto';
    x.style.height = `${Math.min(x.scrollHeight + 2, 200)}px`;
  }, [draft]);
  useEffect(() => {
    if (focus > 0) box.current?.focus();
  }, [focus]);

  const surplus = new TextEncoder().encode(draft).length - LONGEST_PROMPT;
  const sendable = !busy && ready && draft.trim() !== '' && surplus <= 0;
  const go = () => {
    if (!sendable) return;
    send({ type: 'send', text: draft });
    usePanel.setState({ draft: '' });
  };

  return (
    <div className="composer">
      {surplus > 0 && (
        <p className="problem" role="alert">
          This is {surplus.toLocaleString()} bytes too long. Name resources instead of pasting their listing.
        </p>
      )}
      <textarea
        ref={box}
        aria-label="Message to CloudOps"
        placeholder={ready ? 'Ask, or say what to do' : 'The server is not ready'}
        rows={1}
        value={draft}
        onChange={(e) => usePanel.setState({ draft: e.target.value })}
        onKeyDown={(e) => {
          if (e.key === 'Enter' && !e.shiftKey && !e.ctrlKey && !e.metaKey && !e.nativeEvent.isComposing) {
            e.preventDefault();
            go();
          }
          if (e.key === 'Escape' && busy) send({ type: 'stop' });
        }}
      />
      {busy ? (
        <vscode-button secondary onClick={() => send({ type: 'stop' })}>
          Stop
        </vscode-button>
      ) : (
        <vscode-button onClick={go} disabled={!sendable || undefined}>
          Send
        </vscode-button>
      )}
    </div>
  );
}
