// A window of VS Code, and what a person does in it. Each act is repeated until
// its effect is seen.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, afterEach, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { attempt, close, effect, gone, launch, patience, status, until, visible, world } from './world.ts';

const media = fileURLToPath(new URL('../../media/readme/', import.meta.url));
/** The shots that the README shows; VSCODE_PICTURES=1 takes them anew. */
const pictures: Record<string, { as: string; clip: { x: number; y: number; width: number; height: number } }> = {
  '04-hover': { as: 'hover', clip: { x: 0, y: 30, width: 1280, height: 480 } },
  '05-card': { as: 'card', clip: { x: 0, y: 30, width: 900, height: 770 } },
  '07-done': { as: 'done', clip: { x: 0, y: 30, width: 900, height: 770 } },
};

const windows = new Set<Window>();

/** After each test, pictures of all windows where it failed, and an end to those that it opened. */
export function tidy(): void {
  let before = new Set<Window>();
  beforeEach(() => {
    before = new Set(windows);
  });
  afterEach(async (t) => {
    const failed = 'passed' in t && !t.passed;
    for (const [i, w] of [...windows].entries()) {
      if (failed) await w.shot(`failed-${t.name.replaceAll('/', ' ')}-${i}`);
      if (!before.has(w)) await w.close();
    }
  });
  after(close);
}

export class Window {
  readonly page: Page;
  /** The box and the list that VS Code opens above the editor. */
  private readonly asking: Locator;
  private readonly box: Locator;

  constructor(page: Page) {
    this.page = page;
    this.asking = page.locator('.quick-input-widget');
    this.box = this.asking.locator('input.input').first();
    page.setDefaultTimeout(patience);
    windows.add(this);
  }

  /** Opens a window with a folder, "" for one without, and with a file in it. */
  static async open(folder = world.workspace, file = '', viewport = { width: 1280, height: 800 }): Promise<Window> {
    const context = await (await launch()).newContext({ viewport });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const w = new Window(await context.newPage());
    const query = new URLSearchParams(folder === '' ? { ew: 'true' } : { folder });
    if (file !== '') {
      query.set('payload', JSON.stringify([['openFile', `vscode-remote://${new URL(world.url).host}${file}`]]));
    }
    await w.page.goto(`${world.url}/?${query}`);
    await w.drawn();
    if (file !== '') await w.tab(file.split('/').at(-1) ?? file);
    return w;
  }

  private async drawn(): Promise<void> {
    await this.page.locator('.monaco-workbench').waitFor();
    await this.page.locator('.statusbar').first().waitFor();
  }

  async close(): Promise<void> {
    windows.delete(this);
    await this.page.context().close();
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.drawn();
    await this.ready();
  }

  /** Waits until the server answers. */
  async ready(): Promise<void> {
    await this.page.locator('.statusbar-item .codicon-cloud').first().waitFor();
  }

  async tab(name: string): Promise<void> {
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
  }

  /** Clicks until it has an effect: what is named is there, or the button is gone that was there. */
  async press(button: Locator, seen?: Locator | (() => Promise<unknown>)): Promise<void> {
    let found = false;
    await effect(
      `the effect of ${button}`,
      async () => {
        await button.waitFor({ timeout: attempt });
        found = true;
        await button.click({ timeout: attempt });
      },
      async () => {
        if (seen === undefined) return found && !(await button.isVisible());
        return typeof seen === 'function' ? seen() : seen.isVisible();
      },
    );
  }

  /** Presses keys until they have an effect. */
  async keys(keys: string, seen: () => Promise<unknown>): Promise<void> {
    await effect(`the effect of ${keys}`, () => this.page.keyboard.press(keys), seen);
  }

  /** Runs a command of the palette by its title, and again where what is to be seen of it is not. */
  async command(title: string, seen?: () => Promise<unknown>): Promise<void> {
    const run = () => this.pick('F1', `>${title}`, title);
    await (seen === undefined ? run() : effect(`the effect of ${title}`, run, seen));
  }

  /** Opens a file of the workspace. */
  async file(name: string): Promise<void> {
    await effect(
      `${name} is open`,
      () => this.pick('Control+P', name, name),
      visible(this.page.locator('.tab.active', { hasText: name })),
    );
  }

  /** Opens a list by a key, writes into it, and takes the row that begins with what is to be found. */
  private async pick(key: string, text: string, found: string): Promise<void> {
    const begins = new RegExp(`^\\s*${found.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);
    const row = this.asking.locator('.monaco-list-row', { hasText: begins }).first();
    let taken = false;
    await effect(
      `${found} is taken from the list`,
      async () => {
        if (await this.box.isVisible()) await this.page.keyboard.press('Escape');
        await this.page.keyboard.press(key);
        await this.box.fill(text, { timeout: attempt });
        await row.waitFor({ timeout: attempt });
        await row.click({ timeout: attempt });
        taken = true;
      },
      async () => taken && (await this.entered()) !== text,
    );
  }

  /** What stands in the box above the editor; undefined when it is closed. */
  private async entered(): Promise<string | undefined> {
    if (!(await this.box.isVisible())) return undefined;
    return this.box.inputValue({ timeout: 1000 });
  }

  /** Runs a command that asks for something in a box or a list of its own. */
  async asks(title: string): Promise<void> {
    await this.command(title, async () => (await this.entered())?.startsWith('>') === false);
  }

  /** Writes into the box that is open, until what is to be seen of it is. */
  async answer(text: string, seen: () => Promise<unknown>): Promise<void> {
    await effect(`the answer ${text}`, () => this.box.fill(text, { timeout: attempt }), seen);
  }

  /** Writes into the box that is open, and closes it. */
  async enter(text: string): Promise<void> {
    await effect(
      `${text} is entered`,
      async () => {
        await this.box.fill(text, { timeout: attempt });
        await this.box.press('Enter', { timeout: attempt });
      },
      gone(this.box),
    );
  }

  /** The rows of the list that is open. */
  rows(words: string): Locator {
    return this.asking.locator('.quick-input-list .monaco-list-row', { hasText: words });
  }

  /** Takes a row of the list that is open. */
  async take(words: string): Promise<void> {
    await this.rows(words).first().waitFor();
    await this.press(this.rows(words).first(), gone(this.box));
  }

  /** Closes the box or the list that is open. */
  async dismiss(): Promise<void> {
    await this.keys('Escape', gone(this.box));
  }

  /** The rows of a view in the side bar, which is opened. */
  async view(name: 'Resources' | 'Executions'): Promise<Locator> {
    const rows = this.page.locator('.pane', { hasText: name }).locator('.monaco-list-row');
    await this.command(`CloudOps: Focus on ${name} View`, visible(rows.first()));
    return rows;
  }

  /** Closes the side bar, and what is drawn in it. */
  async hide(): Promise<void> {
    await this.command(
      'View: Close Primary Side Bar',
      async () => (await this.page.locator('iframe.webview').count()) === 0,
    );
  }

  /** A message of VS Code, also where it went away by itself. */
  async told(words: string | RegExp): Promise<Locator> {
    const item = this.page.locator('.notification-list-item', { hasText: words }).first();
    await effect(
      `the message ${words}`,
      () => this.command('Notifications: Show Notifications'),
      visible(item),
      15_000,
    );
    return item;
  }

  /** Presses a button of such a message. */
  async reply(words: string | RegExp, button: string, seen?: Locator | (() => Promise<unknown>)): Promise<void> {
    const item = await this.told(words);
    const found = item.locator('.monaco-button', { hasText: button });
    await this.press(found, seen);
  }

  /** Scans AWS to the end. */
  async scan(): Promise<void> {
    const before = status().scanned;
    let now = status();
    await this.command('CloudOps: Scan AWS', async () => {
      now = status();
      return now.scanning || now.scanned > before;
    });
    await until('the scan is over', async () => {
      now = status();
      return !now.scanning && now.scanned > before;
    });
    await this.page.locator('.notification-list-item', { hasText: 'scanning AWS' }).waitFor({ state: 'hidden' });
  }

  /** Hovers over a word of the editor until the server's facts are shown. */
  async hover(word: string): Promise<void> {
    const name = this.page.locator('.view-line span', { hasText: word }).last();
    await effect(
      `the hover of ${word}`,
      async () => {
        await this.page.mouse.move(700, 700);
        await name.hover({ force: true, timeout: attempt });
      },
      visible(this.page.locator('.monaco-resizable-hover .hover-contents', { hasText: 'RDS instance' }).first()),
    );
  }

  /** Writes the text of the file that is open and empty. */
  async write(text: string): Promise<void> {
    await effect(
      `${text} is written`,
      async () => {
        await this.page.locator('.editor-instance .view-lines').first().click({ timeout: attempt });
        await this.page.keyboard.press('Control+A');
        await this.page.keyboard.insertText(text);
      },
      // Spaces are drawn as others.
      async () =>
        ((await this.page.locator('.view-line').first().textContent()) ?? '').replaceAll('\u00a0', ' ') === text,
    );
  }

  /** The chat panel, shown first. */
  async chat(): Promise<FrameLocator> {
    const frame = this.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
    await this.command('CloudOps: Focus on Chat View', visible(frame.locator('main')));
    return frame;
  }

  /** Begins a new conversation. */
  async anew(): Promise<void> {
    await this.command('CloudOps: New Conversation');
    await (await this.chat()).locator('.welcome').waitFor();
  }

  /** Sends a message in the chat. */
  async say(text: string): Promise<FrameLocator> {
    const chat = await this.chat();
    const box = chat.locator('textarea');
    const said = chat.locator('.message.user', { hasText: text });
    const before = await said.count();
    let written = false;
    await effect(
      `${text.slice(0, 80)} is sent`,
      async () => {
        // What was not taken stays in the box: a server that is just starting takes nothing yet.
        if (!written) await box.fill(text, { timeout: attempt });
        written = true;
        await box.press('Enter', { timeout: attempt });
      },
      async () => (await said.count()) > before,
    );
    return chat;
  }

  /** The button that runs the card that waits, once all of it was looked at that has to be. */
  async read(chat: FrameLocator): Promise<Locator> {
    const card = chat.locator('.card.waiting').last();
    const run = card.locator('vscode-button:not([disabled])', { hasText: 'Run' });
    const more = card.getByText('Show them');
    await effect('the card is read', () => more.click({ timeout: attempt }), visible(run), 5000);
    return run;
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
    const path = join(world.shots, `${name}.png`);
    await mkdir(dirname(path), { recursive: true });
    await this.page.screenshot({ path });
    const picture = pictures[name];
    if (picture === undefined || !process.env.VSCODE_PICTURES) return;
    await mkdir(media, { recursive: true });
    await this.page.screenshot({ path: join(media, `${picture.as}.png`), clip: picture.clip });
  }
}
