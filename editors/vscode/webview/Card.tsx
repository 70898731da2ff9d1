// The approval card: what would run, as whom, on what, how risky. The extension
// confirms once more what is high or critical.
import { type Ref, useEffect, useId, useRef, useState } from 'react';
import { send } from './host';
import { useReading } from './reading';
import { answered, type Shown } from './store';

/** The fields that say what a command is done to. They stand with it, beside the answers. */
const aims = ['target', 'account', 'region', 'endpoint'];

const words: Record<string, string> = {
  succeeded: 'Done',
  failed: 'Failed',
  rejected: 'Rejected; nothing ran',
  expired: 'Not decided in time; nothing ran',
  void: 'Nothing ran',
  planned: 'Not decided; it still waits',
  unknown: 'It began; its outcome is not known',
  running: 'Running',
  ended: 'Nothing ran',
};

export function Card({ shown, last }: { shown: Shown; last: boolean }) {
  const { card, phase, live, stopped, outcome } = shown;
  const [why, setWhy] = useState<string | undefined>();
  const [heading, unread] = [useId(), useId()];
  const root = useRef<HTMLElement>(null);
  const command = useRef<HTMLPreElement>(null);
  const target = useRef<HTMLDListElement>(null);
  // Whoever has not seen what would be done to what cannot have decided it.
  const { read, show } = useReading(
    phase === 'waiting' ? `${card.plan} ${card.digest}` : '',
    card.arm,
    command,
    target,
  );

  useEffect(() => {
    if (phase !== 'waiting') return;
    root.current?.focus({ preventScroll: true });
    root.current?.scrollIntoView({ block: 'end' });
  }, [phase]);

  const decide = (decision: 'run' | 'reject', reason = '') => {
    if (phase !== 'waiting') return;
    if (decision === 'run' && !read) return show();
    answered(card.plan);
    send({ type: 'decide', plan: card.plan, digest: card.digest, decision, reason });
  };

  return (
    <section
      ref={root}
      className={`card risk-${card.risk} ${phase}`}
      aria-labelledby={heading}
      tabIndex={-1}
      onKeyDown={(e) => {
        if (!(e.ctrlKey || e.metaKey) || e.repeat) return;
        if (e.key === 'Enter') decide('run');
        else if (e.key === 'Backspace' && why === undefined) decide('reject');
        else return;
        e.preventDefault();
      }}
    >
      <header>
        <h2 id={heading}>{card.title}</h2>
        <span className="risk">{card.risk} risk</span>
      </header>
      {phase !== 'done' && <Fields fields={card.fields.filter((f) => !f.more && !aims.includes(f.name))} />}
      {phase !== 'done' && (
        <details>
          <summary>More</summary>
          <Fields fields={card.fields.filter((f) => f.more)} />
        </details>
      )}
      <Line text={card.line} ref={command} />
      {phase !== 'done' && (
        <Fields fields={card.fields.filter((f) => aims.includes(f.name))} className="aims" ref={target} />
      )}
      {phase === 'done' && (
        <details>
          <summary>Details</summary>
          <Fields fields={card.fields} />
        </details>
      )}
      {phase === 'waiting' && (
        <>
          {why !== undefined && (
            <label className="reason">
              Why not? It is kept with the rejection.
              <input
                // biome-ignore lint/a11y/noAutofocus: it appears because the person asked for it
                autoFocus
                value={why}
                maxLength={500}
                onChange={(e) => setWhy(e.target.value)}
                onKeyDown={(e) => {
                  if (e.key === 'Escape') setWhy(undefined);
                  if (e.key === 'Enter' && !e.ctrlKey && !e.metaKey && !e.nativeEvent.isComposing) {
                    decide('reject', why.trim());
                  }
                }}
              />
            </label>
          )}
          <footer>
            <vscode-button
              onClick={() => decide('run')}
              disabled={!read || undefined}
              aria-describedby={read ? undefined : unread}
            >
              {card.grave ? 'Run…' : 'Run'}
            </vscode-button>
            <vscode-button secondary onClick={() => decide('reject', why?.trim() ?? '')}>
              Reject
            </vscode-button>
            {why === undefined && (
              <button type="button" className="link" onClick={() => setWhy('')}>
                Reject with a reason
              </button>
            )}
            <Countdown until={card.expires} others={card.others} />
          </footer>
          <p id={unread} className="keys" role="status">
            {!read && (
              <>
                Run waits until you had the whole command and its target in view.{' '}
                <button type="button" className="link" onClick={show}>
                  Show them
                </button>
              </>
            )}
          </p>
          {last && read && (
            <p className="keys">
              {keys} with the card focused{card.grave ? '; VS Code asks once more' : ''}
            </p>
          )}
        </>
      )}
      {phase !== 'waiting' && (
        <div className="outcome" role="status">
          {live.length > 0 && phase === 'sent' && <p className="live">{live.at(-1)}</p>}
          {phase === 'sent' && stopped !== '' && <p className="live">{stopped}</p>}
          {phase === 'sent' && stopped === '' && (
            <p className="live">
              {live.length > 0 ? 'Running…' : card.grave ? 'VS Code asks once more…' : 'Waiting for AWS…'}{' '}
              <button
                type="button"
                className="link"
                onClick={() =>
                  send({ type: 'decide', plan: card.plan, digest: card.digest, decision: 'stop', reason: '' })
                }
              >
                Stop
              </button>
            </p>
          )}
          {outcome !== undefined && (
            <>
              <p className={`status ${outcome.status}`}>
                {words[outcome.status] ?? outcome.status}
                {outcome.after !== '' && outcome.after !== outcome.before && `: ${outcome.before} → ${outcome.after}`}
              </p>
              {outcome.problem !== '' && <p className="problem">{outcome.problem}</p>}
              {outcome.output !== '' && (
                <details>
                  <summary>Output</summary>
                  <pre>{outcome.output}</pre>
                </details>
              )}
            </>
          )}
        </div>
      )}
    </section>
  );
}

const mac = navigator.platform.startsWith('Mac');
const keys = mac ? '⌘↩ runs, ⌘⌫ rejects,' : 'Ctrl+Enter runs, Ctrl+Backspace rejects,';

interface Fields {
  fields: Shown['card']['fields'];
  className?: string;
  ref?: Ref<HTMLDListElement>;
}

function Fields({ fields, ...dl }: Fields) {
  return (
    <dl {...dl}>
      {fields.map((f, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the fields of a card never change
        <div key={i}>
          <dt>{f.name}</dt>
          <dd>{f.text}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A command line with its parts told apart. */
function Line({ text, ref }: { text: string; ref: Ref<HTMLPreElement> }) {
  const parts = text.split(/(\s+)/);
  let word = 0;
  return (
    <pre className="line" ref={ref}>
      <code>
        {parts.map((part, i) => {
          const key = `${i}`;
          if (part.trim() === '') return part;
          word++;
          if (word <= 3) return <b key={key}>{part}</b>;
          if (!part.startsWith('--')) return part;
          const value = part.indexOf('=') + 1 || part.length;
          return (
            <span key={key}>
              <i>{part.slice(0, value)}</i>
              <span>{part.slice(value)}</span>
            </span>
          );
        })}
      </code>
      <button type="button" className="link copy" onClick={() => void navigator.clipboard.writeText(text)}>
        Copy
      </button>
    </pre>
  );
}

function Countdown({ until, others }: { until: number; others: number }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, Math.ceil((until - now) / 1000));
  return (
    <span className="left" aria-hidden="true">
      {Math.floor(left / 60)}:{`${left % 60}`.padStart(2, '0')} left{others > 0 && `, ${others} more wait`}
    </span>
  );
}
