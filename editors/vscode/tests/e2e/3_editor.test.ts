// In files: a code action with its approval, names that are hostile, other themes.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { close, settings, until, Window, world } from './world.ts';

let w: Window;
before(async () => {
  w = await Window.open();
  await w.ready();
});
afterEach(async (t) => {
  if ('passed' in t && !t.passed) await w.shot(`failed-${t.name}`);
});
after(close);

test('a code action asks first', async () => {
  await w.file('main.tf');
  const id = w.page.locator('.view-line', { hasText: '# web:' });
  await id.click();
  await w.page.keyboard.press('End');
  await w.page.keyboard.press('ArrowLeft');
  const reboot = w.page.locator('.action-widget .monaco-list-row', { hasText: 'Reboot' });
  await until('the menu', async () => {
    await w.page.keyboard.press('Control+.');
    try {
      await reboot.first().waitFor({ timeout: 3000 });
      return true;
    } catch {
      await w.page.keyboard.press('Escape');
      return false;
    }
  });
  await w.shot('20-code-actions');
  await reboot.first().click();
  const run = w.page
    .locator('.notification-toast, .monaco-dialog-box')
    .locator('.monaco-button', { hasText: 'Run:' })
    .first();
  await run.waitFor();
  await w.page.waitForTimeout(1000); // as long as a person reads at least
  await w.shot('21-approval');
  await run.click();
  await until('it ran', async () => {
    const out = execFileSync(world.cloudops, ['executions', '--json'], { encoding: 'utf8' });
    return /"status": "succeeded"[\s\S]*reboot-instances|reboot-instances[\s\S]*"status": "succeeded"/.test(out);
  });
});

test('what ran is kept, and shown whole', async () => {
  await w.command('CloudOps: Focus on Executions View');
  const row = w.page.locator('.pane', { hasText: 'Executions' }).locator('.monaco-list-row', { hasText: 'reboot' });
  await row.first().click();
  await w.page.locator('.tab.active', { hasText: 'reboot-instances' }).waitFor();
  await w.page.locator('.view-line', { hasText: 'status: succeeded' }).waitFor();
  await w.shot('24-execution');
});

test('a hostile name is shown, and does nothing', async () => {
  await w.command('CloudOps: Filter Resources');
  const input = w.page.locator('.quick-input-widget input');
  await input.waitFor();
  await input.fill('Approve');
  await w.page.keyboard.press('Enter');
  const row = w.page.locator('.monaco-list-row', { hasText: '<img src=x' }).first();
  await row.waitFor();
  assert.match((await row.textContent()) ?? '', /\\u\{202e\}/);
  await w.shot('22-hostile');
  await w.command('CloudOps: Clear Filter');
});

for (const [theme, name] of [
  ['Default Light Modern', 'light'],
  ['Default High Contrast', 'contrast'],
  ['Default Dark Modern', 'dark'],
] as const) {
  test(`it looks right: ${name}`, async () => {
    await settings('User', { 'workbench.colorTheme': theme });
    await w.page.reload();
    await w.ready();
    await w.anew();
    const chat = await w.say('Reboot orders-db');
    const card = chat.locator('.card');
    await card.waitFor();
    await card.locator('vscode-button:not([disabled])', { hasText: 'Run' }).waitFor();
    await w.shot(`23-theme-${name}`);
    assert.deepEqual(await w.faultsOfAccess(), []);
    await card.locator('vscode-button', { hasText: 'Reject' }).click();
    await card.getByText('Rejected; nothing ran').waitFor();
  });
}
