// The main job: scan, hover, code action, chat from question to executed command.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { gone, world } from './world.ts';

let w: Window;
tidy();
before(async () => {
  w = await Window.open();
});

test('first scan', async () => {
  await w.ready();
  const chat = await w.chat();
  const empty = chat.getByText('Nothing was scanned yet');
  await empty.waitFor();
  await w.shot('01-first-run');
  await w.press(chat.getByText('Scan AWS'), gone(empty));
  await w.page.locator('.statusbar-item', { hasText: 'just now' }).waitFor();
  await w.shot('02-scanned');
});

test('resources', async () => {
  const rows = await w.view('Resources');
  await w.press(rows.first(), async () => (await rows.first().getAttribute('aria-expanded')) === 'true');
  await w.shot('03-resources');
});

test('hover', async () => {
  await w.file('main.tf');
  await w.hover(world.mainDB);
  await w.shot('04-hover');
});

test('chat', async () => {
  const chat = await w.say(`Stop ${world.mainDB}`);
  const card = chat.locator('.card');
  await card.waitFor();
  await card.getByText('Run…').waitFor();
  await w.shot('05-card');
  const dialog = w.page.locator('.monaco-dialog-box');
  await w.press(await w.read(chat), dialog);
  await w.shot('06-dialog');
  await w.press(dialog.locator('.monaco-button', { hasText: 'Run' }));
  await card.getByText('Done').waitFor();
  assert.match((await card.locator('.status').textContent()) ?? '', /available → stopp/);
  await w.shot('07-done');
});
