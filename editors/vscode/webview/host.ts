// The way to the extension, and what the page remembers across reloads.
import * as v from 'valibot';
import { type FromPanel, ToPanel } from '../src/chat/messages';

interface Api {
  postMessage(m: unknown): void;
  getState(): unknown;
  setState(s: unknown): void;
}
declare function acquireVsCodeApi(): Api;

const Remembered = v.object({ conversation: v.string(), draft: v.string() });
export type Remembered = v.InferOutput<typeof Remembered>;

const api = acquireVsCodeApi();

export function send(m: FromPanel): void {
  api.postMessage(m);
}

export function remember(s: Remembered): void {
  api.setState(s);
}

export function remembered(): Remembered {
  const parsed = v.safeParse(Remembered, api.getState());
  return parsed.success ? parsed.output : { conversation: '', draft: '' };
}

/** Calls back with each message of the extension; malformed ones are dropped. */
export function listen(take: (m: ToPanel) => void): void {
  window.addEventListener('message', (e: MessageEvent<unknown>) => {
    const parsed = v.safeParse(ToPanel, e.data);
    if (parsed.success) take(parsed.output);
    else console.warn('a malformed message from the extension');
  });
}
