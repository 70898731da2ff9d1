// Whole resources as read-only documents, scheme cloudops-resource.
import * as v from 'valibot';
import * as vscode from 'vscode';
import { type Client, words } from './client';
import { list } from './protocol';
import { visible } from './text';

const scheme = 'cloudops-resource';

const Whole = v.object({ resources: list(v.record(v.string(), v.unknown())) });

/** Lines of YAML-like text: names, values, one a line. */
export function lines(value: unknown, indent = ''): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((x) => {
      const inner = lines(x, `${indent}  `);
      return inner.length === 0 ? [] : [`${indent}- ${(inner[0] ?? '').trimStart()}`, ...inner.slice(1)];
    });
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, x]) => {
      if (x === null || x === '' || (typeof x === 'object' && Object.keys(x).length === 0)) return [];
      if (typeof x === 'object') return [`${indent}${visible(name)}:`, ...lines(x, `${indent}  `)];
      return [`${indent}${visible(name)}: ${visible(String(x))}`];
    });
  }
  return [`${indent}${visible(String(value))}`];
}

export class Details implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly registration: vscode.Disposable;
  /** By the URI's query. */
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;

  constructor(private readonly client: Client) {
    this.registration = vscode.workspace.registerTextDocumentContentProvider(scheme, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.query) ?? 'Open the resource again from the CloudOps view.';
  }

  /** Opens every resource that the identifier names. */
  async open(identifier: string): Promise<void> {
    try {
      const { resources } = await this.client.request('cloudops/estate/get', { identifier }, Whole);
      const text = resources.map((r) => lines(r).join('\n')).join('\n\n');
      await this.show(visible(identifier.split(/[:/|]/).at(-1) ?? identifier), `resource ${identifier}`, text, 'yaml');
    } catch (e) {
      void vscode.window.showErrorMessage(`CloudOps: ${words(e)}`);
    }
  }

  /** Shows a text, in the place of an earlier one of this key. */
  async show(name: string, key: string, text: string, language = 'plaintext'): Promise<void> {
    this.texts.set(key, `${text}\n`);
    const uri = vscode.Uri.from({ scheme, path: `/${name}`, query: key });
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
