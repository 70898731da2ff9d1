// A window that is small, with all views open: the panel shows a part of a card only.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { gone, settings, until, world } from './world.ts';

let w: Window;
tidy();
before(async () => {
  await settings('User', { 'editor.fontSize': 30 });
  w = await Window.open(world.workspace, '', { width: 1280, height: 640 });
  await w.ready();
  await w.scan();
  await w.view('Resources');
  await w.view('Executions');
});
after(() => settings('User', { 'editor.fontSize': undefined }));

test('Run waits until command and target were in view', async () => {
  await w.anew();
  const chat = await w.say('Reboot orders-db');
  const log = chat.locator('.log');
  const run = chat.locator('.card.waiting vscode-button', { hasText: 'Run' });
  const enabled = async () => (await run.getAttribute('disabled')) === null;
  const waits = chat.getByText('Run waits until');
  await waits.waitFor();
  // The command is taller than the panel, whose end has the button: looking at it for long is not enough.
  await run.scrollIntoViewIfNeeded();
  const still = async (what: string) => {
    const began = Date.now();
    await until(what, async () => (await enabled()) || Date.now() - began > 2000);
  };
  await still('the end is read');
  await w.shot('90-small-waits');
  assert.equal(await enabled(), false);
  assert.deepEqual(await w.faultsOfAccess(), []);

  // By keys, page by page.
  await log.focus();
  await w.keys('Home', async () => (await log.evaluate((x) => x.scrollTop)) === 0);
  for (let at = -1; !(await enabled()); ) {
    await still('a page is read');
    const before = at;
    at = await log.evaluate((x) => x.scrollTop);
    assert.ok(at > before, 'all was seen, and Run still waits');
    await log.press('PageDown');
  }
  await waits.waitFor({ state: 'hidden' });
  await w.shot('91-small-read');
  const dialog = w.page.locator('.monaco-dialog-box');
  await w.press(chat.locator('vscode-button', { hasText: 'Reject' }).first(), gone(run));
  assert.ok(!(await dialog.isVisible()));
});
