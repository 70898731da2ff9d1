import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Entry, FromPanel, PanelCard, ToPanel } from '../../src/chat/messages';

const sent: FromPanel[] = [];
let root: Root;
let host: HTMLElement;
let store: typeof import('../../webview/store');

const card: PanelCard = {
  plan: 'p1',
  digest: 'd1',
  title: 'Stop pg-instance-main1',
  line: 'aws rds stop-db-instance --db-instance-identifier=pg-instance-main1 --region=us-west-2',
  risk: 'high',
  grave: true,
  fields: [
    { name: 'risk', text: 'high: tagged as production', more: false },
    { name: 'target', text: 'RDS instance id pg-instance-main1', more: false },
    { name: 'account', text: '123456789012', more: false },
    { name: 'origin', text: 'an editor', more: true },
  ],
  created: Date.parse('2026-01-10T12:00:00Z'),
  expires: Date.now() + 300_000,
  arm: 0,
  others: 0,
};

/** What the page watches of what is in view. */
class Observer {
  static all = new Set<Observer>();
  readonly watched = new Set<Element>();
  constructor(private readonly tell: (entries: unknown[]) => void) {}
  observe(x: Element): void {
    Observer.all.add(this);
    this.watched.add(x);
  }
  disconnect(): void {
    Observer.all.delete(this);
    this.watched.clear();
  }
  /** Brings a part of an element into view; of its width too. */
  static show(selector: string, from: number, to: number, width = 300): void {
    for (const o of Observer.all) {
      for (const x of o.watched) {
        if (!x.matches(selector)) continue;
        const whole = { top: -50, height: 200, width: 300 };
        const seen = { top: whole.top + 200 * from, bottom: whole.top + 200 * to, width };
        o.tell([{ target: x, isIntersecting: to > from, intersectionRect: seen, boundingClientRect: whole }]);
      }
    }
  }
}

const show = (selector: string, from = 0, to = 1, width = 300) => act(() => Observer.show(selector, from, to, width));
const wait = (milliseconds: number) => act(() => vi.advanceTimersByTime(milliseconds));
/** Looks at the whole card for as long as it takes. */
function readCard(): void {
  show('.line');
  show('.aims');
  wait(1000);
}

const entry = (id: string, text: string, role: Entry['role'] = 'assistant'): Entry => ({
  id,
  role,
  text,
  time: '2026-01-10T12:00:00Z',
  chips: [],
});

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  sent.length = 0;
  Object.assign(globalThis, {
    IS_REACT_ACT_ENVIRONMENT: true,
    IntersectionObserver: Observer,
    acquireVsCodeApi: () => ({
      postMessage: (m: FromPanel) => sent.push(m),
      getState: () => undefined,
      setState: () => {},
    }),
  });
  Element.prototype.scrollIntoView = () => {};
  Element.prototype.scrollBy = () => {};
  store = await import('../../webview/store');
  const { App } = await import('../../webview/App');
  host = document.body.appendChild(document.createElement('div'));
  root = createRoot(host);
  act(() => root.render(<App />));
  take({ type: 'state', state: 'ready', problem: '', empty: false });
});

afterEach(() => {
  act(() => root.unmount());
  host.remove();
  vi.useRealTimers();
});

function take(...messages: ToPanel[]): void {
  act(() => {
    for (const m of messages) store.take(m);
  });
}

function conversation(entries: Entry[]): void {
  take({ type: 'conversation', id: 'c', entries, busy: false });
}

function button(words: string): HTMLElement {
  const all = [...host.querySelectorAll<HTMLElement>('vscode-button, button')];
  const found = all.find((b) => b.textContent?.startsWith(words));
  if (found === undefined) throw new Error(`no button ${words} in ${host.textContent}`);
  return found;
}

const click = (words: string) => act(() => button(words).click());

function press(key: string, ctrlKey: boolean): void {
  act(() => {
    host.querySelector('.card')?.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey, bubbles: true }));
  });
}

describe('an approval card', () => {
  beforeEach(() => {
    conversation([]);
    take({ type: 'card', card, sent: false });
  });

  test('shows the command and the fields, the lesser ones behind a fold', () => {
    expect(host.querySelector('.line code')?.textContent).toBe(card.line);
    expect(host.textContent).toContain('123456789012');
    expect(host.querySelector('details')?.textContent).toContain('an editor');
    expect(host.querySelector('.risk')?.textContent).toBe('high risk');
  });

  test('takes no answer that was meant for what stood there before', () => {
    show('.line');
    show('.aims');
    wait(700);
    click('Run');
    press('Enter', true);
    expect(sent).toEqual([]);
    wait(200);
    click('Run');
    expect(sent).toEqual([{ type: 'decide', plan: 'p1', digest: 'd1', decision: 'run', reason: '' }]);
    expect(host.textContent).toContain('VS Code asks once more');
  });

  test('is answered once', () => {
    readCard();
    const run = button('Run');
    act(() => run.click());
    act(() => run.click());
    expect(sent).toHaveLength(1);
  });

  test('is rejected by a key, at once', () => {
    press('Backspace', true);
    expect(sent).toEqual([{ type: 'decide', plan: 'p1', digest: 'd1', decision: 'reject', reason: '' }]);
  });

  test('a letter or Enter alone decides nothing', () => {
    readCard();
    for (const key of ['y', 'r', 'Enter', ' ']) press(key, false);
    expect(sent).toEqual([]);
  });

  test('tells what became of it', () => {
    readCard();
    click('Run');
    take({ type: 'run', plan: 'p1', kind: 'state', text: 'stopping' });
    expect(host.textContent).toContain('stopping');
    take({
      type: 'outcome',
      plan: 'p1',
      status: 'succeeded',
      before: 'available',
      after: 'stopped',
      output: '{}',
      problem: '',
    });
    expect(host.querySelector('.status')?.textContent).toBe('Done: available → stopped');
    expect([...host.querySelectorAll('vscode-button')].map((b) => b.textContent)).toEqual(['Send']);
  });
});

describe('Run waits until the command and its target were read:', () => {
  const armed = () => !button('Run').hasAttribute('disabled');
  beforeEach(() => {
    conversation([]);
    take({ type: 'card', card, sent: false });
  });

  test.each<[string, () => void]>([
    ['nothing is in view', () => {}],
    ['the command alone', () => show('.line')],
    ['the target alone', () => show('.aims')],
    [
      'a part of the command',
      () => {
        show('.line', 0, 0.6);
        show('.aims');
      },
    ],
    [
      'the target cut off at its side',
      () => {
        show('.line');
        show('.aims', 0, 1, 200);
      },
    ],
    [
      'what is scrolled past',
      () => {
        for (const [from, to] of [
          [0, 0.5],
          [0.25, 0.75],
          [0.5, 1],
          [1, 1],
        ] as const) {
          show('.line', from, to);
          wait(300);
        }
        show('.aims');
      },
    ],
    [
      'a panel that nobody sees',
      () => {
        vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
        show('.line');
        show('.aims');
      },
    ],
  ])('%s', (_, look) => {
    look();
    wait(60_000);
    expect(armed()).toBe(false);
    click('Run');
    press('Enter', true);
    expect(sent).toEqual([]);
    vi.restoreAllMocks();
  });

  test('both at once', () => {
    readCard();
    expect(armed()).toBe(true);
  });

  test('where a long command is scrolled to, which no observer tells by itself', () => {
    const asked = vi.spyOn(Observer.prototype, 'observe');
    act(() => host.querySelector('.log')?.dispatchEvent(new Event('scroll')));
    expect(asked.mock.calls.map(([x]) => x.tagName)).toEqual(['PRE', 'DL']);
    asked.mockRestore();
  });

  test('as long as the server says', () => {
    take({ type: 'card', card: { ...card, digest: 'd2', arm: 3000 }, sent: false });
    readCard();
    wait(1900);
    expect(armed()).toBe(false);
    wait(200);
    expect(armed()).toBe(true);
  });

  test('one after the other, a long command in parts', () => {
    show('.aims');
    wait(1000);
    show('.aims', 0, 0);
    for (const [from, to] of [
      [0, 0.4],
      [0.6, 1],
      [0.3, 0.7],
    ] as const) {
      expect(armed()).toBe(false);
      show('.line', from, to);
      wait(1000);
    }
    expect(armed()).toBe(true);
  });

  test('it says so, to screen readers too, and shows what is left', () => {
    const shown: Element[] = [];
    Element.prototype.scrollIntoView = function () {
      shown.push(this);
    };
    const why = () => host.querySelector(`#${CSS.escape(button('Run').getAttribute('aria-describedby') ?? 'none')}`);
    expect(why()?.textContent).toContain('Run waits until you had the whole command and its target in view');
    show('.line');
    wait(1000);
    click('Show them');
    press('Enter', true);
    expect(shown.map((x) => x.tagName)).toEqual(['DL', 'DL']);
    show('.aims');
    wait(1000);
    expect(button('Run').hasAttribute('aria-describedby')).toBe(false);
    expect(host.textContent).not.toContain('Run waits');
  });

  test('anew for another card, and for one that is asked again', () => {
    readCard();
    take({ type: 'card', card: { ...card, digest: 'd2' }, sent: false });
    expect(armed()).toBe(false);
    readCard();
    take({ type: 'sent', plan: 'p1' }, { type: 'card', card: { ...card, digest: 'd2' }, sent: false });
    readCard();
    take({ type: 'sent', plan: 'p1' });
    take({ type: 'card', card: { ...card, digest: 'd2' }, sent: false });
    expect(armed()).toBe(false);
    wait(5000);
    expect(armed()).toBe(false);
  });
});

test('a card stands where it was proposed, whatever is said later', () => {
  const at = (id: string, role: Entry['role'], minute: number) => ({
    ...entry(id, `${role} ${id}`, role),
    time: `2026-01-10T12:0${minute}:00Z`,
  });
  conversation([at('1', 'user', 0), at('2', 'assistant', 2)]);
  take({ type: 'card', card: { ...card, created: Date.parse('2026-01-10T12:01:00Z') }, sent: false });
  const input = () => host.querySelector<HTMLInputElement>('.reason input');
  click('Reject with a reason');
  const kept = input();
  take(
    { type: 'entry', entry: at('3', 'user', 3) },
    { type: 'answered', conversation: 'c', entry: at('4', 'assistant', 3), choices: [], problem: '' },
  );
  const order = () =>
    [...host.querySelectorAll('.message, .card')].map((x) => (x.matches('.card') ? 'card' : x.textContent?.at(-1)));
  expect(order()).toEqual(['1', '2', 'card', '3', '4']);
  expect(input()).toBe(kept);
  expect(host.textContent).toContain('A command above waits for you');
  click('Reject');
  expect(order()).toEqual(['1', '2', 'card', '3', '4']);
  expect(host.textContent).not.toContain('A command above waits for you');
});

test('what was approved can be stopped, and the words are those of the server', () => {
  conversation([]);
  take({ type: 'card', card: { ...card, grave: false }, sent: false });
  readCard();
  click('Run');
  click('Stop');
  expect(sent.at(-1)).toEqual({ type: 'decide', plan: 'p1', digest: 'd1', decision: 'stop', reason: '' });
  expect(host.textContent).toContain('Waiting for AWS…');
  const late = 'AWS has the command already and goes on with it';
  take({ type: 'stopped', plan: 'p1', text: late });
  expect(host.querySelector('.outcome')?.textContent).toBe(late);
  const outcome = {
    type: 'outcome',
    plan: 'p1',
    before: '',
    after: '',
    output: '',
    problem: 'stopped before AWS was called',
  };
  take({ ...outcome, type: 'outcome', status: 'void' });
  expect(host.querySelector('.outcome')?.textContent).toBe('Nothing ranstopped before AWS was called');
});

test('an empty panel offers the latest conversations', () => {
  conversation([]);
  take({ type: 'recent', conversations: [{ id: 'c1', title: 'Stop web-1', ago: '3 h ago' }] });
  click('Stop web-1');
  expect(sent).toEqual([{ type: 'open', conversation: 'c1' }]);
});

describe('messages', () => {
  test('are never HTML, pictures or links', () => {
    const hostile =
      '<img src=x onerror=alert(1)> ![p](http://x/y.png) [click](command:evil) <b>bold</b> **fine** `code`';
    conversation([entry('1', hostile)]);
    const message = host.querySelector('.message');
    expect(message?.querySelector('img, a, b, script, iframe')).toBeNull();
    expect(message?.querySelector('strong')?.textContent).toBe('fine');
    expect(message?.textContent).toContain('click');
  });

  test('of the person are shown as they were written', () => {
    conversation([entry('1', '<b>**x**</b>\n  [a](b)', 'user')]);
    expect(host.querySelector('.said')?.textContent).toBe('<b>**x**</b>\n  [a](b)');
  });

  test('of a megabyte are shown in part, and whole when asked for', () => {
    conversation([entry('1', 'x '.repeat(500_000))]);
    expect(host.querySelector('.long')?.textContent?.length).toBe(60_000);
    click('Show all');
    expect(host.querySelector('.long')?.textContent?.length).toBe(1_000_000);
  });

  test('keep lists and code whole across blank lines', () => {
    conversation([entry('1', 'Do:\n\n1. a\n\n2. b\n\n   c\n\n~~~\nx\n\n```\ny\n~~~\n\nend')]);
    expect(host.querySelectorAll('.assistant ol')).toHaveLength(1);
    expect(host.querySelectorAll('.assistant li')).toHaveLength(2);
    expect(host.querySelector('.assistant pre')?.textContent).toBe('x\n\n```\ny\n');
    expect(host.querySelector('.assistant > p:last-of-type')?.textContent).toBe('end');
  });

  test('by the thousand are drawn a page at a time', () => {
    conversation(Array.from({ length: 1000 }, (_, i) => entry(`${i}`, `message ${i}`)));
    expect(host.querySelectorAll('.message')).toHaveLength(15);
    expect(host.textContent).toContain('message 999');
    click('Show 15 of 985');
    expect(host.querySelectorAll('.message')).toHaveLength(30);
  });

  test('stream, and end', () => {
    conversation([]);
    take(
      { type: 'entry', entry: entry('u', 'how many?', 'user') },
      { type: 'text', text: 'There are ' },
      { type: 'text', text: '**3**.' },
    );
    expect(host.querySelector('.assistant')?.textContent).toContain('There are 3.');
    expect(button('Stop')).toBeDefined();
    take({ type: 'answered', conversation: 'c', entry: entry('a', 'There are **3**.'), choices: [], problem: '' });
    expect(host.querySelectorAll('.assistant')).toHaveLength(1);
    expect(() => button('Stop')).toThrow();
  });

  test('that ask which one offer buttons', () => {
    conversation([]);
    take({
      type: 'answered',
      conversation: 'c',
      entry: entry('a', 'Which one?'),
      choices: [{ label: 'web in lab', prompt: 'Stop i-1' }],
      problem: '',
    });
    click('web in lab');
    expect(sent).toEqual([{ type: 'send', text: 'Stop i-1' }]);
  });
});

describe('what does not work', () => {
  test.each([
    ['untrusted', 'Manage Trust', 'trust'],
    ['missing', 'Choose the Program', 'choose'],
    ['failed', 'Restart', 'restart'],
  ] as const)('%s has a way forward', (state, words, command) => {
    take({ type: 'state', state, problem: 'why', empty: false });
    click(words);
    expect(sent).toEqual([{ type: 'command', command }]);
    expect(host.querySelector('textarea')?.placeholder).toBe('The server is not ready');
  });

  test('an empty estate offers a scan', () => {
    take({ type: 'state', state: 'ready', problem: '', empty: true });
    click('Scan AWS');
    expect(sent).toEqual([{ type: 'command', command: 'scan' }]);
  });

  test('a server that ends ends the answer under way', () => {
    conversation([]);
    take(
      { type: 'entry', entry: entry('u', 'x', 'user') },
      { type: 'state', state: 'failed', problem: '', empty: false },
    );
    expect(() => button('Stop')).toThrow();
  });
});
