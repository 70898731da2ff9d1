// The real VS Code in Chromium, against the real server and an emulated AWS. The
// Go test beside this folder starts all of it and says where in the environment.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Browser, chromium, type Locator } from 'playwright-core';

function env(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: run the Go test`);
  return value;
}

export const world = {
  url: env('VSCODE_URL'),
  workspace: env('VSCODE_WORKSPACE'),
  data: env('VSCODE_DATA'),
  shots: env('VSCODE_SHOTS'),
  /** The program in the installed extension. */
  cloudops: env('CLOUDOPS_BINARY'),
  mainDB: env('MAIN_DB'),
};

/** How long anything may take on a machine that is busy with other work. */
export const patience = Number(process.env.VSCODE_PATIENCE || 240_000);

let browser: Browser | undefined;

export async function launch(): Promise<Browser> {
  browser ??= await chromium.launch({
    executablePath: env('CHROMIUM'),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ],
  });
  return browser;
}

export async function close(): Promise<void> {
  await browser?.close();
  browser = undefined;
}

export type Theme = 'Default Dark Modern' | 'Default Light Modern' | 'Default High Contrast';

/** Writes settings of the user or the machine, or removes undefined ones; VS Code takes them at once. */
export async function settings(of: 'User' | 'Machine', change: Record<string, unknown>): Promise<void> {
  const path = join(world.data, of, 'settings.json');
  const now = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...now, ...change }, null, 2));
}

/** Files of the tests, beside what VS Code keeps. */
export const scratch = dirname(world.data);

/**
 * Puts a program of ours before the real one, which `real` runs. What it does
 * can be changed at any time.
 */
export async function program(body: string): Promise<void> {
  const path = join(scratch, 'program');
  await writeFile(path, `#!/bin/sh\n. ${scratch}/does\n`);
  await chmod(path, 0o755);
  await writeFile(join(scratch, 'does'), `${body}\n`);
  await settings('Machine', { 'cloudops.server.path': path });
}
export const real = `exec ${world.cloudops} "$@"`;

/** The processes of the program that do this, such as lsp, in a home; "" for any. */
export function processes(what: string, home = process.env.CLOUDOPS_HOME ?? ''): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [program, command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        return (
          program === world.cloudops &&
          command === what &&
          (home === '' || environment.includes(`CLOUDOPS_HOME=${home}`))
        );
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);
}

/** What the program keeps, as it says. */
export function status(): {
  pid: number;
  scanning: boolean;
  scanned: number;
  resources: number;
  shards: { at: string }[];
} {
  const { daemon, scanning, resources, shards } = JSON.parse(run('status'));
  const scanned = Math.max(0, ...(shards ?? []).map((x: { at?: string }) => Date.parse(x.at ?? '') || 0));
  return { pid: daemon.pid, scanning, scanned, resources, shards: shards ?? [] };
}

/** The commands that were proposed, the latest first. */
export function executions(): { id: string; status: string; line: string; started_at?: string }[] {
  return JSON.parse(run('executions')).executions ?? [];
}

/** Has the program answer as JSON. */
export function run(...args: string[]): string {
  return execFileSync(world.cloudops, [...args, '--json'], { encoding: 'utf8' });
}

export interface Fault {
  /** none takes all faults away. */
  kind: 'deny' | 'fail' | 'hang' | 'slow' | 'none';
  service?: string;
  operation?: string;
  region?: string;
  /** How much longer a slow call takes, unless the fault is taken away before. */
  milliseconds?: number;
}

/** Spoils the calls to AWS that match from now on. */
export async function fault(f: Fault): Promise<void> {
  await change(f);
}

/** Adds instances with these names to the estate in AWS. */
export async function instances(names: string[]): Promise<void> {
  await change({ names });
}

async function change(what: object): Promise<void> {
  const r = await fetch(env('VSCODE_FAULTS'), { method: 'POST', body: JSON.stringify(what) });
  if (!r.ok) throw new Error(await r.text());
}

/** Waits until f returns something true, and returns it. An error is a no: what it looks at may be drawn anew. */
export async function until<T>(what: string, f: () => Promise<T | undefined | false>): Promise<T> {
  return poll(what, Date.now() + patience, f);
}

async function poll<T>(what: string, end: number, f: () => Promise<T | undefined | false>): Promise<T> {
  for (let last: unknown; ; ) {
    try {
      const got = await f();
      if (got) return got;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`never: ${what}`, { cause: last });
    await new Promise((r) => setTimeout(r, 100));
  }
}

/** How long one act may take; it is tried again then. */
export const attempt = 10_000;

/**
 * Acts until the effect is seen, at once where it is there already. An editor that
 * is busy swallows keys and clicks, and shows an effect late: the waits between
 * the acts grow, so that the next act does not undo a late effect.
 */
export async function effect(
  what: string,
  act: () => Promise<unknown>,
  seen: () => Promise<unknown>,
  before = 0,
): Promise<void> {
  const end = Date.now() + patience;
  let problem: unknown;
  for (let wait = before; ; wait = Math.max(2000, Math.min(2 * wait, 30_000))) {
    try {
      await poll(what, Date.now() + wait, async () => Boolean(await seen()));
      return;
    } catch (e) {
      if (Date.now() > end) throw new Error(`never: ${what}`, { cause: problem ?? e });
    }
    try {
      await act();
      problem = undefined;
    } catch (e) {
      problem = e;
    }
  }
}

export const visible = (x: Locator) => async () => x.isVisible();
export const gone = (x: Locator) => async () => !(await x.isVisible());
