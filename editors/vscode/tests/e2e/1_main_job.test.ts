// The main job: scan, hover, code action, chat from question to executed command.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { close, until, Window, world } from './world.ts';

let w: Window;
before(async () => {
  w = await Window.open();
});
afterEach(async (t) => {
  if ('passed' in t && !t.passed) await w.shot(`failed-${t.name}`);
});
after(close);

test('first scan', async () => {
  await w.ready();
  const chat = await w.chat();
  await chat.getByText('Nothing was scanned yet').waitFor();
  await w.shot('01-first-run');
  await chat.getByText('Scan AWS').click();
  await w.page.locator('.statusbar-item', { hasText: 'just now' }).waitFor();
  await chat.getByText('Nothing was scanned yet').waitFor({ state: 'hidden' });
  await w.shot('02-scanned');
});

test('resources', async () => {
  await w.command('CloudOps: Focus on Resources View');
  const rows = w.page.locator('.pane', { hasText: 'Resources' }).locator('.monaco-list-row');
  await rows.first().waitFor();
  await rows.first().click();
  await w.page.keyboard.press('ArrowRight');
  await w.shot('03-resources');
});

test('hover', async () => {
  await w.file('main.tf');
  const name = w.page.locator('.view-line span', { hasText: world.mainDB }).last();
  await until('the hover', async () => {
    await w.page.mouse.move(700, 700);
    try {
      await name.hover({ force: true, timeout: 2000 });
    } catch {
      return false; // the line is being drawn anew
    }
    return w.page.locator('.monaco-resizable-hover .hover-contents', { hasText: 'RDS instance' }).isVisible();
  });
  await w.shot('04-hover');
});

test('chat', async () => {
  const chat = await w.say(`Stop ${world.mainDB}`);
  const card = chat.locator('.card');
  await card.waitFor();
  await card.getByText('Run…').waitFor();
  await w.shot('05-card');
  await card.locator('vscode-button:not([disabled])', { hasText: 'Run…' }).click();
  const dialog = w.page.locator('.monaco-dialog-box');
  await dialog.waitFor();
  await w.shot('06-dialog');
  await dialog.locator('.monaco-button', { hasText: 'Run' }).click();
  await card.getByText('Done').waitFor();
  assert.match((await card.locator('.status').textContent()) ?? '', /available → stopp/);
  await w.shot('07-done');
});
