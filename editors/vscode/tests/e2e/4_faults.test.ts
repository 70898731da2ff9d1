// What does not work says so, with a way forward.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { close, settings, Window, world } from './world.ts';

let w: Window;
afterEach(async (t) => {
  if ('passed' in t && !t.passed) await w.shot(`failed-${t.name}`);
  await w.close();
});
after(async () => {
  await settings('Machine', { 'cloudops.server.path': undefined });
  await settings('User', { 'security.workspace.trust.enabled': false });
  await close();
});

const programs = join(dirname(world.data), 'programs');

async function program(name: string, body: string): Promise<string> {
  await mkdir(programs, { recursive: true });
  const path = join(programs, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

test('a server that is missing', async () => {
  await settings('Machine', { 'cloudops.server.path': join(programs, 'none') });
  w = await Window.open();
  await w.page.locator('.statusbar-item', { hasText: 'not installed' }).waitFor();
  const chat = await w.chat();
  await chat.getByText('there is no program').waitFor();
  await chat.getByText('Choose the Program').waitFor();
  await w.shot('30-missing');
});

test('a server of another version', async () => {
  await settings('Machine', {
    'cloudops.server.path': await program('old', 'echo \'{"version":"0.0.1","protocol":0}\''),
  });
  w = await Window.open();
  const chat = await w.chat();
  await chat.getByText('update the program').waitFor();
  await w.shot('31-version');
});

test('a server that ends at once is started again, and told of', async () => {
  const path = await program(
    'ends',
    'if [ "$1" = version ]; then exec "$REAL" version --json; fi; exit 3'.replace('$REAL', world.cloudops),
  );
  await settings('Machine', { 'cloudops.server.path': path });
  w = await Window.open();
  await w.page.locator('.statusbar-item', { hasText: 'stopped' }).waitFor();
  const chat = await w.chat();
  await chat.getByText('Restart').first().waitFor();
  await w.shot('32-ends');
  await settings('Machine', { 'cloudops.server.path': undefined });
  await w.ready();
});

test('a bundled server that was altered is not started', async () => {
  const [kept, ran] = [`${world.cloudops}.kept`, join(programs, 'ran')];
  const other = await program('altered', `echo "$@" >>${ran}; exec ${kept} "$@"`);
  await rename(world.cloudops, kept);
  try {
    await rename(other, world.cloudops);
    w = await Window.open();
    await w.page.locator('.statusbar-item', { hasText: 'CloudOps: stopped' }).waitFor();
    const chat = await w.chat();
    await chat.getByText('is not the one that this extension came with').waitFor();
    await chat.getByText('reinstall the extension, or set cloudops.server.path').waitFor();
    await w.shot('34-altered');
    assert.equal(existsSync(ran), false);
    await rename(kept, world.cloudops);
    await chat.getByText('Restart').first().click();
    await w.ready();
  } finally {
    if (existsSync(kept)) await rename(kept, world.cloudops);
  }
});

test('a workspace that is not trusted', async () => {
  await settings('User', {
    'security.workspace.trust.enabled': true,
    'security.workspace.trust.startupPrompt': 'never',
  });
  const folder = join(dirname(world.data), 'foreign');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'a.tf'), '# nothing\n');
  w = await Window.open(folder);
  await w.page.locator('.statusbar-item .codicon-shield').first().waitFor();
  const chat = await w.chat();
  await chat.getByText('once you trust this workspace').waitFor();
  await w.shot('33-untrusted');
});
