import { beforeEach, describe, expect, test, vi } from 'vitest';
import type * as vscode from 'vscode';
import type { Approvals } from '../../src/approvals';
import type { ToPanel } from '../../src/chat/messages';
import { ChatView, page } from '../../src/chat/view';
import type { Client } from '../../src/client';
import type { Estate } from '../../src/estate';
import type { Card } from '../../src/protocol.gen';
import { CancellationTokenSource, commands, EventEmitter } from './vscode';

vi.mock('../../src/client', () => ({ words: String, logged: String, ServerError: class extends Error {} }));

const webview = { cspSource: 'https://self.example', asWebviewUri: (uri: unknown) => `https://self.example${uri}` };
const html = () => page(webview as unknown as vscode.Webview, '/dist' as unknown as vscode.Uri);

describe('the page', () => {
  const document = () => new DOMParser().parseFromString(html(), 'text/html');
  const policy = () => {
    const content = document().querySelector('meta[http-equiv="Content-Security-Policy"]')?.getAttribute('content');
    return Object.fromEntries(
      (content ?? '').split('; ').map((d) => [d.split(' ')[0], d.split(' ').slice(1).join(' ')]),
    );
  };

  test('may load its own script and style, and nothing else', () => {
    const { 'script-src': script, ...rest } = policy();
    expect(rest).toEqual({
      'default-src': "'none'",
      'connect-src': "'none'",
      'form-action': "'none'",
      'base-uri': "'none'",
      'frame-src': "'none'",
      'img-src': "'none'",
      'style-src': 'https://self.example',
    });
    expect(script).toMatch(/^'nonce-[\w-]{22}'$/);
    expect(policy()['script-src']).not.toBe(script);
  });

  test('holds one script and one style, and no text of others', () => {
    expect([...document().querySelectorAll('script, link, img, iframe, style')].map((e) => e.outerHTML)).toEqual([
      '<link rel="stylesheet" href="https://self.example/dist/panel.css">',
      expect.stringMatching(/^<script nonce="[\w-]{22}" src="https:\/\/self.example\/dist\/panel.js"><\/script>$/),
    ]);
    expect(document().body.textContent?.trim()).toBe('');
  });
});

const card = { plan: 'p1', digest: 'd1', conversation_id: 'c', grave: true, fields: [] } as unknown as Card;
const waiting = (card: Card) =>
  view.ask(card, new CancellationTokenSource().token as unknown as vscode.CancellationToken);
const settled = () => new Promise((done) => setTimeout(done));
let view: ChatView;
let panel: EventEmitter<unknown>;
let posted: ToPanel[];
let options: vscode.WebviewOptions;
let notes: Map<string, () => void>;
const warn = vi.fn();
const none = { messages: [], conversations: [], plans: [], resources: [], executions: [] };
const request = vi.fn(
  async (_request: { method: string }, _params?: { conversation_id?: string }): Promise<object> => none,
);

beforeEach(() => {
  for (const f of [warn, request, commands.executeCommand]) f.mockClear();
  request.mockImplementation(async () => none);
  notes = new Map();
  const nothing = () => ({ dispose() {} });
  const client = {
    state: 'ready',
    problem: '',
    onNote: (note: { method: string }, handler: () => void) => notes.set(note.method, handler),
    onState: nothing,
    output: { warn, error: warn },
    request,
  };
  view = new ChatView(
    '/extension' as unknown as vscode.Uri,
    { get: () => 'c', update: async () => {} } as unknown as vscode.Memento,
    client as unknown as Client,
    { status: undefined, onChange: nothing } as unknown as Estate,
    { use: nothing, onDecided: nothing } as unknown as Approvals,
    async () => {},
  );
  panel = new EventEmitter();
  posted = [];
  const shown = {
    visible: true,
    onDidDispose: nothing,
    onDidChangeVisibility: nothing,
    webview: { ...webview, onDidReceiveMessage: panel.event, postMessage: (m: ToPanel) => posted.push(m) },
  };
  view.resolveWebviewView(shown as unknown as vscode.WebviewView);
  options = (shown.webview as unknown as { options: vscode.WebviewOptions }).options;
});

describe('what the panel sends', () => {
  const decide = { type: 'decide', plan: 'p1', digest: 'd1', decision: 'run', reason: '' };

  test('can load from the folder of the page only, and is no command', () => {
    expect(options).toEqual({
      enableScripts: true,
      enableForms: false,
      enableCommandUris: false,
      localResourceRoots: ['/extension/dist'],
    });
  });

  test.each([
    { ...decide, decision: 'always' },
    { ...decide, command: 'aws' },
    { ...decide, digest: 1 },
    { type: 'command', command: 'workbench.action.terminal.new' },
    { type: 'send', text: 'x'.repeat(60_001) },
    { type: 'request', method: 'cloudops/execution/decide' },
    'decide',
    null,
  ])('is dropped when it is malformed: %o', async (message) => {
    let answer: unknown = 'none yet';
    void waiting(card).then((a) => {
      answer = a;
    });
    panel.fire(message);
    await Promise.resolve();
    expect(warn).toHaveBeenCalledTimes(1);
    expect([answer, request.mock.calls, commands.executeCommand.mock.calls, posted]).toEqual(['none yet', [], [], []]);
  });

  test('answers the very card that was shown', async () => {
    const answer = waiting(card);
    panel.fire({ ...decide, digest: 'another' });
    panel.fire({ ...decide, plan: 'another' });
    panel.fire({ ...decide, decision: 'reject' });
    expect(await answer).toEqual({ run: false, reason: '' });
  });

  test('is no answer when the server is gone', async () => {
    const answer = waiting(card);
    view.dispose();
    expect(await answer).toBeUndefined();
  });
});

describe('a card', () => {
  const cards = () => posted.filter((m) => m.type === 'card').map((m) => m.card.plan);
  const other = { ...card, plan: 'p2', conversation_id: 'other' };
  const ready = async () => {
    panel.fire({ type: 'ready', conversation: 'c' });
    await settled();
  };

  test('is shown in its own conversation only, and again when that is opened', async () => {
    await ready();
    void waiting(card);
    void waiting({ ...card, plan: 'p3', conversation_id: '' });
    await view.open('other');
    posted.length = 0;
    await view.open('c');
    expect(cards()).toEqual(['p1']);
    posted.length = 0;
    await view.reveal('');
    expect(cards()).toEqual(['p3']);
  });

  test('of another conversation is reviewed there', async () => {
    await ready();
    void waiting(other);
    posted.length = 0;
    await view.reveal('other');
    expect(posted.filter((m) => m.type === 'conversation').map((m) => m.id)).toEqual(['other']);
    expect(cards()).toEqual(['p2']);
  });

  test.each(['rejected', 'expired', 'void', 'succeeded'])(
    'that is %s elsewhere ends, in whatever conversation',
    async (status) => {
      await ready();
      const here = waiting(card);
      const there = waiting(other);
      const ended = (plan: string) => ({
        plan_id: plan,
        status,
        started_at: '',
        finished_at: '',
        output: '',
        state_before: '',
        state_after: '',
        error: '',
      });
      request.mockImplementation(async ({ method }, params) => {
        if (method !== 'cloudops/execution/list') return none;
        return { executions: [ended(params?.conversation_id === 'c' ? 'p1' : 'p2')] };
      });
      notes.get('cloudops/execution/changed')?.();
      expect(await Promise.all([here, there])).toEqual([undefined, undefined]);
      await settled();
      const outcomes = posted.filter((m) => m.type === 'outcome').map((m) => [m.plan, m.status]);
      expect(outcomes).toEqual([
        ['p1', status],
        ['p2', status],
      ]);
    },
  );

  test('an earlier conversation that is read late does not take the place of the one that is open', async () => {
    await ready();
    let late: (x: object) => void = () => {};
    request.mockImplementation(async (_, params) =>
      params?.conversation_id === 'slow'
        ? new Promise<object>((done) => {
            late = done;
          })
        : none,
    );
    const slow = view.open('slow');
    await view.open('');
    posted.length = 0;
    late(none);
    await slow;
    expect(posted.filter((m) => m.type === 'conversation')).toEqual([]);
  });
});
