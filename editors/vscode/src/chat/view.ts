// The chat panel's side in the extension: one conversation at a time, its turn
// under way, and the cards that wait in it.
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import * as vscode from 'vscode';
import type { Approvals, Surface } from '../approvals';
import { type Client, logged, ServerError, words } from '../client';
import type { Estate } from '../estate';
import {
  type Answer,
  type Card,
  conversationCreate,
  conversationList,
  conversationMessages,
  conversationSend,
  conversationText,
  type Execution,
  estateResolve,
  executionChanged,
  executionDecide,
  executionList,
  executionOutput,
  executionPending,
} from '../protocol.gen';
import { ago, visible, visibleLines } from '../text';
import { type Chip, type Entry, FromPanel, type PanelCard, type ToPanel } from './messages';

/** How many messages of a conversation are shown. */
const most = 1000;
/** How many conversations an empty panel offers. */
const recent = 5;
/** How many commands of a conversation are followed. */
const latest = 50;
/** How much of a command's output is shown; the Executions view has the rest. */
const mostOutput = 200_000;

/** The server's code for what is not there; see docs/protocol.md. */
const notFound = -32011;
/** The code for a plan that nobody decided on, and that goes on waiting. */
const undecided = -32018;

type Left = Pick<Extract<ToPanel, { type: 'answered' }>, 'choices' | 'problem'>;
const nothing: Left = { choices: [], problem: '' };

interface Waiting {
  card: Card;
  answer: (a: { run: boolean; reason: string } | undefined) => void;
}

export class ChatView implements vscode.WebviewViewProvider, Surface, vscode.Disposable {
  private view: vscode.WebviewView | undefined;
  private drawn = false;
  /** The one that is shown, kept for the next window of this workspace. */
  private current = '';
  private title = '';
  private turn: { token: string; cancel: vscode.CancellationTokenSource; text: string } | undefined;
  /** What the last turn left to be seen besides its messages. */
  private left: Left = nothing;
  /** Cards that wait for the person, by plan. */
  private readonly waiting = new Map<string, Waiting>();
  /** Plans that the person rejected here. */
  private readonly rejected = new Set<string>();
  /** The card that runs: what the server says of a run belongs to it. */
  private running: Card | undefined;
  /** Plans of this conversation that run, approved in another place. */
  private readonly elsewhere = new Set<string>();
  /** Plans whose end was shown. */
  private readonly told = new Set<string>();
  private readonly disposables: vscode.Disposable[] = [];
  /** What is to be shown once the panel is drawn. */
  private later: ToPanel[] = [];

  constructor(
    private readonly extension: vscode.Uri,
    private readonly memory: vscode.Memento,
    private readonly client: Client,
    private readonly estate: Estate,
    private readonly approvals: Approvals,
    private readonly details: (identifier: string) => Promise<void>,
  ) {
    this.current = memory.get('conversation', '');
    approvals.use(this);
    approvals.onDecided((x) => this.outcome(x));
    client.onNote(conversationText, (n) => {
      if (n.token !== this.turn?.token) return;
      this.turn.text += n.text;
      this.post({ type: 'text', text: n.text });
    });
    client.onNote(executionOutput, (n) => {
      if (this.running) this.post({ type: 'run', plan: this.running.plan, kind: n.kind, text: visible(n.text) });
    });
    client.onNote(executionChanged, () => {
      this.follow().catch((e: unknown) => client.output.warn(`following commands: ${logged(e)}`));
    });
    client.onState((state) => {
      this.state();
      if (state === 'ready') void this.load(this.conversation);
      else this.stopped();
    });
    estate.onChange(() => this.state());
    this.disposables.push(
      vscode.window.registerWebviewViewProvider('cloudops.chat', this, {
        // What stands there comes back from the server and the page's own state.
        webviewOptions: { retainContextWhenHidden: false },
      }),
    );
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.drawn = false;
    const dist = vscode.Uri.joinPath(this.extension, 'dist');
    view.webview.options = {
      enableScripts: true,
      enableForms: false,
      localResourceRoots: [dist],
      enableCommandUris: false,
    };
    view.webview.html = page(view.webview, dist);
    view.webview.onDidReceiveMessage((m: unknown) => {
      const parsed = v.safeParse(FromPanel, m);
      if (!parsed.success) {
        this.client.output.warn('the chat panel sent a malformed message');
        return;
      }
      this.take(parsed.output).catch((e: unknown) => this.client.output.error(`the chat panel: ${logged(e)}`));
    });
    this.badge();
    view.onDidChangeVisibility(() => {
      // What a hidden page held is gone; it says so when it is drawn again.
      if (!view.visible) this.drawn = false;
    });
    view.onDidDispose(() => {
      if (this.view === view) {
        this.view = undefined;
        this.drawn = false;
      }
    });
  }

  private get conversation(): string {
    return this.current;
  }

  private set conversation(id: string) {
    this.current = id;
    void this.memory.update('conversation', id);
  }

  private post(m: ToPanel): void {
    if (this.drawn) void this.view?.webview.postMessage(m);
  }

  /** As post, at once or when the panel is drawn. */
  private say(m: ToPanel): void {
    if (this.drawn) this.post(m);
    else this.later.push(m);
  }

  private async take(m: FromPanel): Promise<void> {
    switch (m.type) {
      case 'ready':
        this.drawn = true;
        this.state();
        // "" is a new conversation, which the page may not know of yet.
        if (this.memory.get('conversation') === undefined) this.conversation = m.conversation;
        await this.load(this.conversation);
        for (const x of this.later.splice(0)) this.post(x);
        return;
      case 'send':
        return this.send(m.text);
      case 'stop':
        this.turn?.cancel.cancel();
        return;
      case 'open':
        return this.open(m.conversation);
      case 'decide':
        if (m.decision === 'stop') return this.stop(m.plan);
        return this.decide(m.plan, m.digest, m.decision === 'run', m.reason);
      case 'details':
        return this.details(m.identifier);
      case 'command':
        await vscode.commands.executeCommand(
          {
            restart: 'cloudops.restartServer',
            output: 'cloudops.showOutput',
            scan: 'cloudops.scan',
            profile: 'cloudops.switchProfile',
            trust: 'workbench.trust.manage',
            choose: 'cloudops.chooseServer',
          }[m.command],
        );
    }
  }

  private state(): void {
    const empty = this.estate.status !== undefined && this.estate.status.resources === 0;
    this.post({ type: 'state', state: this.client.state, problem: this.client.problem, empty });
  }

  /** Shows the panel and puts words where the next message is written. */
  async draft(text: string): Promise<void> {
    this.say({ type: 'draft', text });
    await this.reveal(this.conversation);
    this.post({ type: 'focus' });
  }

  /** Shows a conversation; "" begins a new one. What is under way in the one before is stopped. */
  async open(id: string): Promise<void> {
    this.turn?.cancel.cancel();
    this.turn = undefined;
    this.conversation = id;
    this.left = nothing;
    this.called('');
    await this.load(id);
  }

  private async load(id: string): Promise<void> {
    if (!this.drawn || this.client.state !== 'ready') return;
    let entries: Entry[] = [];
    try {
      if (id !== '') {
        const params = { conversation_id: id, limit: most };
        const { messages } = await this.client.request(conversationMessages, params);
        const chips = await this.chips(messages.flatMap((m) => m.metadata.resources_mentioned));
        entries = messages.map((m) => ({
          id: m.id,
          role: m.role,
          text: m.role === 'user' ? visibleLines(m.content) : m.content,
          time: m.timestamp,
          // A note is about what the message before it named.
          chips: m.role === 'system' ? [] : m.metadata.resources_mentioned.map((key) => chips.get(key) ?? chipOf(key)),
        }));
        if (this.title === '') this.called(entries.find((e) => e.role === 'user')?.text ?? '');
      } else {
        await this.offer();
      }
    } catch (e) {
      this.client.output.warn(`reading a conversation: ${logged(e)}`);
      // One that is gone is forgotten; for another failure it is tried again.
      if (!(e instanceof ServerError && e.code === notFound)) {
        this.post({ type: 'answered', conversation: id, entry: null, choices: [], problem: words(e) });
        return;
      }
      if (id === this.conversation) this.conversation = id = '';
    }
    if (id !== this.conversation) return; // another one was opened meanwhile
    this.post({
      type: 'conversation',
      id,
      entries,
      busy: this.turn !== undefined,
    });
    if (this.turn !== undefined) this.post({ type: 'text', text: this.turn.text });
    else if (this.left !== nothing) {
      this.post({ type: 'answered', conversation: id, entry: null, ...this.left });
    }
    if (this.running?.conversation_id === id) this.show(this.running, true);
    for (const { card } of this.waiting.values()) if (card.conversation_id === id) this.show(card);
    this.elsewhere.clear();
    await this.follow();
    await this.revive();
  }

  /**
   * Ends cards that were decided elsewhere, that expired or that mean another state
   * now, and shows what runs that was approved elsewhere, or here before a reload,
   * until its end.
   */
  private async follow(): Promise<void> {
    const conversations = new Set([...this.waiting.values()].map((w) => w.card.conversation_id));
    if (this.conversation !== '') conversations.add(this.conversation);
    for (const id of conversations) {
      if (this.client.state !== 'ready') return;
      const params = { conversation_id: id, limit: latest };
      const { executions } = await this.client.request(executionList, params);
      this.followed(executions, id !== '' && id === this.conversation);
    }
  }

  private followed(executions: Execution[], here: boolean): void {
    for (const x of executions) {
      // AWS may have been called while the state is still waited for.
      const runs = x.started_at !== '' && x.finished_at === '';
      if (x.status !== 'planned' && this.waiting.has(x.plan_id)) {
        this.elsewhere.add(x.plan_id);
        this.waiting.get(x.plan_id)?.answer(undefined);
        this.post({ type: 'sent', plan: x.plan_id });
      } else if (here && runs && this.running?.plan !== x.plan_id && !this.elsewhere.has(x.plan_id)) {
        this.elsewhere.add(x.plan_id);
        this.post({ type: 'card', card: cardOf(x), sent: true });
      }
      if (!runs && this.elsewhere.delete(x.plan_id)) this.outcome(x);
    }
  }

  /** Asks again about plans of this conversation that wait, such as after a reload. */
  private async revive(): Promise<void> {
    if (this.conversation === '' || this.turn !== undefined) return;
    try {
      const { plans } = await this.client.request(executionPending, {});
      for (const p of plans) {
        if (p.origin.conversation === this.conversation && !this.waiting.has(p.id)) await this.put(p.id);
      }
    } catch (e) {
      this.client.output.warn(`asking for what waits: ${logged(e)}`);
    }
  }

  /** Names the conversation by its first words, in the panel's title. */
  private called(text: string): void {
    this.title = visible(text.split('\n')[0] ?? '').slice(0, 80);
    if (this.view) this.view.description = this.title;
  }

  /** Offers the latest conversations. */
  private async offer(): Promise<void> {
    const { conversations } = await this.client.request(conversationList, {});
    this.post({
      type: 'recent',
      conversations: conversations.slice(0, recent).map((c) => ({
        id: c.id,
        title: visible(c.title === '' ? 'Untitled' : c.title),
        ago: ago(new Date(c.updated_at), new Date()),
      })),
    });
  }

  /** Chips with the names and states that the resources of these keys have now. */
  private async chips(keys: string[]): Promise<Map<string, Chip>> {
    const tokens = new Map([...new Set(keys)].map((key) => [key, chipOf(key).identifier]));
    const found = new Map<string, Chip>();
    if (tokens.size === 0) return found;
    const { records } = await this.client.request(estateResolve, { tokens: [...new Set(tokens.values())] });
    for (const [key, token] of tokens) {
      const r = records[token]?.find(
        (r) => r.arn === key || [r.account_id, r.region, r.resource_type, r.identifier].join('|') === key,
      );
      if (r === undefined) continue;
      found.set(key, { identifier: token, label: visible(r.name || r.identifier), state: visible(r.state) });
    }
    return found;
  }

  private async send(text: string): Promise<void> {
    if (this.turn !== undefined || text.trim() === '') return;
    const turn = { token: randomBytes(12).toString('hex'), cancel: new vscode.CancellationTokenSource(), text: '' };
    this.turn = turn;
    this.left = nothing;
    if (this.title === '') this.called(text);
    this.post({
      type: 'entry',
      entry: { id: turn.token, role: 'user', text: visibleLines(text), time: new Date().toISOString(), chips: [] },
    });
    try {
      // Known before the turn, so that one whose answer is lost is found again.
      if (this.conversation === '') {
        const created = await this.client.request(conversationCreate, {}, turn.cancel.token);
        if (this.turn !== turn) return;
        this.conversation = created.conversation_id;
      }
      const params = { conversation_id: this.conversation, prompt: text, token: turn.token };
      const a = await this.client.request(conversationSend, params, turn.cancel.token);
      if (this.turn !== turn) return;
      this.turn = undefined;
      this.answered(a);
      for (const p of a.plans) {
        const x = await this.put(p.id);
        if (x?.status !== 'succeeded') break; // the rest waits
      }
    } catch (e) {
      if (this.turn !== turn) return; // another conversation is shown
      this.turn = undefined;
      const stopped = e instanceof vscode.CancellationError;
      this.left = { choices: [], problem: stopped ? 'Stopped.' : words(e) };
      this.post({ type: 'answered', conversation: this.conversation, entry: null, ...this.left });
      if (!stopped) this.say({ type: 'unsent', text });
    } finally {
      turn.cancel.dispose();
    }
  }

  private answered(a: Answer): void {
    // The cards say what the text would say of plans, the buttons what it would say of choices.
    const asked = a.reply.clarification;
    const text =
      a.plans.length > 0 && a.refused.length === 0 ? 'Nothing runs until you approve it.' : (asked?.question ?? a.text);
    const chips = (asked ? [] : a.request.identified_resources).map((r) => ({
      identifier: r.arn === '' ? r.id : r.arn,
      label: visible(r.name === '' ? r.id : r.name),
      state: visible(r.current_state),
    }));
    const choices = (asked?.choices ?? []).map((c) => ({ label: visible(c.label), prompt: c.prompt }));
    this.left = { choices, problem: '' };
    this.post({
      type: 'answered',
      conversation: a.conversation_id,
      entry: {
        id: randomBytes(8).toString('hex'),
        role: 'assistant',
        text,
        time: new Date().toISOString(),
        chips,
      },
      ...this.left,
    });
  }

  /** Has the server ask about a plan; what became of it is shown by outcome. */
  private async put(plan: string): Promise<Execution | undefined> {
    try {
      return await this.approvals.decide(plan);
    } catch (e) {
      this.ended(plan, words(e), e instanceof ServerError && e.code === undecided);
      return undefined;
    }
  }

  takes(card: Card): boolean {
    return (
      this.drawn &&
      this.view?.visible === true &&
      card.conversation_id !== '' &&
      card.conversation_id === this.conversation
    );
  }

  async reveal(conversation: string): Promise<void> {
    if (conversation !== this.conversation) await this.open(conversation);
    await vscode.commands.executeCommand('cloudops.chat.focus');
  }

  async ask(card: Card, token: vscode.CancellationToken): Promise<{ run: boolean; reason: string } | undefined> {
    return new Promise((resolve) => {
      const done = token.onCancellationRequested(() => finish(undefined));
      const finish: Waiting['answer'] = (a) => {
        done.dispose();
        if (this.waiting.get(card.plan)?.answer === finish) this.waiting.delete(card.plan);
        this.badge();
        resolve(a);
      };
      this.waiting.set(card.plan, { card, answer: finish });
      this.badge();
      this.show(card);
    });
  }

  private badge(): void {
    const value = this.waiting.size;
    if (this.view) this.view.badge = value === 0 ? undefined : { value, tooltip: `${value} waiting for you` };
  }

  private show(c: Card, sent = false): void {
    this.post({
      type: 'card',
      card: {
        plan: c.plan,
        digest: c.digest,
        title: c.title,
        line: c.line,
        risk: c.risk,
        grave: c.grave,
        fields: c.fields.map((f) => ({ ...f, more: f.more ?? false })),
        created: c.created_ms,
        expires: c.expires_ms,
        arm: c.arm_after_ms,
        others: c.waiting ?? 0,
      },
      sent,
    });
  }

  private async decide(plan: string, digest: string, run: boolean, reason: string): Promise<void> {
    const w = this.waiting.get(plan);
    if (w === undefined || w.card.digest !== digest) {
      this.ended(plan, 'this card is out of date; ask again');
      return;
    }
    if (run) this.running = w.card;
    else this.rejected.add(plan);
    w.answer({ run, reason });
  }

  /** Has the server stop what was approved. Its answer is an error that says whether that came in time. */
  private async stop(plan: string): Promise<void> {
    try {
      await this.client.request(executionDecide, { plan, decision: 'stop' });
    } catch (e) {
      this.post({ type: 'stopped', plan, text: words(e) });
    }
  }

  private outcome(x: Execution): void {
    if (this.running?.plan === x.plan_id) this.running = undefined;
    this.told.add(x.plan_id);
    const output = x.output.length > mostOutput ? `${x.output.slice(0, mostOutput)}\n…` : x.output;
    this.post({
      type: 'outcome',
      plan: x.plan_id,
      status: x.status,
      before: visible(x.state_before),
      after: visible(x.state_after),
      output: visibleLines(output),
      problem: visible(x.error),
    });
  }

  /** A plan that came to nothing, or whose outcome this panel was not told. */
  private ended(plan: string, problem: string, waits = false): void {
    if (this.elsewhere.has(plan) || this.told.has(plan)) return;
    if (this.running?.plan === plan) this.running = undefined;
    const rejected = this.rejected.delete(plan);
    this.post({
      type: 'outcome',
      plan,
      status: rejected ? 'rejected' : waits ? 'planned' : 'ended',
      before: '',
      after: '',
      output: '',
      problem: rejected ? '' : problem,
    });
  }

  /** The server is gone: nothing waits for an answer any more. */
  private stopped(): void {
    for (const w of [...this.waiting.values()]) w.answer(undefined);
  }

  dispose(): void {
    this.turn?.cancel.cancel();
    this.stopped();
    for (const d of this.disposables) d.dispose();
  }
}

/** A chip for a canonical key: an ARN, or account|region|type|id. */
function chipOf(key: string): Chip {
  const arn = key.startsWith('arn:');
  const id = (arn ? key.split(/[:/]/) : key.split('|')).at(-1) ?? key;
  return { identifier: arn ? key : id, label: visible(id), state: '' };
}

/** A card for what runs, as far as its record tells. */
function cardOf(x: Execution): PanelCard {
  return {
    plan: x.plan_id,
    digest: '',
    title: visible(x.targets.map((t) => t.name || t.identifier).join(', ')),
    line: visible(x.line),
    risk: x.risk,
    grave: false,
    fields: [{ name: 'decision', text: visible(x.decision), more: false }],
    created: Date.parse(x.planned_at) || 0,
    expires: 0,
    arm: 0,
    others: 0,
  };
}

/** The page: scripts and styles by nonce, from the extension only; nothing remote. */
export function page(webview: vscode.Webview, dist: vscode.Uri): string {
  const nonce = randomBytes(16).toString('base64url');
  const uri = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(dist, name)).toString();
  const policy = [
    "default-src 'none'",
    "connect-src 'none'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-src 'none'",
    "img-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>CloudOps</title>
<link rel="stylesheet" href="${uri('panel.css')}">
</head>
<body>
<div id="root"></div>
<script nonce="${nonce}" src="${uri('panel.js')}"></script>
</body>
</html>`;
}
