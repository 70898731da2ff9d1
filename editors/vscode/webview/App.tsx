import { useDeferredValue } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { Composer } from './Composer';
import { send } from './host';
import { Messages } from './Messages';
import { usePanel } from './store';

const examples = ['What is stopped?', 'How many databases are there?', 'Which resources are tagged env=production?'];

export function App() {
  // A long conversation is drawn bit by bit, and typing goes first.
  const panel = useDeferredValue(
    usePanel(
      useShallow(({ conversation, entries, streaming, cards, choices, problem }) => ({
        conversation,
        entries,
        streaming,
        cards,
        choices,
        problem,
      })),
    ),
  );
  const blank =
    panel.entries.length === 0 && panel.streaming === undefined && panel.cards.length === 0 && panel.problem === '';
  return (
    <main>
      <Banner />
      {blank ? <Welcome /> : <Messages panel={panel} />}
      <Composer />
    </main>
  );
}

/** Says why something does not work, and the way forward. */
function Banner() {
  const { state, problem, empty } = usePanel((p) => p.server);
  switch (state) {
    case 'untrusted':
      return (
        <aside className="banner" role="status">
          <p>CloudOps starts once you trust this workspace.</p>
          <vscode-button onClick={() => send({ type: 'command', command: 'trust' })}>Manage Trust</vscode-button>
        </aside>
      );
    case 'missing':
      return (
        <aside className="banner fault" role="alert">
          <p>{problem}</p>
          <vscode-button onClick={() => send({ type: 'command', command: 'choose' })}>Choose the Program</vscode-button>
        </aside>
      );
    case 'failed':
      return (
        <aside className="banner fault" role="alert">
          <p>{problem}</p>
          <vscode-button onClick={() => send({ type: 'command', command: 'restart' })}>Restart</vscode-button>
          <vscode-button secondary onClick={() => send({ type: 'command', command: 'output' })}>
            Show Output
          </vscode-button>
        </aside>
      );
    case 'starting':
      return (
        <aside className="banner" role="status">
          <p>The server is starting…</p>
        </aside>
      );
    case 'ready':
      if (!empty) return null;
      return (
        <aside className="banner" role="status">
          <p>Nothing was scanned yet. A scan reads your AWS accounts into an encrypted store on this machine.</p>
          <vscode-button onClick={() => send({ type: 'command', command: 'scan' })}>Scan AWS</vscode-button>
          <vscode-button secondary onClick={() => send({ type: 'command', command: 'profile' })}>
            Switch Profile
          </vscode-button>
        </aside>
      );
  }
}

function Welcome() {
  const ready = usePanel((p) => p.server.state === 'ready');
  const recent = usePanel((p) => p.recent);
  return (
    <div className="welcome">
      <h1>Ask about your AWS estate</h1>
      <p>
        Answers come from the encrypted store on this machine. Commands are shown first; nothing runs until you approve
        it.
      </p>
      {ready && (
        <ul>
          {examples.map((x) => (
            <li key={x}>
              <button type="button" className="link" onClick={() => send({ type: 'send', text: x })}>
                {x}
              </button>
            </li>
          ))}
        </ul>
      )}
      {ready && recent.length > 0 && (
        <>
          <h2>Go on with</h2>
          <ul>
            {recent.map((c) => (
              <li key={c.id} className="recent">
                <button
                  type="button"
                  className="link"
                  onClick={() => send({ type: 'open', conversation: c.id })}
                  title={c.title}
                >
                  {c.title}
                </button>
                <small>{c.ago}</small>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
