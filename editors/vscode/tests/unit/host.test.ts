import { expect, test, vi } from 'vitest';
import type { ToPanel } from '../../src/chat/messages';

test('what the extension sends is dropped when it is malformed', async () => {
  let state: unknown = { conversation: 1 };
  Object.assign(globalThis, {
    acquireVsCodeApi: () => ({ postMessage: () => {}, getState: () => state, setState: () => {} }),
  });
  const { listen, remembered } = await import('../../webview/host');
  const taken: ToPanel[] = [];
  const warned = vi.spyOn(console, 'warn').mockImplementation(() => {});
  listen((m) => taken.push(m));
  const say = (data: unknown) => window.dispatchEvent(new MessageEvent('message', { data }));

  for (const wrong of [
    null,
    'text',
    { type: 'html', text: '<b>x</b>' },
    { type: 'text', text: 1 },
    { type: 'text' },
    { type: 'card', card: { plan: 'p' } },
    { type: 'entry', entry: { id: 'e', role: 'root', text: '', time: '', chips: [] } },
    { type: 'state', state: 'approved', problem: '', empty: false },
  ]) {
    say(wrong);
  }
  expect(taken).toEqual([]);
  expect(warned).toHaveBeenCalledTimes(8);
  say({ type: 'text', text: 'hello' });
  expect(taken).toEqual([{ type: 'text', text: 'hello' }]);

  // So is what the page kept for itself.
  expect(remembered()).toEqual({ conversation: '', draft: '' });
  state = { conversation: 'c', draft: 'd' };
  expect(remembered()).toEqual(state);
});
