// The language client: started once the workspace is trusted, and again, with
// growing pauses, when the server ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
import * as vscode from 'vscode';
import type { Connection } from './connection';
import type { Incoming, Outgoing } from './protocol.gen';
import { find, fits, intact, NoServer, program } from './server';
import { notice, visible } from './text';

/** The SHA-256 of the program in the extension, '' where there is none: see esbuild.mjs. */
declare const SERVER_SHA256: string;

export type State = 'untrusted' | 'starting' | 'ready' | 'missing' | 'failed';

/** An error of the server, with what the person can do. */
export class ServerError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    /** The server's code; 0 for none. */
    readonly code = 0,
  ) {
    super(message);
  }
}

/** The words of an error as a sentence, fit to be shown. */
export function words(e: unknown): string {
  const said = e instanceof Error ? e.message : String(e);
  const text = notice(e instanceof ServerError && e.hint !== '' ? `${said} — ${e.hint}` : said);
  // A path or a quoted name begins as it is.
  return /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}

/** What a log may say of an error: logs name no resource. */
export function logged(e: unknown): string {
  return e instanceof ServerError ? `the server refused, code ${e.code}` : words(e);
}

/** What a menu of the server's asks to be shown; here it is a document. */
const Shown = v.object({ identifier: v.string(), show: v.literal(true) });

/** The settings that the server takes from an editor. */
function narrowing() {
  const { hover, codeActions, readOnly } = vscode.workspace.getConfiguration('cloudops');
  return { hover, codeActions, readOnly };
}

const pauses = [1, 2, 5, 10, 30];

/** How long a server has to run until its end is no failure to start. */
const steady = 10_000;

/** How long the server may take to answer its first request, and to end. */
const patience = { start: 15_000, end: 2000 };

export class Client implements vscode.Disposable {
  readonly output: vscode.LogOutputChannel;
  private readonly changed = new vscode.EventEmitter<State>();
  /** Fires when the state changes. */
  readonly onState = this.changed.event;
  state: State = 'starting';
  /** Why there is no server. */
  problem = '';
  private client: Connection | undefined;
  private server: ChildProcess | undefined;
  private attempt = 0;
  /** When it last became ready. */
  private ready = 0;
  private timer: NodeJS.Timeout | undefined;
  /** Counts starts; what belongs to an earlier one is dropped. */
  private generation = 0;
  private readonly notes: { method: string; handler: (params: unknown) => void }[] = [];
  private readonly requests: { method: string; handler: (params: unknown, t: vscode.CancellationToken) => unknown }[] =
    [];

  /** Shows whole resources. */
  details: (identifier: string) => Promise<void> = async () => {};

  constructor(private readonly extension: vscode.Uri) {
    this.output = vscode.window.createOutputChannel('CloudOps', { log: true });
  }

  /** Handles a notification of the server; what does not fit its schema is dropped. */
  onNote<S extends v.GenericSchema>(note: Incoming<S>, handler: (params: v.InferOutput<S>) => void): void {
    this.notes.push({
      method: note.method,
      handler: (params) => {
        const parsed = v.safeParse(note.params, params);
        if (parsed.success) handler(parsed.output);
        else this.output.warn(`${note.method} is malformed`);
      },
    });
  }

  /** Handles a request of the server. */
  onRequest<S extends v.GenericSchema>(
    question: Incoming<S>,
    handler: (params: v.InferOutput<S>, t: vscode.CancellationToken) => Promise<unknown>,
  ): void {
    const { method, params: schema } = question;
    this.requests.push({ method, handler: (params, t) => handler(v.parse(schema, params), t) });
  }

  /** Sends a request and checks its answer. Throws ServerError. */
  async request<P extends object, S extends v.GenericSchema>(
    { method, result: schema }: Outgoing<P, S>,
    params: NoInfer<P>,
    token?: vscode.CancellationToken,
  ): Promise<v.InferOutput<S>> {
    const client = this.client;
    if (client === undefined || this.state !== 'ready') {
      throw new ServerError(this.problem === '' ? 'the CloudOps server is not ready yet' : this.problem, '');
    }
    let result: unknown;
    try {
      // A token that is undefined would be sent as a second parameter.
      result = await (token ? client.sendRequest(method, params, token) : client.sendRequest(method, params));
    } catch (e) {
      if (token?.isCancellationRequested) throw new vscode.CancellationError();
      const { gone, code, hint } = client.told(e);
      if (client !== this.client || gone) throw new ServerError('the CloudOps server ended before it answered', '');
      throw new ServerError(e instanceof Error ? e.message : String(e), hint, code);
    }
    const parsed = v.safeParse(schema, result);
    if (!parsed.success) {
      throw new ServerError(`the answer to ${method} is malformed`, 'update the cloudops program or this extension');
    }
    return parsed.output;
  }

  private become(state: State, problem = ''): void {
    this.state = state;
    this.problem = problem;
    this.changed.fire(state);
  }

  /** Starts the server, ending one that runs. */
  async start(attempt = 0): Promise<void> {
    this.attempt = attempt;
    clearTimeout(this.timer);
    const generation = ++this.generation;
    // Told before the one that runs is ended: what is asked meanwhile would be lost.
    if (vscode.workspace.isTrusted) this.become('starting');
    else this.become('untrusted', 'this workspace is not trusted');
    await this.end();
    if (generation !== this.generation || !vscode.workspace.isTrusted) return;
    const settings = vscode.workspace.getConfiguration('cloudops');
    try {
      const bundled = SERVER_SHA256 === '' ? '' : vscode.Uri.joinPath(this.extension, 'server', program).fsPath;
      const path = await find(settings.get('server.path', ''), bundled);
      const version = path === bundled ? 'bundled' : await fits(path);
      const library = await import('./connection');
      if (path === bundled) await intact(path, SERVER_SHA256);
      if (generation !== this.generation) return;
      this.output.info(`starting ${path} (${version})`);
      await this.launch(library, generation, path, ['lsp', ...settings.get<string[]>('server.args', [])]);
      if (generation !== this.generation) return;
      this.ready = Date.now();
      this.become('ready');
    } catch (e) {
      if (generation !== this.generation) return;
      this.output.error(words(e));
      if (e instanceof NoServer) this.become(e.missing ? 'missing' : 'failed', words(e));
      else await this.lost(generation, words(e));
    }
  }

  private async launch(
    { Connection, cards, ends, untraced }: typeof import('./connection'),
    generation: number,
    command: string,
    args: string[],
  ): Promise<void> {
    // Not the workspace's folder: nothing there has a say in what is started.
    const server = spawn(command, args, { cwd: homedir(), stdio: 'pipe', windowsHide: true });
    this.server = server;
    let why = '';
    createInterface(server.stderr).on('line', (line) => {
      why = /^cloudops: (.*)/.exec(line)?.[1] ?? why;
      this.log(line);
    });
    const ended = new Promise<never>((_, reject) => {
      server.once('error', (e) => reject(new Error(`the CloudOps server does not start: ${e.message}`)));
      server.once('close', (code, signal) =>
        reject(new Error(`the CloudOps server ended (${why || (signal ?? `exit code ${code}`)})`)),
      );
    });
    const client = new Connection(
      'cloudops',
      'CloudOps',
      async () => ({ reader: server.stdout, writer: server.stdin }),
      {
        documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
        outputChannel: this.output,
        traceOutputChannel: untraced,
        synchronize: { configurationSection: ['cloudops.hover', 'cloudops.codeActions', 'cloudops.readOnly'] },
        initializationOptions: { readOnly: narrowing().readOnly },
        middleware: {
          executeCommand: (command, args, next) => {
            const wanted = v.safeParse(Shown, args[0]);
            if (command === 'cloudops.estate.get' && wanted.success) return this.details(wanted.output.identifier);
            return next(command, args);
          },
          workspace: {
            // No more than the server takes, since it warns of the rest.
            configuration: (params) => params.items.map(() => narrowing()),
          },
        },
        progressOnInitialization: false,
        initializationFailedHandler: () => false,
        errorHandler: ends,
      },
    );
    client.registerFeature(cards);
    // The client keeps one handler a method.
    for (const method of new Set(this.notes.map((n) => n.method))) {
      client.onNotification(method, (params) => {
        for (const n of this.notes) if (n.method === method) n.handler(params);
      });
    }
    for (const { method, handler } of this.requests) client.onRequest(method, handler);
    this.client = client;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const said = `the CloudOps server did not answer in ${patience.start / 1000} s`;
      timer = setTimeout(() => reject(new Error(said)), patience.start);
    });
    try {
      await Promise.race([client.start(), ended, late]);
    } finally {
      clearTimeout(timer);
    }
    ended.catch((e) => this.lost(generation, words(e)));
  }

  /** A line of the server's log. */
  private log(line: string): void {
    const [, level, said] = /^time=\S+ level=(\w+) (.*)/.exec(line) ?? [];
    const text = visible(said ?? line);
    if (level === undefined || level === 'ERROR') this.output.error(text);
    else if (level === 'WARN') this.output.warn(text);
    else this.output.info(text);
  }

  /** The server is gone, or has to go: it is started again after a while. */
  private async lost(generation: number, why: string): Promise<void> {
    if (generation !== this.generation) return;
    await this.end();
    if (generation !== this.generation) return;
    // One that ran for a while did not end because of how it was started.
    const attempt = Date.now() - this.ready > steady && this.state === 'ready' ? 0 : this.attempt;
    const pause = pauses[Math.min(attempt, pauses.length - 1)] ?? 30;
    this.become('failed', `${why}. It is started again in ${pause} s.`);
    this.timer = setTimeout(() => {
      if (generation === this.generation) void this.start(attempt + 1);
    }, pause * 1000);
  }

  private async end(): Promise<void> {
    const { client, server } = this;
    this.client = this.server = undefined;
    try {
      await client?.dispose(patience.end);
    } catch {
      // It had ended already, or does not answer.
    }
    if (server?.exitCode === null && server.signalCode === null) server.kill('SIGKILL');
  }

  async dispose(): Promise<void> {
    this.generation++;
    clearTimeout(this.timer);
    await this.end();
    this.changed.dispose();
    this.output.dispose();
  }
}
