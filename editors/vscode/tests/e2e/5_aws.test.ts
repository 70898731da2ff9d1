// AWS that is slow, denies or does not answer, and a person without credentials.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { close, fault, program, real, scratch, settings, until, Window, world } from './world.ts';

let w: Window;
before(async () => {
  w = await Window.open();
  await w.ready();
});
afterEach(async (t) => {
  if ('passed' in t && !t.passed) await w.shot(`failed-${t.name}`);
  await fault({ kind: 'none' });
  await w.command('Notifications: Clear All Notifications');
});
after(async () => {
  await settings('Machine', { 'cloudops.server.path': undefined });
  await close();
});

const toast = (words: string | RegExp) => w.page.locator('.notification-toast', { hasText: words });
const button = (words: string) => w.page.locator('.notification-toast .monaco-button', { hasText: words });

function estate(): unknown {
  const { resources, shards } = JSON.parse(execFileSync(world.cloudops, ['status', '--json'], { encoding: 'utf8' }));
  // The parts that were read before the end are newer.
  return { resources, shards: shards.map((s: object) => ({ ...s, at: '' })) };
}

/** Scans, and waits for what is told at its end. */
async function scan(words: string): Promise<void> {
  await w.command('CloudOps: Scan AWS');
  await toast(words).waitFor();
  await toast('scanning AWS').waitFor({ state: 'hidden' });
}

test('a scan shows its steps, and ends soon when it is cancelled', async () => {
  await w.scan();
  const before = estate();
  await fault({ kind: 'slow', milliseconds: 20_000, service: 'rds' });
  await w.command('CloudOps: Scan AWS');
  await toast(/scanning AWS: .* in /).waitFor();
  await w.shot('50-progress');
  const began = Date.now();
  await button('Cancel').click();
  await toast('scanning AWS').waitFor({ state: 'hidden' });
  await until('the scan is over', async () => {
    const icon = w.page.locator('.statusbar-item', { hasText: 'prod' }).locator('.codicon-cloud');
    return icon.isVisible();
  });
  assert.ok(Date.now() - began < 5000, `it ended after ${Date.now() - began} ms`);
  assert.deepEqual(estate(), before);
});

test('a scan tells what it could not read', async () => {
  await fault({ kind: 'deny', service: 'rds' });
  await scan('could not be read');
  await w.shot('51-denied');
  await button('Show Problems').click();
  await w.page.locator('.view-line', { hasText: 'denies the call' }).first().waitFor();
  await w.command('CloudOps: Focus on Resources View');
  const rows = w.page.locator('.pane', { hasText: 'Resources' }).locator('.monaco-list-row');
  await rows.filter({ hasText: 'not all could be read' }).first().click();
  await w.page.keyboard.press('ArrowRight');
  await w.shot('52-gaps');
});

test('an AWS that fails is told', async () => {
  await fault({ kind: 'fail' });
  await scan('could not be read');
  await w.shot('53-fails');
});

test('the log is shown, and names no resource and no secret', async () => {
  await w.command('CloudOps: Show Output');
  await w.page.locator('.part.panel .view-line', { hasText: 'starting' }).first().waitFor();
  await w.shot('54-log');
  const logs = globSync(join(world.data, 'logs', '*', 'exthost*', '*', 'CloudOps.log'));
  const said = logs.map((path) => readFileSync(path, 'utf8')).join('');
  assert.match(said, /starting/);
  const files = readFileSync(process.env.AWS_SHARED_CREDENTIALS_FILE ?? '', 'utf8');
  const secrets = [...files.matchAll(/^aws_\w+\s*=\s*(\S+)/gm)].map((m) => m[1] ?? '');
  assert.ok(secrets.length > 0);
  for (const never of [world.mainDB, 'web-1', 'arn:aws', '123456789012', ...secrets]) {
    assert.ok(!said.includes(never), `the log has ${never}`);
  }
  await w.command('View: Toggle Panel Visibility');
});

test('an account that cannot be asked for is told', async () => {
  const home = join(scratch, 'denied');
  await other(home, `export CLOUDOPS_HOME=${home}`);
  await fault({ kind: 'deny', service: 'sts' });
  await scan('denies the call');
  await w.page.locator('.pane', { hasText: 'Resources' }).getByText('denies the call').waitFor();
  await w.shot('55-no-account');
});

test('without credentials it says what to do', async () => {
  const home = join(scratch, 'bare');
  const bare = `for v in $(env | sed -n 's/^\\(AWS_[A-Z_]*\\)=.*/\\1/p'); do unset $v; done`;
  await other(home, `${bare}; export CLOUDOPS_HOME=${home}`);
  const chat = await w.chat();
  await chat.getByText('Nothing was scanned yet').waitFor();
  await chat.getByText('Scan AWS').click();
  await toast('aws configure').waitFor();
  await toast('scanning AWS').waitFor({ state: 'hidden' });
  await w.shot('56-no-credentials');
  await button('Switch Profile').click();
  await w.page.locator('.quick-input-widget').getByPlaceholder('aws configure').waitFor();
  await w.shot('57-no-profiles');
  await w.page.keyboard.press('Escape');
  await w.say(`Stop ${world.mainDB}`);
  await chat.locator('.message.assistant').waitFor();
  await w.shot('58-no-credentials-chat');
});

/** Starts the server in a home of its own. */
async function other(home: string, setting: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(join(home, 'config.yaml'), 'daemon:\n  idle_minutes: 1\n', { mode: 0o600 });
  await program(`${setting}; ${real}`);
  await w.command('CloudOps: Restart Server');
  await w.page.locator('.statusbar-item', { hasText: 'never scanned' }).waitFor();
}
