// How long VS Code takes to start the extension, and a person's click to show a
// text box that takes what they write: ours, and that of the empty extension.
import assert from 'node:assert/strict';
import { Window } from '../e2e/window.ts';
import { close, until } from '../e2e/world.ts';

const views = ['CloudOps', 'Empty'] as const;
type View = (typeof views)[number];

/**
 * Waits, in the page, for a text box in the view that the next click opens, and
 * says when it was painted after that click. Pages of views are of VS Code's own
 * origin here.
 */
async function painted(): Promise<number> {
  const pressed = await new Promise<number>((done) =>
    addEventListener('mousedown', (e) => done(e.timeStamp), { capture: true, once: true }),
  );
  const inside = (d: Document | null | undefined, frame: string) =>
    d?.querySelector<HTMLIFrameElement>(frame)?.contentDocument;
  for (;;) {
    await new Promise((done) => requestAnimationFrame(done));
    const box = inside(inside(document, 'iframe.webview.ready'), '#active-frame')?.querySelector('textarea');
    if (box?.checkVisibility({ visibilityProperty: true }) && !box.disabled) break;
  }
  // What was asked for in a frame comes after it was painted.
  await new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(undefined);
  });
  return performance.now() - pressed;
}

async function opened(w: Window, view: View): Promise<number> {
  const took = w.page.evaluate(painted);
  await w.page.locator(`.activitybar [aria-label^="${view}"]`).first().click();
  const ms = await took;
  const box = w.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame').locator('textarea');
  await box.click();
  await w.page.keyboard.type('what');
  assert.equal(await box.inputValue(), 'what');
  await box.fill('');
  return ms;
}

const figures = {
  first: { CloudOps: [] as number[], Empty: [] as number[] },
  again: { CloudOps: [] as number[], Empty: [] as number[] },
  /** What VS Code says of each extension that runs. */
  activation: {} as Record<string, number[]>,
};
for (let round = 0; round < 7; round++) {
  for (const view of views) {
    const w = await Window.open();
    await w.ready();
    figures.first[view].push(await opened(w, view));
    for (let i = 0; i < 3; i++) {
      await w.page.locator('.activitybar [aria-label^="Explorer"]').first().click();
      await w.page.locator('iframe.webview').waitFor({ state: 'detached' });
      figures.again[view].push(await opened(w, view));
    }
    await w.page.setViewportSize({ width: 1280, height: 2400 }); // the list draws what is in sight
    await w.command('Developer: Show Running Extensions');
    const rows = w.page.locator('.runtime-extensions-editor .extension');
    await until('it is said to run', async () => {
      const all = await rows.allInnerTexts();
      return all.some((x) => x.startsWith(`${view}\n`));
    });
    for (const row of await rows.allInnerTexts()) {
      const took = /ctivation: (\d+)ms/.exec(row);
      if (took !== null) {
        const name = row.split('\n')[0] ?? '';
        figures.activation[name] = [...(figures.activation[name] ?? []), Number(took[1])];
      }
    }
    await w.close();
  }
}
await close();
console.log(JSON.stringify(figures));
