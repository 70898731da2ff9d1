import * as v from 'valibot';
import { expect, test } from 'vitest';
import { FromPanel } from '../../src/chat/messages';

const takes = (m: unknown) => v.safeParse(FromPanel, m).success;

test('of a plan the panel can only say which one, its digest, and run, reject or stop', () => {
  const decide = { type: 'decide', plan: 'p', digest: 'd', decision: 'run', reason: '' };
  expect(takes(decide)).toBe(true);
  for (const wrong of [
    { ...decide, decision: 'always' },
    { ...decide, title: 'Run: Stop db (123)' },
    { ...decide, argv: ['aws'] },
    { ...decide, digest: undefined },
    { type: 'execute', command: 'workbench.action.terminal.new' },
    { type: 'command', command: 'workbench.action.terminal.new' },
    { type: 'open', conversation: 'x'.repeat(5000) },
    null,
    'send',
    [decide],
  ]) {
    expect(takes(wrong)).toBe(false);
  }
});
