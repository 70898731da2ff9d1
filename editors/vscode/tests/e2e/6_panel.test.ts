// The chat panel under hard use: closed, moved and reloaded while things are
// under way, with very long texts, in windows without a folder, and in two.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { close, fault, program, real, scratch, settings, until, Window, world } from './world.ts';

let w: Window;
before(async () => {
  w = await Window.open();
  await w.ready();
  await w.scan();
});
afterEach(async (t) => {
  if ('passed' in t && !t.passed) await w.shot(`failed-${t.name}`);
  await fault({ kind: 'none' });
});
after(async () => {
  await settings('Machine', { 'cloudops.server.path': undefined });
  await close();
});

const sideBar = () => w.command('View: Toggle Primary Side Bar Visibility');
const hidden = () => w.page.locator('iframe.webview').waitFor({ state: 'detached' });

/** What became of the latest command, by the audit. */
function latest(): { status: string; line: string } {
  const out = execFileSync(world.cloudops, ['executions', '--json'], { encoding: 'utf8' });
  return JSON.parse(out).executions[0];
}

test('an answer is stopped, though AWS does not answer', async () => {
  await fault({ kind: 'hang' });
  const chat = await w.say('Reboot orders-db');
  await chat.getByText('Looking').waitFor();
  await w.shot('60-looking');
  const began = Date.now();
  await chat.locator('vscode-button', { hasText: 'Stop' }).click();
  await chat.getByText('Stopped.').waitFor();
  assert.ok(Date.now() - began < 3000);
  await w.shot('61-stopped');
});

test('closed while it answers: the card is still reached', async () => {
  await w.anew();
  await fault({ kind: 'slow', milliseconds: 2000, service: 'ec2', operation: 'DescribeInstances' });
  const chat = await w.say('Start batch-1');
  await chat.getByText('Looking').waitFor();
  await sideBar();
  await hidden();
  const toast = w.page.locator('.notification-toast', { hasText: 'batch-1' });
  await toast.waitFor();
  await w.shot('62-closed-answer');
  await toast.locator('.monaco-button', { hasText: 'Show Card' }).click();
  await chat.locator('.card').waitFor();
});

test('closed while a card waits: nothing is approved, and the card is found', async () => {
  const chat = await w.chat();
  await sideBar();
  await hidden();
  await w.page.locator('.activitybar .badge-content', { hasText: '1' }).waitFor();
  await w.shot('63-closed-card');
  assert.equal(latest().status, 'planned');
  await w.command('CloudOps: Review Pending Commands');
  await w.page.locator('.quick-input-list .monaco-list-row', { hasText: 'start-instances' }).first().waitFor();
  await w.page.keyboard.press('Enter');
  await chat.locator('.card').waitFor();
  await w.shot('64-found');
});

test('closed while a command runs: what became of it is shown', async () => {
  await fault({ kind: 'slow', milliseconds: 3000, service: 'ec2', operation: 'StartInstances' });
  const chat = await w.chat();
  await chat.locator('vscode-button:not([disabled])', { hasText: 'Run' }).click();
  await chat.getByText('Waiting for AWS').waitFor();
  await sideBar();
  await hidden();
  const again = await w.chat();
  await again.locator('.card.sent').waitFor();
  await w.shot('65-runs');
  await sideBar();
  await hidden();
  await until('it ran', async () => latest().status === 'succeeded');
  await w.chat();
  await again.locator('.message.system', { hasText: 'start-instances' }).waitFor();
  await w.shot('66-ran');
});

test('reloaded while a command runs: it is shown until its end', async () => {
  await w.anew();
  const chat = await w.say('Reboot batch-1');
  // AWS may be silent for ten seconds at most.
  for (const operation of ['RebootInstances', 'DescribeInstances']) {
    await fault({ kind: 'slow', milliseconds: 8000, service: 'ec2', operation });
  }
  await chat.locator('vscode-button:not([disabled])', { hasText: 'Run' }).click();
  await chat.locator('.card.sent').waitFor();
  await until('it runs', async () => latest().status === 'running');
  await w.page.reload();
  await w.ready();
  await w.chat();
  await chat.locator('.card.sent').waitFor();
  await w.shot('67-reloaded');
  await chat.getByText('Done').waitFor();
  await w.shot('68-reloaded-done');
});

test('approved in another window: the card that waits here ends', async () => {
  const other = await Window.open();
  try {
    await other.ready();
    await w.anew();
    const chat = await w.say('Reboot batch-1');
    await chat.locator('.card.waiting').waitFor();
    await other.command('CloudOps: Review Pending Commands');
    await other.page.locator('.quick-input-list .monaco-list-row', { hasText: 'reboot-instances' }).first().waitFor();
    await other.page.keyboard.press('Enter');
    const there = await other.chat();
    await there.locator('vscode-button:not([disabled])', { hasText: 'Run' }).click();
    await there.getByText('Done').waitFor();
    await chat.getByText('Done').waitFor();
    await w.shot('69-other-approved');
  } finally {
    await other.close();
  }
});

test('moved to the secondary side bar: the card still waits', async () => {
  await w.anew();
  const chat = await w.say('Reboot batch-1');
  await chat.locator('.card.waiting').waitFor();
  const menu = (words: string) => w.page.locator('.monaco-menu .action-menu-item', { hasText: words });
  await until('it is moved', async () => {
    if (await w.page.locator('.part.auxiliarybar .pane', { hasText: 'Resources' }).isVisible()) return true;
    try {
      await w.page.keyboard.press('Escape');
      await w.page.locator('.activitybar [aria-label^="CloudOps"]').first().click({ button: 'right', timeout: 2000 });
      await menu('Move To').hover({ timeout: 2000 });
      await menu('Secondary Side Bar').click({ timeout: 2000, delay: 200 });
      await w.page.locator('.part.auxiliarybar .pane').first().waitFor({ timeout: 2000 });
    } catch {
      // A menu that just opened takes no click.
    }
    return false;
  });
  await chat.locator('.card.waiting').waitFor();
  await w.shot('70-moved');
  await chat.locator('vscode-button', { hasText: 'Reject' }).first().click();
  await chat.getByText('Rejected; nothing ran').waitFor();
  await w.command('View: Reset View Locations');
});

test('a new conversation begins in a closed panel too', async () => {
  await w.chat();
  await sideBar();
  await hidden();
  await w.anew();
});

test('a message that is too long is not taken, and not lost', async () => {
  const chat = await w.chat();
  const box = chat.locator('textarea');
  await box.fill('how many databases are there? '.repeat(2000));
  await chat.getByText('27,232 bytes too long').waitFor();
  await w.shot('71-too-long');
  await box.press('Enter');
  await box.fill('how many databases are there? '.repeat(1000));
  await box.press('Enter');
  await chat.locator('.message.assistant').waitFor();
  await w.shot('72-long');
});

test('a reply of a megabyte is shown in part, whole when asked for', async () => {
  const long = fileURLToPath(new URL('long.mjs', import.meta.url));
  await program(`if [ "$1" = version ]; then ${real}; fi; exec ${process.execPath} ${long} ${world.cloudops} "$@"`);
  await w.page.reload();
  await w.ready();
  await w.anew();
  const chat = await w.say('how many databases are there?');
  await chat.getByText('Show all').waitFor();
  await w.shot('73-megabyte');
  const began = Date.now();
  await chat.getByText('Show all').click();
  await until('all of it', async () => ((await chat.locator('pre.long').textContent()) ?? '').length > 1 << 20);
  await w.say('what is stopped?');
  await chat.locator('.message.assistant').nth(1).waitFor();
  assert.ok(Date.now() - began < 10_000, 'the panel was held up');
  await w.shot('74-megabyte-whole');
  await settings('Machine', { 'cloudops.server.path': undefined });
});

test('without a folder each window has its own conversation, and hovers', async () => {
  const one = await Window.open('');
  const two = await Window.open('');
  try {
    await one.ready();
    await two.ready();
    const first = await one.say('how many databases are there?');
    await first.locator('.message.assistant').waitFor();
    const second = await two.say('what is stopped?');
    await second.locator('.message.assistant').waitFor();
    assert.equal(await first.locator('.message.user').count(), 1);
    assert.equal(await second.locator('.message.user').count(), 1);

    await one.command('File: New Untitled Text File');
    await one.page.locator('.tab.active', { hasText: 'Untitled' }).waitFor();
    await one.page.keyboard.type(`# ${world.mainDB} `);
    await one.hover(world.mainDB);
    await one.shot('75-untitled');

    const outside = join(scratch, 'outside.txt');
    await writeFile(outside, `see ${world.mainDB} \n`);
    await two.command('File: Open File');
    await two.page.locator('.quick-input-widget input.input').first().fill(outside);
    await two.page.keyboard.press('Enter');
    await two.page.locator('.tab.active', { hasText: 'outside.txt' }).waitFor();
    await two.hover(world.mainDB);
    await two.shot('76-outside');
  } finally {
    await one.close();
    await two.close();
  }
});
