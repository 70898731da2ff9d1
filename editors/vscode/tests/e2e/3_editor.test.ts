// In files: a code action with its approval, names that are hostile, other themes.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { attempt, effect, executions, gone, settings, until, visible } from './world.ts';

let w: Window;
tidy();
before(async () => {
  w = await Window.open();
  await w.ready();
});

test('a code action asks first', async () => {
  await w.file('main.tf');
  const id = w.page.locator('.view-line', { hasText: '# web:' });
  const reboot = w.page.locator('.action-widget .monaco-list-row', { hasText: 'Reboot' }).first();
  const asked = w.page
    .locator('.notification-list-item, .monaco-dialog-box')
    .locator('.monaco-button', { hasText: 'Run:' })
    .first();
  const offered = async () => {
    await w.page.keyboard.press('Escape');
    await id.click({ timeout: attempt });
    await w.page.keyboard.press('End');
    await w.page.keyboard.press('ArrowLeft');
    await w.page.keyboard.press('Control+.');
    await reboot.waitFor({ timeout: attempt });
  };
  await effect('the menu', offered, visible(reboot));
  await w.shot('20-code-actions');
  // An answer that comes before a person can have read the question runs nothing: who looks longer, runs it.
  let read = 1000;
  const rebooted = () => executions().some((x) => x.status === 'succeeded' && x.line.includes('reboot-instances'));
  await effect(
    'it ran',
    async () => {
      if (!(await asked.isVisible())) {
        if (!(await reboot.isVisible())) await offered();
        await reboot.click({ timeout: attempt });
        await asked.waitFor({ timeout: attempt });
      }
      read *= 2;
      const shown = Date.now();
      await until('it was read', async () => Date.now() - shown > read);
      await w.shot('21-approval');
      await asked.click({ timeout: attempt });
    },
    async () => rebooted(),
  );
});

test('what ran is kept, and shown whole', async () => {
  const rows = await w.view('Executions');
  await w.press(
    rows.filter({ hasText: 'reboot' }).first(),
    w.page.locator('.tab.active', { hasText: 'reboot-instances' }),
  );
  await w.page.locator('.view-line', { hasText: 'status: succeeded' }).waitFor();
  await w.shot('24-execution');
});

test('a hostile name is shown, and does nothing', async () => {
  await w.asks('CloudOps: Filter Resources');
  await w.enter('Approve');
  const row = w.page.locator('.monaco-list-row', { hasText: '<img src=x' }).first();
  await row.waitFor();
  assert.match((await row.textContent()) ?? '', /\\u\{202e\}/);
  await w.shot('22-hostile');
  await w.command('CloudOps: Clear Filter', gone(row));
});

for (const [theme, name] of [
  ['Default Light Modern', 'light'],
  ['Default High Contrast', 'contrast'],
  ['Default Dark Modern', 'dark'],
] as const) {
  test(`it looks right: ${name}`, async () => {
    await settings('User', { 'workbench.colorTheme': theme });
    await w.reload();
    await w.anew();
    const chat = await w.say('Reboot orders-db');
    const card = chat.locator('.card');
    await card.waitFor();
    await w.read(chat);
    await w.shot(`23-theme-${name}`);
    assert.deepEqual(await w.faultsOfAccess(), []);
    await w.press(card.locator('vscode-button', { hasText: 'Reject' }), card.getByText('Rejected; nothing ran'));
  });
}
