// The chat panel under hard use: closed, moved and reloaded while things are
// under way, with very long texts, in windows without a folder, and in two.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FrameLocator } from 'playwright-core';
import { tidy, Window } from './window.ts';
import {
  attempt,
  effect,
  executions,
  fault,
  gone,
  program,
  real,
  scratch,
  settings,
  until,
  visible,
  world,
} from './world.ts';

let w: Window;
tidy();
before(async () => {
  w = await Window.open();
  await w.ready();
  await w.scan();
});
afterEach(() => fault({ kind: 'none' }));
after(() => settings('Machine', { 'cloudops.server.path': undefined }));

/** Longer than any step of a test takes, and shorter than AWS is waited for. */
const held = 25_000;
const latest = () => executions()[0];
const reject = (chat: FrameLocator) => chat.locator('.card.waiting vscode-button', { hasText: 'Reject' }).first();
const card = (chat: FrameLocator) => chat.locator('.card').first();

test('an answer is stopped, though AWS does not answer', async () => {
  await fault({ kind: 'hang' });
  const chat = await w.say('Reboot orders-db');
  await chat.getByText('Looking').waitFor();
  await w.shot('60-looking');
  await w.press(chat.locator('vscode-button', { hasText: 'Stop' }), chat.getByText('Stopped.'));
  await w.shot('61-stopped');
});

test('closed while it answers: the card is still reached', async () => {
  const chat = await w.chat();
  let closed = false;
  await effect(
    'it is asked while the panel is closed',
    async () => {
      await fault({ kind: 'none' });
      if (await reject(await w.chat()).isVisible()) await w.press(reject(chat));
      await w.anew();
      await fault({ kind: 'slow', milliseconds: held, service: 'ec2', operation: 'DescribeInstances' });
      await w.say('Start batch-1');
      await w.hide();
      closed = latest()?.line.includes('start-instances') !== true;
      await fault({ kind: 'none' });
    },
    async () => closed,
  );
  await w.told('batch-1');
  await w.shot('62-closed-answer');
  await w.reply('batch-1', 'Show Card', card(chat));
});

test('closed while a card waits: nothing is approved, and the card is found', async () => {
  await w.hide();
  await w.page.locator('.activitybar .badge-content', { hasText: '1' }).waitFor();
  await w.shot('63-closed-card');
  assert.equal(latest()?.status, 'planned');
  await w.asks('CloudOps: Review Pending Commands');
  await w.take('start-instances');
  await card(await w.chat()).waitFor();
  await w.shot('64-found');
});

test('closed while a command runs: what became of it is shown', async () => {
  await fault({ kind: 'slow', milliseconds: held, service: 'ec2', operation: 'StartInstances' });
  const chat = await w.chat();
  await w.press(await w.read(chat), chat.getByText('Waiting for AWS'));
  await w.hide();
  await w.chat();
  await chat.locator('.card.sent').waitFor();
  await w.shot('65-runs');
  await w.hide();
  await fault({ kind: 'none' });
  await until('it ran', async () => latest()?.status === 'succeeded');
  await w.chat();
  await chat.locator('.message.system', { hasText: 'start-instances' }).waitFor();
  await w.shot('66-ran');
});

test('reloaded while a command runs: it is shown until its end', async () => {
  await w.anew();
  const chat = await w.say('Reboot batch-1');
  await fault({ kind: 'slow', milliseconds: held, service: 'ec2', operation: 'RebootInstances' });
  await w.press(await w.read(chat), chat.locator('.card.sent'));
  await until('it runs', async () => latest()?.status === 'running');
  // AWS may be silent for a while only, yet one call more than once.
  await fault({ kind: 'slow', milliseconds: held, service: 'ec2', operation: 'DescribeInstances' });
  await w.reload();
  await w.chat();
  await chat.locator('.card.sent').waitFor();
  await w.shot('67-reloaded');
  await fault({ kind: 'none' });
  await chat.getByText('Done').waitFor();
  await w.shot('68-reloaded-done');
});

test('reloaded while a card waits: it waits on', async () => {
  await w.anew();
  const chat = await w.say('Reboot batch-1');
  await chat.locator('.card.waiting').waitFor();
  const plan = latest();
  await w.reload();
  await w.chat();
  await w.read(chat);
  assert.deepEqual([latest()?.id, latest()?.status], [plan?.id, 'planned']);
  assert.equal(await chat.locator('.message.system').count(), 0);
  await w.shot('68-reloaded-waits');
  // What is said later stands behind it, though it goes on waiting.
  await w.say('what is stopped?');
  await chat.locator('.message.assistant').nth(1).waitFor();
  const order = await chat.locator('.message, .card').evaluateAll((all) => all.map((x) => x.className.split(' ')[0]));
  assert.deepEqual(order, ['message', 'message', 'card', 'message', 'message']);
  await w.press(reject(chat), chat.getByText('Rejected; nothing ran'));
});

test('approved in another window: the card that waits here ends', async () => {
  const other = await Window.open();
  await other.ready();
  await w.anew();
  const chat = await w.say('Reboot batch-1');
  await chat.locator('.card.waiting').waitFor();
  await other.asks('CloudOps: Review Pending Commands');
  await other.take('reboot-instances');
  const there = await other.chat();
  await other.press(await other.read(there));
  await there.getByText('Done').waitFor();
  await chat.getByText('Done').waitFor();
  await w.shot('69-other-approved');
});

test('moved to the secondary side bar: the card still waits', async () => {
  await w.anew();
  const chat = await w.say('Reboot batch-1');
  await chat.locator('.card.waiting').waitFor();
  const menu = (words: string) => w.page.locator('.monaco-menu .action-menu-item', { hasText: words });
  const moved = w.page.locator('.part.auxiliarybar .pane', { hasText: 'Resources' });
  await effect(
    'it is moved',
    async () => {
      await w.page.keyboard.press('Escape');
      await w.page
        .locator('.activitybar [aria-label^="CloudOps"]')
        .first()
        .click({ button: 'right', timeout: attempt });
      await menu('Move To').hover({ timeout: attempt });
      await menu('Secondary Side Bar').click({ timeout: attempt, delay: 200 });
    },
    visible(moved),
  );
  await chat.locator('.card.waiting').waitFor();
  await w.shot('70-moved');
  await w.press(reject(chat), chat.getByText('Rejected; nothing ran'));
  await w.command('View: Reset View Locations', gone(moved));
});

test('a new conversation begins in a closed panel too', async () => {
  await w.chat();
  await w.hide();
  await w.anew();
});

test('a message that is too long is not taken, and not lost', async () => {
  const chat = await w.chat();
  const box = chat.locator('textarea');
  const long = 'how many databases are there? '.repeat(2000);
  await effect('it is too long', () => box.fill(long), visible(chat.getByText('27,232 bytes too long')));
  await w.shot('71-too-long');
  await box.press('Enter');
  assert.equal(await box.inputValue(), long);
  await w.say('how many databases are there? '.repeat(1000));
  await chat.locator('.message.assistant').waitFor();
  await w.shot('72-long');
});

test('a reply of a megabyte is shown in part, whole when asked for', async () => {
  const long = fileURLToPath(new URL('long.mjs', import.meta.url));
  await program(`if [ "$1" = version ]; then ${real}; fi; exec ${process.execPath} ${long} ${world.cloudops} "$@"`);
  await w.reload();
  await w.anew();
  const chat = await w.say('how many databases are there?');
  await chat.getByText('Show all').waitFor();
  await w.shot('73-megabyte');
  await w.press(
    chat.getByText('Show all'),
    async () => ((await chat.locator('pre.long').textContent()) ?? '').length > 1 << 20,
  );
  await w.say('what is stopped?');
  await chat.locator('.message.assistant').nth(1).waitFor();
  await w.shot('74-megabyte-whole');
  await settings('Machine', { 'cloudops.server.path': undefined });
});

test('without a folder each window has its own conversation, and hovers', async () => {
  const outside = join(scratch, 'outside.txt');
  await writeFile(outside, `see ${world.mainDB} \n`);
  const one = await Window.open('');
  const two = await Window.open('', outside);
  await one.ready();
  await two.ready();
  const first = await one.say('how many databases are there?');
  await first.locator('.message.assistant').waitFor();
  const second = await two.say('what is stopped?');
  await second.locator('.message.assistant').waitFor();
  assert.equal(await first.locator('.message.user').count(), 1);
  assert.equal(await second.locator('.message.user').count(), 1);

  const untitled = one.page.locator('.tab.active', { hasText: 'Untitled' });
  await one.command('File: New Untitled Text File', visible(untitled));
  await one.write(`# ${world.mainDB} `);
  await one.hover(world.mainDB);
  await one.shot('75-untitled');

  await two.hover(world.mainDB);
  await two.shot('76-outside');
});
