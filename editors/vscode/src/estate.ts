// What the extension knows of the estate: its state and the chosen profile,
// asked anew when the server says that something changed.
import * as vscode from 'vscode';
import { type Client, logged } from './client';
import {
  estateChanged,
  estateSearch,
  estateStatus,
  profileList,
  type ResourceRecord,
  type StatusResult,
} from './protocol.gen';

export interface Filter {
  account_id?: string;
  region?: string;
  resource_type?: string;
}

export class Estate implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  /** Fires when status or profile were read anew. */
  readonly onChange = this.changed.event;
  status: StatusResult | undefined;
  profile: { name: string; region: string } | undefined;
  private reading: Promise<void> | undefined;
  private again = false;

  constructor(private readonly client: Client) {
    client.onNote(estateChanged, () => void this.refresh());
    client.onState((state) => {
      if (state === 'ready') void this.refresh();
    });
  }

  /** Reads status and profile; calls while it does lead to one more read. */
  async refresh(): Promise<void> {
    if (this.reading !== undefined) {
      this.again = true;
      return this.reading;
    }
    this.reading = this.read();
    await this.reading;
    this.reading = undefined;
    if (this.again) {
      this.again = false;
      await this.refresh();
    }
  }

  private async read(): Promise<void> {
    if (this.client.state !== 'ready') return;
    try {
      this.status = await this.client.request(estateStatus, {});
      const { profiles } = await this.client.request(profileList, {});
      const selected = profiles.find((p) => p.selected);
      this.profile = selected && { name: selected.name, region: selected.region };
    } catch (e) {
      this.client.output.warn(`reading the estate: ${logged(e)}`);
    }
    await vscode.commands.executeCommand('setContext', 'cloudops.empty', (this.status?.resources ?? 0) === 0);
    this.changed.fire();
  }

  /** Looks for resources by words and filter. */
  async search(query: string, filter: Filter, limit: number, token?: vscode.CancellationToken) {
    return this.client.request(estateSearch, { query, ...filter, limit }, token);
  }

  dispose(): void {
    this.changed.dispose();
  }
}

/** The text that names a resource to the server. */
export function identifier(r: ResourceRecord): string {
  return r.arn === '' ? r.identifier : r.arn;
}
