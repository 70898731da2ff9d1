// The real VS Code in Chromium, against the real server and an emulated AWS. The
// Go test beside this folder starts all of it and says where in the environment.
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type FrameLocator, type Page } from 'playwright-core';

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

/** How long a person would wait at most; conditions are polled well before. */
export const patience = Number(process.env.VSCODE_PATIENCE || 60_000);

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

/** The processes of the program that do this, such as lsp, in this home. */
export function processes(what: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [program, command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        return (
          program === world.cloudops &&
          command === what &&
          environment.includes(`CLOUDOPS_HOME=${process.env.CLOUDOPS_HOME}`)
        );
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);
}

export interface Fault {
  /** none takes all faults away. */
  kind: 'deny' | 'fail' | 'hang' | 'slow' | 'none';
  service?: string;
  operation?: string;
  region?: string;
  /** How much longer a slow call takes. */
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

const media = fileURLToPath(new URL('../../media/readme/', import.meta.url));
/** The shots that the README shows; VSCODE_PICTURES=1 takes them anew. */
const pictures: Record<string, { as: string; clip: { x: number; y: number; width: number; height: number } }> = {
  '04-hover': { as: 'hover', clip: { x: 0, y: 30, width: 1280, height: 480 } },
  '05-card': { as: 'card', clip: { x: 0, y: 30, width: 900, height: 770 } },
  '07-done': { as: 'done', clip: { x: 0, y: 30, width: 900, height: 770 } },
};

/** One window of VS Code. */
export class Window {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Opens a window with a folder; "" for one without. */
  static async open(folder = world.workspace): Promise<Window> {
    const context = await (await launch()).newContext({ viewport: { width: 1280, height: 800 } });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await context.newPage();
    page.setDefaultTimeout(patience);
    await page.goto(`${world.url}/?${folder === '' ? 'ew=true' : `folder=${encodeURIComponent(folder)}`}`);
    await page.locator('.monaco-workbench').waitFor();
    await page.locator('#status\\.host, .statusbar').first().waitFor();
    return new Window(page);
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  /** Runs a command of the palette by its title. */
  async command(title: string): Promise<void> {
    await this.pick('F1', `>${title}`, title);
  }

  /** Opens a file of the workspace. */
  async file(name: string): Promise<void> {
    await this.pick('Control+P', name, name);
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
  }

  /**
   * Opens a list by a key, writes into it and picks what it finds. One that is
   * just closing takes nothing, and one that opened too early knows too little.
   */
  private async pick(key: string, text: string, found: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input.input').first();
    const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: found }).first();
    await until(`${found} is in the list`, async () => {
      try {
        await this.page.keyboard.press(key);
        await input.fill(text, { timeout: 1000 });
        await row.waitFor({ timeout: 2000 });
        return (await input.inputValue({ timeout: 500 })) === text;
      } catch {
        await this.page.keyboard.press('Escape');
        return false;
      }
    });
    await this.page.keyboard.press('Enter');
  }

  /** Scans AWS to the end. */
  async scan(): Promise<void> {
    await this.command('CloudOps: Scan AWS');
    await this.page.locator('.statusbar-item', { hasText: /CloudOps: \d+ resources/ }).waitFor();
  }

  /** Hovers over a word of the editor until the server's facts are shown. */
  async hover(word: string): Promise<void> {
    const name = this.page.locator('.view-line span', { hasText: word }).last();
    await until('the hover', async () => {
      await this.page.mouse.move(700, 700);
      try {
        await name.hover({ force: true, timeout: 2000 });
        await this.page.locator('.monaco-resizable-hover .hover-contents').first().waitFor({ timeout: 2000 });
        return true;
      } catch {
        return false; // the line is being drawn anew, or the server is not ready
      }
    });
  }

  /** Waits until the server answers. */
  async ready(): Promise<void> {
    await this.page.locator('.statusbar-item .codicon-cloud').first().waitFor();
  }

  /** The chat panel, shown first. */
  async chat(): Promise<FrameLocator> {
    await this.command('CloudOps: Focus on Chat View');
    const frame = this.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
    await frame.locator('main').waitFor();
    return frame;
  }

  /** Begins a new conversation. */
  async anew(): Promise<void> {
    await this.command('CloudOps: New Conversation');
    await (await this.chat()).locator('.message').first().waitFor({ state: 'hidden' });
  }

  /** Sends a message in the chat. */
  async say(text: string): Promise<FrameLocator> {
    const chat = await this.chat();
    const box = chat.locator('textarea');
    await box.fill(text);
    // A server that is just starting takes nothing yet; what was not taken stays in the box.
    await until('it is sent', async () => {
      await box.press('Enter');
      try {
        await chat.locator('.message.user', { hasText: text }).last().waitFor({ timeout: 3000 });
        return true;
      } catch {
        return false;
      }
    });
    return chat;
  }

  /** What WCAG 2.1 AA finds wrong in the chat panel. */
  async faultsOfAccess(): Promise<string[]> {
    const main = await (await this.chat()).locator('main').elementHandle();
    const frame = await main?.ownerFrame();
    if (!frame) throw new Error('the panel is gone');
    await frame.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
    return frame.evaluate(async () => {
      // The page lets the side bar shine through, which lies in another frame.
      document.body.style.background = 'var(--vscode-sideBar-background)';
      const { violations } = await (globalThis as unknown as { axe: typeof import('axe-core') }).axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
      });
      document.body.style.background = '';
      return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.failureSummary} ${n.html}`));
    });
  }

  async shot(name: string): Promise<void> {
    await mkdir(world.shots, { recursive: true });
    await this.page.screenshot({ path: join(world.shots, `${name}.png`) });
    const picture = pictures[name];
    if (picture === undefined || !process.env.VSCODE_PICTURES) return;
    await mkdir(media, { recursive: true });
    await this.page.screenshot({ path: join(media, `${picture.as}.png`), clip: picture.clip });
  }
}

/** Waits until f returns something true, and returns it. */
export async function until<T>(what: string, f: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    const got = await f();
    if (got) return got;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}
