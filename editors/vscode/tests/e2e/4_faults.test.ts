// A server that is missing, slow, hanging or killed: it says so, with a way forward.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { attempt, effect, fault, processes, program, real, scratch, settings, until, visible, world } from './world.ts';

let w: Window;
tidy();
before(async () => {
  await settings('Machine', { 'cloudops.server.path': join(scratch, 'none') });
  w = await Window.open();
});
afterEach(() => fault({ kind: 'none' }));
after(async () => {
  await settings('Machine', { 'cloudops.server.path': undefined });
  await settings('User', { 'security.workspace.trust.enabled': false });
});

const status = (words: string) => w.page.locator('.statusbar-item', { hasText: words });
const version = `if [ "$1" = version ]; then ${real}; fi`;
const go = join(scratch, 'go');
const wait = `while [ ! -e ${go} ]; do sleep 0.1; done`;

/** VS Code's own words about broken pipes and the like help nobody. */
async function noPopups(): Promise<void> {
  const said = await w.page.locator('.notification-list-item-message').allTextContents();
  assert.deepEqual(
    said.filter((text) => !text.includes('keychain')),
    [],
  );
}

test('a server that is missing', async () => {
  await status('not installed').waitFor();
  const chat = await w.chat();
  await chat.getByText('there is no program').waitFor();
  await chat.getByText('Choose the Program').waitFor();
  await w.shot('30-missing');
});

test('a server of another version', async () => {
  await program('echo \'{"version":"0.0.1","protocol":0}\'');
  const chat = await w.chat();
  await chat.getByText('update the program').waitFor();
  await w.shot('31-version');
});

test('a slow server does not hold up the editor', async () => {
  for (const slow of [`if [ "$1" = version ]; then ${wait}; fi; ${real}`, `${version}; ${wait}; ${real}`]) {
    await rm(go, { force: true });
    await program(slow);
    const starting = w.page.locator('.statusbar-item', { hasText: 'CloudOps' }).locator('.codicon-loading');
    await w.command('CloudOps: Restart Server', visible(starting));
    const chat = await w.chat();
    await chat.getByText('The server is starting').waitFor();
    await w.file('main.tf');
    await w.shot('32-starting');
    await writeFile(go, '');
    await w.ready();
    await chat.getByText('The server is starting').waitFor({ state: 'hidden' });
  }
  await noPopups();
});

test('a server that ends at once is started again, and says why', async () => {
  const broken = join(scratch, 'broken');
  await mkdir(broken, { recursive: true, mode: 0o700 });
  await writeFile(join(broken, 'config.yaml'), 'nonsense: 1\n', { mode: 0o600 });
  await program(`${version}; export CLOUDOPS_HOME=${broken}; ${real}`);
  await w.command('CloudOps: Restart Server', visible(status('stopped')));
  const chat = await w.chat();
  await chat.getByText('nonsense').waitFor();
  await chat.getByText('Restart').first().waitFor();
  await chat.getByText('is started again').waitFor();
  await w.shot('33-ends');
  await program(real);
  await w.ready();
  await noPopups();
});

test('a bundled server that was altered is not started', async () => {
  const [kept, ran] = [`${world.cloudops}.kept`, join(scratch, 'ran')];
  await rename(world.cloudops, kept);
  try {
    await writeFile(world.cloudops, `#!/bin/sh\necho "$@" >>${ran}; exec ${kept} "$@"\n`, { mode: 0o755 });
    await settings('Machine', { 'cloudops.server.path': undefined });
    const chat = await w.chat();
    await chat.getByText('is not the one that this extension came with').waitFor();
    await chat.getByText('reinstall the extension, or set cloudops.server.path').waitFor();
    await w.shot('34-altered');
    assert.equal(existsSync(ran), false);
    await rename(kept, world.cloudops);
    await w.press(chat.getByText('Restart').first(), w.page.locator('.statusbar-item .codicon-cloud').first());
  } finally {
    if (existsSync(kept)) await rename(kept, world.cloudops);
  }
});

/** Asks what AWS does not answer, and kills these processes of ours before we give it up. */
async function kill(what: 'lsp' | 'daemon', draft = ''): Promise<void> {
  let done = false;
  await effect(
    'it is killed while it looks',
    async () => {
      await fault({ kind: 'none' });
      await w.anew();
      await fault({ kind: 'hang', service: 'rds', operation: 'DescribeDBInstances' });
      const chat = await w.say('Reboot orders-db');
      await chat.getByText('Looking').waitFor({ timeout: attempt });
      await chat.locator('textarea').fill(draft);
      done = await chat.getByText('Looking').isVisible();
      for (const pid of processes(what)) process.kill(pid, 'SIGKILL');
    },
    async () => done,
  );
}

test('a server that is killed while it answers comes back', async () => {
  await w.scan();
  await kill('lsp', 'and then');
  const chat = await w.chat();
  await chat.getByText('ended before it answered').waitFor();
  await w.shot('35-killed');
  await w.ready();
  await chat.locator('.message.user', { hasText: 'Reboot orders-db' }).waitFor();
  assert.equal(await chat.locator('textarea').inputValue(), 'and then');
  await chat.getByText('ended before it answered').waitFor();
  await w.shot('36-back');
  await noPopups();
});

test('a daemon that is killed while it answers comes back', async () => {
  await kill('daemon');
  const chat = await w.chat();
  await chat.locator('.problem').waitFor();
  await w.shot('37-daemon-killed');
  await fault({ kind: 'none' });
  await w.say('how many databases are there?');
  await chat.locator('.message.assistant', { hasText: 'RDS' }).waitFor();
  await noPopups();
});

test('a server that hangs is ended; in an untrusted workspace none is started', async () => {
  const file = join(scratch, 'pid');
  const panel = await w.chat();
  await program(`${version}; echo $$ > ${file}; exec sleep 600`);
  await w.command('CloudOps: Restart Server');
  const hung = await until('it hangs', async () => existsSync(file) && Number(await readFile(file, 'utf8')));

  const others = processes('lsp');
  await settings('User', {
    'security.workspace.trust.enabled': true,
    'security.workspace.trust.startupPrompt': 'never',
  });
  const folder = join(scratch, 'foreign');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'a.tf'), '# nothing\n');
  const foreign = await Window.open(folder);
  await foreign.page.locator('.statusbar-item .codicon-shield').first().waitFor();
  const chat = await foreign.chat();
  await chat.getByText('once you trust this workspace').waitFor();
  await foreign.shot('39-untrusted');
  assert.deepEqual(
    processes('lsp').filter((pid) => !others.includes(pid)),
    [],
  );

  await panel.getByText('did not answer in 15 s').waitFor();
  await until('the one that hung is ended', async () => !existsSync(`/proc/${hung}`));
  await w.shot('38-hangs');
  await noPopups();

  await program(real);
  const trust = foreign.page.getByText('Trust', { exact: true }).last();
  await foreign.press(chat.getByText('Manage Trust'), trust);
  await foreign.press(trust, foreign.page.locator('.statusbar-item .codicon-cloud').first());
  await chat.getByText('once you trust this workspace').waitFor({ state: 'hidden' });
  await foreign.shot('40-trusted');
});
