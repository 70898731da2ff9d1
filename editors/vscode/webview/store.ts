// What the panel shows. The server has the conversations; this is their picture.
import { create } from 'zustand';
import type { Entry, PanelCard, ToPanel } from '../src/chat/messages';

type Message<T extends ToPanel['type']> = Extract<ToPanel, { type: T }>;

export interface Shown {
  card: PanelCard;
  /** waiting: the person is asked; sent: an answer is on its way. */
  phase: 'waiting' | 'sent' | 'done';
  /** What AWS says while it runs. */
  live: string[];
  /** What the server said of being told to stop; '' when it was not. */
  stopped: string;
  outcome: Message<'outcome'> | undefined;
}

export interface Panel {
  server: Message<'state'>;
  conversation: string;
  entries: Entry[];
  /** The answer under way, as far as it came; undefined when none is. */
  streaming: string | undefined;
  choices: { label: string; prompt: string }[];
  problem: string;
  cards: Shown[];
  recent: Message<'recent'>['conversations'];
  draft: string;
  /** Counts requests to put the cursor into the message. */
  focus: number;
}

export const initial: Panel = {
  server: { type: 'state', state: 'starting', problem: '', empty: false },
  conversation: '',
  entries: [],
  streaming: undefined,
  choices: [],
  problem: '',
  cards: [],
  recent: [],
  draft: '',
  focus: 0,
};

/** How many lines of a run are kept. */
const mostLive = 200;

/** The picture after a message of the extension. */
export function next(p: Panel, m: ToPanel): Partial<Panel> {
  switch (m.type) {
    case 'state':
      return { server: m, ...(m.state === 'ready' ? {} : { streaming: undefined }) };
    case 'conversation':
      return {
        conversation: m.id,
        entries: m.entries,
        streaming: m.busy ? '' : undefined,
        choices: [],
        problem: '',
        // Cards of a run stay while the same conversation is drawn anew.
        cards: m.id === p.conversation && m.id !== '' ? p.cards : [],
      };
    case 'recent':
      return { recent: m.conversations };
    case 'entry':
      return { entries: [...p.entries, m.entry], streaming: '', choices: [], problem: '' };
    case 'text':
      return p.streaming === undefined ? {} : { streaming: p.streaming + m.text };
    case 'answered':
      return {
        conversation: m.conversation,
        entries: m.entry === null ? p.entries : [...p.entries, m.entry],
        streaming: undefined,
        choices: m.choices,
        problem: m.problem,
      };
    case 'card': {
      const shown: Shown = {
        card: m.card,
        phase: m.sent ? 'sent' : 'waiting',
        live: [],
        stopped: '',
        outcome: undefined,
      };
      return { cards: [...p.cards.filter((c) => c.card.plan !== m.card.plan), shown] };
    }
    case 'sent':
      return { cards: change(p.cards, m.plan, (c) => ({ ...c, phase: 'sent' })) };
    case 'stopped':
      return { cards: change(p.cards, m.plan, (c) => ({ ...c, stopped: m.text })) };
    case 'run':
      return { cards: change(p.cards, m.plan, (c) => ({ ...c, live: [...c.live, m.text].slice(-mostLive) })) };
    case 'outcome':
      return { cards: change(p.cards, m.plan, (c) => ({ ...c, phase: 'done', outcome: m })) };
    case 'draft':
      return m.text === '' ? {} : { draft: m.text };
    case 'unsent':
      return p.draft === '' ? { draft: m.text } : {};
    case 'focus':
      return { focus: p.focus + 1 };
  }
}

function change(cards: Shown[], plan: string, f: (c: Shown) => Shown): Shown[] {
  return cards.map((c) => (c.card.plan === plan ? f(c) : c));
}

export const usePanel = create<Panel>()(() => initial);

export function take(m: ToPanel): void {
  usePanel.setState((p) => next(p, m));
}

/** Notes that the person answered a card. */
export function answered(plan: string): void {
  take({ type: 'sent', plan });
}
