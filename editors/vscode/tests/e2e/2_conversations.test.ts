// What is said stays: clarification, rejection, reload, two windows, a killed daemon.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { close, until, Window, world } from './world.ts';

let w: Window;
before(async () => {
  w = await Window.open();
  await w.ready();
});
afterEach(async (t) => {
  if ('passed' in t && !t.passed) await w.shot(`failed-${t.name}`);
});
after(close);

test('two of one name: it asks which, and a choice goes on', async () => {
  await w.anew();
  const chat = await w.say('Stop web-1');
  const choices = chat.locator('.choices button');
  await choices.first().waitFor();
  assert.equal(await choices.count(), 2);
  await w.shot('10-clarification');
  await choices.filter({ hasText: 'us-west-2' }).click();
  await chat.locator('.card').waitFor();
});

test('a rejection with a reason runs nothing and keeps the reason', async () => {
  const chat = await w.chat();
  const card = chat.locator('.card');
  await card.getByText('Reject with a reason').click();
  await card.locator('input').fill('not before Friday');
  await card.locator('input').press('Enter');
  await card.getByText('Rejected; nothing ran').waitFor();
  await w.shot('11-rejected');
  const log = execFileSync(world.cloudops, ['executions', '--json'], { encoding: 'utf8' });
  assert.match(log, /not before Friday/);
});

test('a reload shows the conversation as it was', async () => {
  await w.page.reload();
  await w.ready();
  const chat = await w.chat();
  await chat.locator('.message.user', { hasText: 'Stop web-1' }).waitFor();
  assert.equal(await chat.locator('.message.system', { hasText: 'not before Friday' }).count(), 1);
  await chat.locator('.chips button', { hasText: 'web-1' }).first().waitFor();
  await w.shot('12-reloaded');
});

test('a command proposed in one window is decided in another', async () => {
  const other = await Window.open();
  try {
    await other.ready();
    await w.anew();
    const chat = await w.say(`Start ${world.mainDB}`);
    await chat.locator('.card').waitFor();
    await other.command('CloudOps: Review Pending Commands');
    await other.page.locator('.quick-input-list .monaco-list-row', { hasText: world.mainDB }).first().waitFor();
    await other.page.keyboard.press('Enter');
    const card = (await other.chat()).locator('.card');
    const run = card.locator('vscode-button:not([disabled])', { hasText: 'Run' });
    await run.waitFor();
    await other.shot('13-other-window');
    await run.click();
    await until('the database runs', async () => {
      const out = execFileSync(world.cloudops, ['show', world.mainDB, '--live', '--json'], { encoding: 'utf8' });
      return out.includes('"available"');
    });
  } finally {
    await other.close();
  }
});

test('a daemon that is killed comes back by itself', async () => {
  const status = JSON.parse(execFileSync(world.cloudops, ['status', '--json'], { encoding: 'utf8' })) as {
    daemon: { pid: number };
  };
  process.kill(status.daemon.pid, 'SIGKILL');
  await w.anew();
  const chat = await w.say('how many databases are there?');
  await chat.locator('.message.assistant', { hasText: 'RDS' }).waitFor();
  await w.shot('14-daemon-back');
});
