// AWS that is slow, denies or does not answer, and a person without credentials.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { fault, gone, processes, program, real, scratch, settings, status, until, visible, world } from './world.ts';

let w: Window;
tidy();
before(async () => {
  w = await Window.open();
  await w.ready();
});
afterEach(async () => {
  await fault({ kind: 'none' });
  await w.command('Notifications: Clear All Notifications', gone(said(/./)));
});
after(() => settings('Machine', { 'cloudops.server.path': undefined }));

const said = (words: string | RegExp) => w.page.locator('.notification-list-item', { hasText: words }).first();

function estate(): unknown {
  const { resources, shards } = status();
  // The parts that were read before the end are newer.
  return { resources, shards: shards.map((s) => ({ ...s, at: '' })) };
}

/** Scans, and waits for what is told at its end. */
async function scan(words: string): Promise<void> {
  await w.command('CloudOps: Scan AWS');
  await w.told(words);
  await said('scanning AWS').waitFor({ state: 'hidden' });
}

test('a scan shows its steps, and ends when it is cancelled, though AWS does not answer', async () => {
  await w.scan();
  const before = estate();
  await fault({ kind: 'hang', service: 'rds' });
  await w.command('CloudOps: Scan AWS');
  await w.told(/scanning AWS: .* in /);
  await w.shot('50-progress');
  await w.reply('scanning AWS', 'Cancel', gone(said('scanning AWS')));
  await until('the scan is over', async () => !status().scanning);
  // One that had waited for AWS would have failed in part.
  assert.deepEqual(estate(), before);
  assert.ok(!(await said('could not be read').isVisible()));
});

test('a scan tells what it could not read', async () => {
  await fault({ kind: 'deny', service: 'rds' });
  await scan('could not be read');
  await w.shot('51-denied');
  await w.reply(
    'could not be read',
    'Show Problems',
    w.page.locator('.view-line', { hasText: 'denies the call' }).first(),
  );
  const rows = await w.view('Resources');
  const gaps = rows.filter({ hasText: 'not all could be read' }).first();
  await w.press(gaps, async () => (await gaps.getAttribute('aria-expanded')) === 'true');
  await w.shot('52-gaps');
});

test('an AWS that fails is told', async () => {
  await fault({ kind: 'fail' });
  await scan('could not be read');
  await w.shot('53-fails');
});

test('the log is shown, and names no resource and no secret', async () => {
  const line = w.page.locator('.part.panel .view-line', { hasText: 'starting' }).first();
  await w.command('CloudOps: Show Output', visible(line));
  await w.shot('54-log');
  // Not where somebody has all written that editor and server say to each other, either.
  await settings('User', { 'cloudops.trace.server': 'verbose' });
  await w.asks('Developer: Set Log Level');
  await w.press(w.rows('CloudOps').first(), w.rows('Trace').first());
  await w.take('Trace');
  const chat = await w.say(`describe ${world.mainDB}`);
  await chat.locator('.message.assistant', { hasText: world.mainDB }).last().waitFor();
  await settings('User', { 'cloudops.trace.server': undefined });
  const logs = globSync(join(world.data, 'logs', '*', 'exthost*', '*', 'CloudOps.log'));
  const said = logs.map((path) => readFileSync(path, 'utf8')).join('');
  assert.match(said, /starting/);
  const files = readFileSync(process.env.AWS_SHARED_CREDENTIALS_FILE ?? '', 'utf8');
  const secrets = [...files.matchAll(/^aws_\w+\s*=\s*(\S+)/gm)].map((m) => m[1] ?? '');
  assert.ok(secrets.length > 0);
  for (const never of [world.mainDB, 'web-1', 'arn:aws', '123456789012', ...secrets]) {
    assert.ok(!said.includes(never), `the log has ${never}`);
  }
  await w.command('View: Hide Panel', gone(line));
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
  await w.press(chat.getByText('Scan AWS'), said(/scanning AWS|aws configure/));
  await w.told('aws configure');
  await said('scanning AWS').waitFor({ state: 'hidden' });
  await w.shot('56-no-credentials');
  // Nothing leads to a list of no profiles.
  assert.equal(await said('aws configure').locator('.monaco-button', { hasText: 'Switch Profile' }).count(), 0);
  await w.command('CloudOps: Switch Profile', visible(said('your AWS files have no profile')));
  await w.shot('57-no-profiles');
  await w.say(`Stop ${world.mainDB}`);
  await chat.locator('.message.assistant').waitFor();
  await w.shot('58-no-credentials-chat');
});

/** Starts the server in a home of its own. */
async function other(home: string, setting: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(join(home, 'config.yaml'), 'daemon:\n  idle_minutes: 1\n', { mode: 0o600 });
  await program(`${setting}; ${real}`);
  const former = processes('lsp', '');
  await w.command('CloudOps: Restart Server', async () => processes('lsp', '').some((pid) => !former.includes(pid)));
  await w.page.locator('.statusbar-item', { hasText: 'never scanned' }).waitFor();
}
