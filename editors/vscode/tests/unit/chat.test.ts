import { beforeEach, describe, expect, test, vi } from 'vitest';
import type * as vscode from 'vscode';
import type { Approvals } from '../../src/approvals';
import type { ToPanel } from '../../src/chat/messages';
import { ChatView, page } from '../../src/chat/view';
import type { Client } from '../../src/client';
import type { Estate } from '../../src/estate';
import type { Card } from '../../src/protocol';
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

describe('what the panel sends', () => {
  const card = { plan: 'p1', digest: 'd1', conversation_id: 'c', grave: true, fields: [] } as unknown as Card;
  let view: ChatView;
  let panel: EventEmitter<unknown>;
  let posted: ToPanel[];
  let options: vscode.WebviewOptions;
  const warn = vi.fn();
  const request = vi.fn(async () => ({ messages: [], conversations: [], plans: [], resources: [] }));

  beforeEach(() => {
    for (const f of [warn, request, commands.executeCommand]) f.mockClear();
    const nothing = () => ({ dispose() {} });
    const client = {
      state: 'ready',
      problem: '',
      onNote: nothing,
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

  const waiting = () => view.ask(card, new CancellationTokenSource().token as unknown as vscode.CancellationToken);
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
    void waiting().then((a) => {
      answer = a;
    });
    panel.fire(message);
    await Promise.resolve();
    expect(warn).toHaveBeenCalledTimes(1);
    expect([answer, request.mock.calls, commands.executeCommand.mock.calls, posted]).toEqual(['none yet', [], [], []]);
  });

  test('answers the very card that was shown', async () => {
    const answer = waiting();
    panel.fire({ ...decide, digest: 'another' });
    panel.fire({ ...decide, plan: 'another' });
    panel.fire({ ...decide, decision: 'reject' });
    expect(await answer).toEqual({ run: false, reason: '' });
  });

  test('is no answer when the server is gone', async () => {
    const answer = waiting();
    view.dispose();
    expect(await answer).toBeUndefined();
  });
});
