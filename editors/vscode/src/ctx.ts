// Everything that lives as long as the extension, wired once.
import * as vscode from 'vscode';
import { Approvals } from './approvals';
import { ChatView } from './chat/view';
import { Client } from './client';
import { Details } from './details';
import { Estate } from './estate';
import { type ProgressNote, progress } from './protocol.gen';
import { StatusItem } from './status';
import { ExecutionsView } from './views/executions';
import { ResourcesView } from './views/resources';

export class Ctx {
  readonly client: Client;
  readonly estate: Estate;
  readonly approvals: Approvals;
  readonly details: Details;
  readonly chat: ChatView;
  readonly resources: ResourcesView;
  readonly executions: ExecutionsView;
  /** Who is told the steps of long work, by its token. */
  readonly progress = new Map<string, (p: ProgressNote) => void>();

  constructor(context: vscode.ExtensionContext) {
    this.client = new Client(context.extensionUri);
    this.estate = new Estate(this.client);
    this.approvals = new Approvals(this.client);
    this.details = new Details(this.client);
    this.client.details = (id) => this.details.open(id);
    this.chat = new ChatView(
      context.extensionUri,
      context.workspaceState,
      this.client,
      this.estate,
      this.approvals,
      (id) => this.details.open(id),
    );
    this.resources = new ResourcesView(this.client, this.estate);
    this.executions = new ExecutionsView(this.client);
    this.client.onNote(progress, (p) => this.progress.get(p.token)?.(p));
    const status = new StatusItem(this.client, this.estate);
    context.subscriptions.push(status, this.executions, this.resources, this.chat, this.details, this.estate);
    this.client.onState((state) => {
      void vscode.commands.executeCommand('setContext', 'cloudops.state', state);
    });
  }
}
