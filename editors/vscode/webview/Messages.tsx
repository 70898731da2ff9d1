// The messages of a conversation: the newest are drawn, earlier ones on demand.
import { memo, type ReactNode, startTransition, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Entry } from '../src/chat/messages';
import { Card } from './Card';
import { send } from './host';
import { Markdown } from './Markdown';
import type { Panel } from './store';

type Drawn = Pick<Panel, 'conversation' | 'entries' | 'streaming' | 'cards' | 'choices' | 'problem'>;

/** How many are drawn at once, so that no drawing takes long. */
const page = 15;
/** How many at the end are always laid out, so that the end is where it is. */
const newest = 8;

export const Messages = memo(function Messages({ panel }: { panel: Drawn }) {
  const { entries, streaming, cards, choices, problem } = panel;
  const [pages, setPages] = useState(1);
  const log = useRef<HTMLDivElement>(null);
  const stick = useRef(true);
  const top = useRef(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another conversation begins at its end
  useEffect(() => {
    setPages(1);
    stick.current = true;
  }, [panel.conversation]);
  useLayoutEffect(() => {
    if (entries.at(-1)?.role === 'user') stick.current = true; // who says something wants to see the answer
  }, [entries]);
  const shown = streaming === undefined ? entries : [...entries, { ...coming, text: streaming }];
  const places = cards.map((c) => place(c.card.created, shown));
  const waiting = cards.findLastIndex((c) => c.phase === 'waiting');
  // A card that waits at the end shows itself.
  const asks = waiting >= 0 && places[waiting] === shown.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: whatever is added is scrolled to
  useLayoutEffect(() => {
    if (asks) return;
    if (stick.current && log.current) log.current.scrollTop = log.current.scrollHeight;
  }, [entries, streaming, cards, choices, problem]);

  const first = Math.max(0, entries.length - pages * page);
  // One list, so that a card that gets messages behind it stays the one that it is.
  const items: ReactNode[] = [];
  for (let i = first; i <= shown.length; i++) {
    cards.forEach((c, n) => {
      if (Math.max(first, places[n] ?? i) !== i) return;
      items.push(<Card key={`${c.card.plan} ${c.card.digest}`} shown={c} last={n === waiting} />);
    });
    const entry = shown[i];
    // Messages only come behind others.
    if (entry !== undefined) items.push(<Message key={i} entry={entry} old={i < shown.length - newest} />);
  }
  return (
    <div
      ref={log}
      className="log"
      role="log"
      aria-label="Conversation"
      aria-live="polite"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
      tabIndex={0}
      onScroll={(e) => {
        const x = e.currentTarget;
        // Only a person scrolls up; what grows does not.
        if (x.scrollHeight - x.scrollTop - x.clientHeight < 40) stick.current = true;
        else if (x.scrollTop < top.current) stick.current = false;
        top.current = x.scrollTop;
      }}
    >
      {first > 0 && (
        <button
          type="button"
          className="link earlier"
          onClick={() => {
            stick.current = false;
            startTransition(() => setPages(pages + 1));
          }}
        >
          Show {Math.min(page, first)} of {first} earlier messages
        </button>
      )}
      {items}
      {choices.length > 0 && (
        <fieldset className="choices">
          <legend>Which one?</legend>
          {choices.map((c) => (
            <button key={c.prompt} type="button" onClick={() => send({ type: 'send', text: c.prompt })}>
              {c.label}
            </button>
          ))}
        </fieldset>
      )}
      {problem !== '' && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {waiting >= 0 && !asks && (
        <button
          type="button"
          className="link"
          onClick={() => log.current?.querySelector('.card.waiting')?.scrollIntoView({ block: 'end' })}
        >
          A command above waits for you
        </button>
      )}
    </div>
  );
});

/** Which message a card comes before: the next that a person, or a note, said after it was proposed. */
function place(created: number, entries: Entry[]): number {
  const next = entries.findIndex((e) => e.role !== 'assistant' && Date.parse(e.time) > created);
  return next < 0 ? entries.length : next;
}

/** The answer under way. It has the place that it keeps, so that what is drawn of it stays. */
const coming: Entry = { id: '', role: 'assistant', text: '', time: '', chips: [] };

const names = { user: 'You', assistant: 'CloudOps', system: 'Note' };

const Message = memo(function Message({ entry, old }: { entry: Entry; old: boolean }) {
  const busy = entry.id === '';
  const label = busy ? names[entry.role] : `${names[entry.role]}, ${clock(entry.time)}`;
  return (
    <article className={`message ${entry.role}${old ? ' old' : ''}`} aria-label={label} aria-busy={busy}>
      {!busy && (
        <header>
          <span className="who">{names[entry.role]}</span>
          <time dateTime={entry.time}>{clock(entry.time)}</time>
          <button type="button" className="link copy" onClick={() => void navigator.clipboard.writeText(entry.text)}>
            Copy
          </button>
        </header>
      )}
      {busy && entry.text === '' && <p className="thinking">Looking…</p>}
      {entry.role === 'user' ? <p className="said">{entry.text}</p> : <Markdown text={entry.text} />}
      {entry.chips.length > 0 && (
        <ul className="chips" aria-label="Resources">
          {entry.chips.slice(0, 12).map((c) => (
            <li key={c.identifier}>
              <button
                type="button"
                title={c.identifier}
                onClick={() => send({ type: 'details', identifier: c.identifier })}
              >
                <bdi>{c.label}</bdi>
                {c.state !== '' && <small>{c.state}</small>}
              </button>
            </li>
          ))}
          {entry.chips.length > 12 && <li className="more">and {entry.chips.length - 12} more</li>}
        </ul>
      )}
    </article>
  );
});

function clock(time: string): string {
  const at = new Date(time);
  const today = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(undefined, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}
