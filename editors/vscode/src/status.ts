// The item in the status bar: profile, region, and how old the estate is.
import * as vscode from 'vscode';
import type { Client } from './client';
import type { Estate } from './estate';
import { ago, label, visible } from './text';

/** How much of a profile's name fits beside the other items. */
const longest = 40;

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('cloudops', vscode.StatusBarAlignment.Left, 10);
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly client: Client,
    private readonly estate: Estate,
  ) {
    this.item.name = 'CloudOps';
    client.onState(() => this.show());
    estate.onChange(() => this.show());
    this.timer = setInterval(() => this.show(), 60_000);
    this.show();
    this.item.show();
  }

  private show(): void {
    this.item.backgroundColor = undefined;
    switch (this.client.state) {
      case 'untrusted':
        this.set('$(shield) CloudOps', 'CloudOps starts once you trust this workspace.', 'workbench.trust.manage');
        return;
      case 'starting':
        this.set('$(loading~spin) CloudOps', 'The CloudOps server is starting.', 'cloudops.showOutput');
        return;
      case 'missing':
        this.set('$(warning) CloudOps: not installed', this.client.problem, 'cloudops.chooseServer');
        this.fault();
        return;
      case 'failed':
        this.set('$(warning) CloudOps: stopped', this.client.problem, 'cloudops.restartServer');
        this.fault();
        return;
      case 'ready':
        this.ready();
    }
  }

  private ready(): void {
    const { status, profile } = this.estate;
    const where = [profile?.name, profile?.region].filter((s) => s).join(' · ');
    const name = where === '' ? 'CloudOps' : label(where.length > longest ? `${where.slice(0, longest)}…` : where);
    if (status === undefined) {
      this.set(`$(cloud) ${name}`, 'CloudOps', 'cloudops.switchProfile');
      return;
    }
    const ages = status.shards.filter((s) => s.state === 'complete').map((s) => new Date(s.at).getTime());
    const age = ages.length === 0 ? 'never scanned' : ago(new Date(Math.min(...ages)), new Date());
    const gaps = status.shards.filter((s) => s.state === 'denied' || s.state === 'failed').length;
    const lines = [
      `${status.resources} resources, ${age === 'never scanned' ? age : `the oldest part was read ${age}`}.`,
      ...(gaps > 0 ? [`${gaps} parts could not be read: see the Resources view.`] : []),
      ...status.problems.map(visible),
      ...(where.length > longest ? [visible(where)] : []),
      'Click to switch the profile.',
    ];
    this.set(
      `$(${status.scanning ? 'sync~spin' : 'cloud'}) ${name} · ${age}`,
      lines.join('\n'),
      'cloudops.switchProfile',
    );
  }

  private set(text: string, tooltip: string, command: string): void {
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.command = command;
    this.item.accessibilityInformation = { label: `${text.replace(/^\$\([^)]*\)\s*/, '')}. ${tooltip}` };
  }

  private fault(): void {
    this.item.backgroundColor = new vscode.ThemeColor('statusBarItem.warningBackground');
  }

  dispose(): void {
    clearInterval(this.timer);
    this.item.dispose();
  }
}
