// Names that are hostile or extreme, in every place where they are shown.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { attempt, effect, instances, visible } from './world.ts';

const long = `zz-${'very-long-'.repeat(25)}end`;
const twin = 'zz-twin <b>bold</b> [Approve](command:workbench.action.quit) $(trash)';
const names = [
  long,
  `zz-words ${'many words '.repeat(22)}`,
  'zz-rtl \u202eexe.txt\u202c קטן قاعدة',
  'zz-hidden\u200b\u200d\u2060\u00ad\ufe0f name',
  'zz-html <h1>big</h1><script>alert(1)</script><style>*{display:none}</style>',
  'zz-md **bold** `code` ![x](http://127.0.0.1:9/x.png) | a | b |',
  'zz-icon $(pass) $(sync~spin) approved',
  `zz-marks e${'\u0301'.repeat(40)}`,
  twin,
  twin,
];

let w: Window;
tidy();
before(async () => {
  await instances(names);
  w = await Window.open();
  w.page.on('dialog', (d) => assert.fail(`a script ran: ${d.message()}`));
  await w.ready();
  await w.scan();
});
/** Nothing of a name became more than text, and nothing is wider than its place. */
async function tame(): Promise<void> {
  const main = (await w.chat()).locator('main');
  assert.equal(await main.locator('img, a, script, style, h1, iframe').count(), 0);
  const wide = await main.evaluate((m) =>
    [m, ...m.querySelectorAll('*')]
      .filter((e) => e.getBoundingClientRect().right > m.getBoundingClientRect().right + 1)
      .map((e) => e.outerHTML.slice(0, 200)),
  );
  assert.deepEqual(wide, []);
}

test('in the Resources view', async () => {
  await w.asks('CloudOps: Filter Resources');
  await w.enter('zz');
  const rows = w.page.locator('.pane', { hasText: 'Resources' }).locator('.monaco-list-row');
  const rtl = rows.filter({ hasText: 'zz-rtl' });
  await rtl.waitFor();
  assert.match((await rtl.textContent()) ?? '', /\\u\{202e\}exe\.txt/);
  assert.equal(await rows.locator('.codicon-trash, h1, b, script').count(), 0);
  await w.shot('80-tree');
  await w.press(rows.filter({ hasText: 'zz-html' }), w.page.locator('.view-line', { hasText: 'zz-html' }).first());
  await w.shot('81-details');
  await w.command('CloudOps: Clear Filter');
});

test('in the search', async () => {
  await w.asks('CloudOps: Search Resources');
  await w.answer('zz', visible(w.rows('zz-icon $(pass) $(sync~spin)').first()));
  const list = w.page.locator('.quick-input-list');
  assert.equal(await list.locator('.codicon-trash, .codicon-sync').count(), 0);
  await w.shot('82-search');
  await w.dismiss();
});

test('in the chat: answers, chips and choices', async () => {
  await w.anew();
  const chat = await w.say('Which instances are tagged env=demo?');
  await chat.locator('.message.assistant').waitFor();
  await tame();
  await w.shot('83-chat');
  await w.anew();
  await w.say(`Stop "${twin}"`);
  await chat.locator('.message.assistant').waitFor();
  await tame();
  await w.shot('84-choices');
});

test('on a card, in the dialog and among the executions', async () => {
  await w.anew();
  const chat = await w.say(`Reboot ${long}`);
  await chat.locator('.card').waitFor();
  await tame();
  await w.shot('85-card');
  await w.press(await w.read(chat));
  const dialog = w.page.locator('.monaco-dialog-box');
  await effect(
    'it is over',
    async () => {
      if (!(await dialog.isVisible())) return;
      await w.shot('86-dialog');
      await dialog.locator('.monaco-button', { hasText: 'Run' }).click({ timeout: attempt });
    },
    visible(chat.getByText('Done')),
  );
  await tame();
  await w.view('Executions');
  await w.shot('87-executions');
});

test('in the titles of conversations', async () => {
  await w.asks('CloudOps: Conversations');
  await w.rows('zz-twin').first().waitFor();
  assert.equal(await w.page.locator('.quick-input-list .codicon-trash').count(), 0);
  await w.shot('88-titles');
  await w.dismiss();
});
