import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Answer, Approvals, type Surface } from '../../src/approvals';
import type { Client } from '../../src/client';
import type { Card } from '../../src/protocol.gen';
import { CancellationTokenSource, window } from './vscode';

vi.mock('../../src/client', () => ({}));

const card: Card = {
  plan: 'p1',
  digest: 'd1',
  title: 'Stop db',
  line: 'aws rds stop-db-instance --db-instance-identifier=db',
  risk: 'high',
  grave: true,
  fields: [],
  dialog: 'what the server says of it',
  message: 'Stop db?',
  conversation_id: 'c',
  run: 'Run: Stop db (123456789012)',
  reject: 'Reject',
  created_ms: Date.now(),
  expires_ms: Date.now() + 300_000,
  arm_after_ms: 1000,
  waiting: 0,
};
const mild: Card = { ...card, risk: 'low', grave: false };
const no: Answer = { title: '', digest: 'd1' };

/** Has the server ask about a card, with a panel that answers. */
async function ask(card: Card, panel?: Surface['ask'], token = new CancellationTokenSource().token): Promise<Answer> {
  let prompt: ((card: Card, token: unknown) => Promise<Answer>) | undefined;
  const client = {
    onRequest: (_: unknown, handler: typeof prompt) => {
      prompt = handler;
    },
  };
  const approvals = new Approvals(client as unknown as Client);
  if (panel) approvals.use({ takes: () => true, reveal: async () => {}, ask: panel });
  if (prompt === undefined) throw new Error('nothing answers the server');
  return prompt(card, token);
}

const says = (run: boolean) => async () => ({ run, reason: '' });
const dialog = window.showWarningMessage;
beforeEach(() => {
  dialog.mockReset();
});

test('what is grave is confirmed in a dialog of its own, in the words of the server', async () => {
  dialog.mockResolvedValue(card.run);
  expect(await ask(card, says(true))).toEqual({ title: card.run, digest: 'd1' });
  expect(dialog.mock.calls).toEqual([[card.title, { modal: true, detail: card.dialog }, card.reject, card.run]]);
});

test.each([undefined, card.reject])('what is grave does not run on the word of the panel: %s', async (answer) => {
  dialog.mockResolvedValue(answer);
  expect((await ask(card, says(true))).title).not.toBe(card.run);
});

test('what is not grave runs on the word of the panel', async () => {
  expect(await ask(mild, says(true))).toEqual({ title: card.run, digest: 'd1' });
  expect(dialog).not.toHaveBeenCalled();
});

test('rejecting comes first where no panel is open', async () => {
  dialog.mockResolvedValue(card.reject);
  expect(await ask(mild)).toEqual({ title: card.reject, digest: 'd1' });
  expect(dialog.mock.calls[0]?.slice(0, 2)).toEqual([card.message, card.reject]);
});

test('a closed dialog approves nothing', async () => {
  dialog.mockResolvedValue(undefined);
  expect(await ask(card)).toEqual(no);
});

// The daemon takes an error for no answer, and the plan goes on waiting.
describe('who could not answer decides nothing:', () => {
  test('a closed panel', async () => {
    await expect(ask(card, async () => undefined)).rejects.toThrow('taken back');
  });

  test('an error', async () => {
    dialog.mockRejectedValue(new Error('the window is gone'));
    await expect(ask(card)).rejects.toThrow('the window is gone');
  });

  test('a question that the server took back, such as one that expired', async () => {
    const source = new CancellationTokenSource();
    dialog.mockImplementation(async () => {
      source.cancel();
      return card.run;
    });
    await expect(ask(card, says(true), source.token)).rejects.toThrow('taken back');
    await expect(ask(mild, says(true), source.token)).rejects.toThrow('taken back');
  });
});
