// The longest that the page is kept busy, and so does not answer, while a person
// goes through a conversation of 1,000 messages; and through the same words as
// plain text in the view of the empty extension.
import type { FrameLocator } from 'playwright-core';
import { Window } from '../e2e/window.ts';
import { close, launch } from '../e2e/world.ts';

const page = 15;
const typed = 'which databases in us-west-2 are tagged env=production?';

interface Task {
  /** Milliseconds, and how many of them the processor worked on it. */
  wall: number;
  cpu: number;
}

/** The longest task of the page's main thread while f runs, by what the browser records. */
async function longest(w: Window, f: () => Promise<unknown>): Promise<Task> {
  const browser = await launch();
  await browser.startTracing(w.page, {
    categories: ['-*', 'devtools.timeline', 'disabled-by-default-devtools.timeline'],
  });
  await f();
  await w.page.evaluate(() => new Promise((done) => requestIdleCallback(done)));
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: {
      name: string;
      pid: number;
      dur?: number;
      tdur?: number;
      args: { data?: { frames?: { processId: number }[] } };
    }[];
  };
  const pid = traceEvents.find((e) => e.name === 'TracingStartedInBrowser')?.args.data?.frames?.[0]?.processId;
  const most = { wall: 0, cpu: 0 };
  for (const e of traceEvents) {
    if (e.name !== 'RunTask' || e.pid !== pid) continue;
    most.wall = Math.max(most.wall, (e.dur ?? 0) / 1000);
    most.cpu = Math.max(most.cpu, (e.tdur ?? 0) / 1000);
  }
  return most;
}

/** Waits in the panel until as many messages are drawn; Playwright's own looking would count. */
function drawn(panel: FrameLocator, messages: number): Promise<void> {
  return panel.locator('main').evaluate(async (main, messages) => {
    while (main.querySelectorAll('.message[aria-busy=false]').length < messages) {
      await new Promise((done) => requestAnimationFrame(done));
    }
  }, messages);
}

/** Has the panel take messages of the extension, one after the other, as they come from a model. */
function told(panel: FrameLocator, messages: unknown[]): Promise<void> {
  return panel.locator('main').evaluate(async (_, messages) => {
    for (const data of messages) {
      window.dispatchEvent(new MessageEvent('message', { data }));
      await new Promise((done) => setTimeout(done, 10));
    }
  }, messages);
}

async function show(w: Window, view: string): Promise<FrameLocator> {
  await w.page.locator('.activitybar [aria-label^="Explorer"]').first().click();
  await w.page.locator('iframe.webview').waitFor({ state: 'detached' });
  await w.page.locator(`.activitybar [aria-label^="${view}"]`).first().click();
  const frame = w.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
  await frame.locator('textarea').waitFor();
  return frame;
}

/** What a model may write: so many findings with lists and code. */
function report(findings: number): string {
  return Array.from(
    { length: findings },
    (_, i) => `## Finding ${i}

The instance **web-${i}** (\`i-0abc${i}\`) in *us-west-2* runs and nobody uses it:

- EC2 instance, running, us-west-2, account 123456789012 (prod), confirmed just now
- tags: env=production, owner=team-backend

\`\`\`
aws ec2 stop-instances --instance-ids=i-0abc${i} --region=us-west-2
\`\`\`
`,
  ).join('\n');
}

const pieces = (text: string) => text.match(/.{1,200}/gsu) ?? [];
const entry = (role: string, text: string) => ({
  id: text.slice(0, 20),
  role,
  text,
  time: '2026-01-10T12:00:00Z',
  chips: [],
});
const answered = (text: string) => ({
  type: 'answered',
  conversation: process.env.VSCODE_CONVERSATION ?? '',
  entry: entry('assistant', text),
  choices: [],
  problem: '',
});

const figures: ({ name: string; side: 'ours' | 'plain' } & Task)[] = [];
const note = (name: string, ours: Task, plain: Task) =>
  figures.push({ name, side: 'ours', ...ours }, { name, side: 'plain', ...plain });

for (let round = 0; round < 3; round++) {
  const w = await Window.open();
  await w.ready();
  const panel = await show(w, 'CloudOps');
  const blocked = await longest(w, () =>
    panel.locator('main').evaluate(
      () =>
        new Promise<void>((done) =>
          setTimeout(() => {
            for (const end = performance.now() + 200; performance.now() < end; );
            done();
          }),
        ),
    ),
  );
  if (blocked.wall < 195) throw new Error(`a task of 200 ms was seen as one of ${blocked.wall} ms`);

  const conversation = panel.locator('.recent button').first();
  await conversation.waitFor();
  const loading = await longest(w, async () => {
    await conversation.click();
    await drawn(panel, page);
  });
  const paging = await longest(w, () =>
    panel.locator('main').evaluate(async (main) => {
      for (let button = main.querySelector<HTMLElement>('.earlier'); button !== null; ) {
        const before = main.querySelectorAll('.message').length;
        button.scrollIntoView();
        button.click();
        while (main.querySelectorAll('.message').length === before) {
          await new Promise((done) => requestAnimationFrame(done));
        }
        await new Promise((done) => setTimeout(done, 50)); // nobody clicks sooner again
        button = main.querySelector('.earlier');
      }
    }),
  );
  const texts = await panel.locator('.message').evaluateAll((all) => all.map((m) => m.textContent ?? ''));
  if (texts.length !== 1000) throw new Error(`${texts.length} messages are drawn`);
  await panel.locator('textarea').click();
  const typing = await longest(w, () => w.page.keyboard.type(typed, { delay: 20 }));
  const answering = await longest(w, async () => {
    await w.page.keyboard.press('Enter');
    await drawn(panel, 1002);
  });
  const below = () => panel.locator('.log').evaluate((x) => x.scrollHeight - x.scrollTop - x.clientHeight);
  if ((await below()) > 40) throw new Error(`the answer is ${await below()} pixels below what is seen`);
  await w.shot('bench-answered');
  const long = report(150);
  await told(panel, [{ type: 'entry', entry: entry('user', 'Find what is not used') }]);
  const streaming = await longest(w, () =>
    told(panel, [...pieces(long).map((text) => ({ type: 'text', text })), answered(long)]),
  );
  if ((await below()) > 40) throw new Error(`the end of the reply is ${await below()} pixels below what is seen`);
  await w.shot('bench-streamed');
  const megabyte = report(4000).slice(0, 1 << 20);
  const vast = await longest(w, () => told(panel, [answered(megabyte)]));
  await panel.locator('.long + button').waitFor();
  const whole = await longest(w, () =>
    panel.locator('main').evaluate((main) => main.querySelector<HTMLElement>('.long + button')?.click()),
  );
  await w.shot('bench-whole');

  // The same as plain text.
  const plain = await show(w, 'Empty');
  const more = (texts: string[]) =>
    plain.locator('main').evaluate(async (main, texts) => {
      for (const text of texts) {
        const p = document.createElement('p');
        p.style.whiteSpace = 'pre-wrap';
        p.textContent = text;
        main.prepend(p);
      }
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    }, texts);
  const grow = (pieces: string[]) =>
    plain.locator('main').evaluate(async (main, pieces) => {
      const p = main.appendChild(document.createElement('p'));
      p.style.whiteSpace = 'pre-wrap';
      for (const piece of pieces) {
        p.append(piece);
        p.scrollIntoView({ block: 'end' });
        await new Promise((done) => setTimeout(done, 10));
      }
    }, pieces);
  note('load it', loading, await longest(w, () => more(texts.slice(-page))));
  note(
    'show all earlier ones',
    paging,
    await longest(w, async () => {
      for (let from = texts.length - 2 * page; from > -page; from -= page) {
        await more(texts.slice(Math.max(0, from), from + page));
      }
    }),
  );
  await plain.locator('textarea').click();
  note('type', typing, await longest(w, () => w.page.keyboard.type(typed, { delay: 20 })));
  note('ask and be answered', answering, await longest(w, () => grow([typed, texts.at(-1) ?? ''])));
  note('a reply of 50 KB, in pieces', streaming, await longest(w, () => grow(pieces(long))));
  const once = await longest(w, () => grow([megabyte]));
  note('a reply of 1 MB', vast, once);
  note('all of it', whole, once);
  await w.close();
}
await close();
console.log(JSON.stringify(figures));
