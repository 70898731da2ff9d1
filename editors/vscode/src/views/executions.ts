// The Executions view: what was proposed, decided and run, the newest first.
import * as vscode from 'vscode';
import { type Client, words } from '../client';
import { type Execution, executionChanged, executionList } from '../protocol.gen';
import { ago, visible } from '../text';

const most = 200;

const icons: Record<string, [icon: string, colour?: string]> = {
  planned: ['question'],
  running: ['loading~spin'],
  succeeded: ['pass', 'testing.iconPassed'],
  failed: ['error', 'testing.iconFailed'],
  unknown: ['warning', 'list.warningForeground'],
  rejected: ['circle-slash'],
  expired: ['clock'],
  void: ['discard'],
};

type Node = { execution: Execution } | { detail: string } | { problem: string };

export class ExecutionsView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly tree: vscode.TreeView<Node>;

  constructor(private readonly client: Client) {
    this.tree = vscode.window.createTreeView('cloudops.executions', { treeDataProvider: this });
    client.onNote(executionChanged, () => this.refresh());
    client.onState(() => this.refresh());
  }

  refresh(): void {
    this.changed.fire(undefined);
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node !== undefined) return 'execution' in node ? details(node.execution) : [];
    if (this.client.state !== 'ready') return [];
    try {
      const { executions } = await this.client.request(executionList, { limit: most });
      return executions.map((execution) => ({ execution }));
    } catch (e) {
      return [{ problem: words(e) }];
    }
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if ('problem' in node) {
      const item = new vscode.TreeItem(node.problem);
      item.iconPath = new vscode.ThemeIcon('warning');
      return item;
    }
    if ('detail' in node) {
      const item = new vscode.TreeItem(node.detail);
      item.tooltip = node.detail;
      return item;
    }
    const x = node.execution;
    const target = x.targets.map((t) => t.name || t.identifier).join(', ');
    const operation = x.line.split(' ').slice(1, 3).join(' ');
    const item = new vscode.TreeItem(visible(`${operation} ${target}`), vscode.TreeItemCollapsibleState.Collapsed);
    item.id = x.id;
    const at = x.finished_at || x.started_at || x.planned_at;
    item.description = `${x.status}${at === '' ? '' : `, ${ago(new Date(at), new Date())}`}`;
    const [icon, colour] = icons[x.status] ?? ['circle-outline'];
    item.iconPath = new vscode.ThemeIcon(icon, colour === undefined ? undefined : new vscode.ThemeColor(colour));
    item.tooltip = visible(x.line);
    item.contextValue = 'execution';
    item.accessibilityInformation = { label: visible(`${operation} ${target}, ${x.status}`) };
    item.command = { command: 'cloudops.execution.show', title: 'Show All of It', arguments: [x] };
    return item;
  }

  dispose(): void {
    this.tree.dispose();
    this.changed.dispose();
  }
}

function details(x: Execution): Node[] {
  const change = x.state_after === '' ? '' : `${x.state_before} → ${x.state_after}`;
  return [x.line, x.decision, change, x.error, x.started_at === '' ? '' : `started ${x.started_at}`]
    .filter((s) => s !== '')
    .map((s) => ({ detail: visible(s) }));
}
