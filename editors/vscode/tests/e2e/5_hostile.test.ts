// What others than the person do from inside VS Code gets them nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { tidy, Window } from './window.ts';
import { executions, until, world } from './world.ts';

let w: Window;
tidy();
before(async () => {
  w = await Window.open();
  await w.ready();
  execFileSync(world.cloudops, ['scan', '--service', 'rds']);
});

test('a page that was slipped something runs it not, and reaches nothing', async () => {
  let reached = 0;
  const outside = createServer((_, answer) => {
    reached++;
    answer.setHeader('Access-Control-Allow-Origin', '*').end('globalThis.ran = true');
  });
  await new Promise<void>((r) => outside.listen(0, '127.0.0.1', r));
  try {
    const url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/x`;
    const main = (await w.chat()).locator('main');
    const blocked = await main.evaluate(async (_, url) => {
      const directives = new Set<string>();
      document.addEventListener('securitypolicyviolation', (e) => directives.add(e.effectiveDirective));
      const add = (tag: string, change: Record<string, string>) =>
        document.body.appendChild(Object.assign(document.createElement(tag), change));
      add('script', { textContent: 'globalThis.ran = true' });
      add('script', { src: url });
      add('img', { src: url });
      add('iframe', { src: url });
      add('link', { rel: 'stylesheet', href: url });
      add('style', { textContent: 'main { display: none }' });
      const button = add('button', {});
      button.setAttribute('onclick', 'globalThis.ran = true');
      button.click();
      const fetched = await fetch(url).then(
        () => true,
        () => false,
      );
      const until = Date.now() + 120_000;
      while (directives.size < 6 && Date.now() < until) await new Promise((r) => setTimeout(r, 50));
      return { directives: [...directives].sort(), fetched, ran: 'ran' in globalThis };
    }, url);
    assert.deepEqual(blocked, {
      directives: ['connect-src', 'frame-src', 'img-src', 'script-src-attr', 'script-src-elem', 'style-src-elem'],
      fetched: false,
      ran: false,
    });
    assert.equal(reached, 0);
    assert.ok(await main.isVisible());
  } finally {
    outside.close();
    await w.reload();
  }
});

test('another extension that calls every command runs nothing', async () => {
  await w.anew();
  const chat = await w.say(`Reboot ${world.mainDB}`);
  await chat.locator('.card').waitFor();
  const before = started();
  await w.command('Hostile: Attack');
  const { plans, left, tried } = await until('the attack is over', async () => {
    try {
      return JSON.parse(await readFile(join(dirname(world.data), 'attack.json'), 'utf8')) as Attack;
    } catch {
      return undefined;
    }
  });
  await w.shot('50-attacked');
  assert.equal(plans.length, 1);
  assert.deepEqual(left, plans);
  assert.ok(tried.includes('cloudops.approvals') && tried.includes('cloudops.execution.propose'), tried.join());
  assert.deepEqual(started(), before);
});

/** What the hostile extension says that it did. */
interface Attack {
  plans: { id: string }[];
  left: { id: string }[];
  tried: string[];
}

/** The executions that AWS was called for. */
function started(): string[] {
  return executions()
    .filter((x) => x.started_at !== undefined)
    .map((x) => x.id);
}
