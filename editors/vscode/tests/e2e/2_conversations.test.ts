// What is said stays: clarification, rejection, reload, two windows, a killed daemon.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { run, status, until, visible, world } from './world.ts';

let w: Window;
tidy();
before(async () => {
  w = await Window.open();
  await w.ready();
});

test('two of one name: it asks which, and a choice goes on', async () => {
  await w.anew();
  const chat = await w.say('Stop web-1');
  const choices = chat.locator('.choices button');
  await choices.first().waitFor();
  assert.equal(await choices.count(), 2);
  await w.shot('10-clarification');
  await w.press(choices.filter({ hasText: 'us-west-2' }), chat.locator('.card'));
});

test('a rejection with a reason runs nothing and keeps the reason', async () => {
  const chat = await w.chat();
  const card = chat.locator('.card');
  const why = card.locator('input');
  await w.press(card.getByText('Reject with a reason'), why);
  await why.fill('not before Friday');
  await why.press('Enter');
  await card.getByText('Rejected; nothing ran').waitFor();
  await w.shot('11-rejected');
  assert.match(run('executions'), /not before Friday/);
});

test('a reload shows the conversation as it was', async () => {
  await w.reload();
  const chat = await w.chat();
  await chat.locator('.message.user', { hasText: 'Stop web-1' }).waitFor();
  assert.equal(await chat.locator('.message.system', { hasText: 'not before Friday' }).count(), 1);
  await chat.locator('.chips button', { hasText: 'web-1' }).first().waitFor();
  await w.shot('12-reloaded');
});

test('a command proposed in one window is decided in another', async () => {
  const other = await Window.open();
  await other.ready();
  await w.anew();
  const chat = await w.say(`Start ${world.mainDB}`);
  await chat.locator('.card').waitFor();
  await other.asks('CloudOps: Review Pending Commands');
  await other.take(world.mainDB);
  const yes = await other.read(await other.chat());
  await other.shot('13-other-window');
  await other.press(yes);
  await until('the database runs', async () => run('show', world.mainDB, '--live').includes('"available"'));
});

test('a daemon that is killed comes back by itself', async () => {
  process.kill(status().pid, 'SIGKILL');
  await w.anew();
  const chat = await w.say('how many databases are there?');
  await until('it is answered', visible(chat.locator('.message.assistant', { hasText: 'RDS' })));
  await w.shot('14-daemon-back');
});
