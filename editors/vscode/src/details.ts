// Whole resources and executions as read-only documents, scheme cloudops.
import * as v from 'valibot';
import * as vscode from 'vscode';
import { type Client, words } from './client';
import { type Execution, estateGet } from './protocol.gen';
import { lines, visible } from './text';

const scheme = 'cloudops';

// All that the server says of a resource, in its order.
const whole = { ...estateGet, result: v.object({ resources: v.array(v.record(v.string(), v.unknown())) }) };

export class Details implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registration: vscode.Disposable;
  /** By the URI's query. */
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;

  constructor(private readonly client: Client) {
    this.registration = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(scheme, this),
      vscode.workspace.onDidCloseTextDocument((d) => {
        if (d.uri.scheme === scheme) this.texts.delete(d.uri.query);
      }),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.query) ?? '# Open it again from the CloudOps view.';
  }

  /** Opens every resource that the identifier names. */
  async open(identifier: string): Promise<void> {
    try {
      const { resources } = await this.client.request(whole, { identifier });
      const text = resources.map((r) => lines(r).join('\n')).join('\n\n');
      await this.show(identifier.split(/[:/|]/).at(-1) ?? identifier, `resource ${identifier}`, text, 'yaml');
    } catch (e) {
      void vscode.window.showErrorMessage(`CloudOps: ${words(e)}`);
    }
  }

  /** Opens all that is known of an execution, what became of it first. */
  async execution(x: Execution): Promise<void> {
    const { line, status, state_before, state_after, error, decision, output, ...rest } = x;
    const text = lines({ line, status, state_before, state_after, error, decision, output, ...rest }).join('\n');
    await this.show(line.split(' ').slice(1, 3).join(' '), `execution ${x.id}`, text, 'yaml');
  }

  /** Shows a text, in the place of an earlier one of this key. */
  async show(name: string, key: string, text: string, language = 'plaintext'): Promise<void> {
    this.texts.set(key, `${text}\n`);
    const uri = vscode.Uri.from({ scheme, path: `/${visible(name)}`, query: key });
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, language);
    await vscode.window.showTextDocument(document, { preview: true, preserveFocus: false });
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
