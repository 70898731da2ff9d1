// The Resources view: account, region, type, resource.
import * as vscode from 'vscode';
import { type Client, words } from '../client';
import { type Estate, type Filter, identifier } from '../estate';
import type { Listed, ShardState } from '../protocol.gen';
import { ago, visible } from '../text';

/** How many resources of one type and region are listed. */
const most = 500;

interface Group {
  kind: 'group';
  level: 'account' | 'region' | 'type';
  label: string;
  filter: Filter;
  shards: ShardState[];
}
export interface ResourceNode {
  kind: 'resource';
  resource: Listed;
}
interface Message {
  kind: 'message';
  text: string;
  command?: string;
  gap?: boolean;
}
type Node = Group | ResourceNode | Message;

export class ResourcesView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Node | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly tree: vscode.TreeView<Node>;
  private query = '';

  constructor(
    private readonly client: Client,
    private readonly estate: Estate,
  ) {
    this.tree = vscode.window.createTreeView('cloudops.resources', { treeDataProvider: this, showCollapseAll: true });
    estate.onChange(() => this.changed.fire(undefined));
    client.onState(() => this.changed.fire(undefined));
  }

  /** Lists only what these words find; "" lists all. */
  async filter(query: string): Promise<void> {
    this.query = query;
    this.tree.description = query === '' ? '' : `“${visible(query)}”`;
    await vscode.commands.executeCommand('setContext', 'cloudops.filtered', query !== '');
    this.changed.fire(undefined);
  }

  get filtered(): string {
    return this.query;
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (this.client.state !== 'ready') return [];
    try {
      if (node === undefined) return this.query === '' ? this.roots() : await this.found();
      return node.kind === 'group' ? await this.inside(node) : [];
    } catch (e) {
      return [{ kind: 'message', text: words(e) }];
    }
  }

  private roots(): Node[] {
    const status = this.estate.status;
    if (status === undefined) return [];
    const nodes: Node[] = groups(status.shards, 'account', (s) => s.account_id, {});
    const n = status.problems.length;
    if (n === 0) return nodes;
    const text = n === 1 ? visible(status.problems[0] ?? '') : `${n} problems in the last scan`;
    return [{ kind: 'message', text, command: 'cloudops.scanProblems', gap: true }, ...nodes];
  }

  private async found(): Promise<Node[]> {
    const { resources, total } = await this.estate.search(this.query, {}, most);
    return this.list(resources, total);
  }

  private async inside(g: Group): Promise<Node[]> {
    switch (g.level) {
      case 'account':
        return groups(g.shards, 'region', (s) => s.region, g.filter);
      case 'region':
        return groups(g.shards, 'type', (s) => s.resource_type, g.filter);
      case 'type': {
        const shard = g.shards[0];
        const { resources, total } = await this.estate.search('', g.filter, most);
        const nodes = this.list(resources, total);
        if (shard && (shard.state === 'denied' || shard.state === 'failed')) {
          nodes.push({ kind: 'message', text: `${shard.state}: ${visible(shard.problem)}`, gap: true });
        }
        return nodes;
      }
    }
  }

  private list(resources: Listed[], total: number): Node[] {
    const nodes: Node[] = resources.map((resource) => ({ kind: 'resource', resource }));
    if (total > resources.length) {
      nodes.push({
        kind: 'message',
        text: `${total - resources.length} more: filter to see them`,
        command: 'cloudops.filter',
      });
    }
    return nodes;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'message': {
        const item = new vscode.TreeItem(node.text);
        item.iconPath = node.gap ? gapIcon : new vscode.ThemeIcon('info');
        item.tooltip = node.text;
        if (node.command !== undefined) item.command = { command: node.command, title: node.text };
        return item;
      }
      case 'group':
        return this.groupItem(node);
      case 'resource':
        return resourceItem(node.resource);
    }
  }

  private groupItem(g: Group): vscode.TreeItem {
    const item = new vscode.TreeItem(visible(g.label), vscode.TreeItemCollapsibleState.Collapsed);
    item.id = `${g.filter.account_id}/${g.filter.region ?? ''}/${g.filter.resource_type ?? ''}`;
    const count = g.shards.reduce((n, s) => n + s.count, 0);
    const gaps = g.shards.filter((s) => s.state === 'denied' || s.state === 'failed');
    item.description = gaps.length === 0 ? `${count}` : `${count}, not all could be read`;
    item.iconPath =
      gaps.length > 0
        ? gapIcon
        : new vscode.ThemeIcon({ account: 'account', region: 'globe', type: 'symbol-class' }[g.level]);
    item.tooltip =
      gaps.map((s) => visible(`${s.region} ${s.resource_type}: ${s.state}. ${s.problem}`)).join('\n') ||
      `${count} resources`;
    return item;
  }

  dispose(): void {
    this.tree.dispose();
    this.changed.dispose();
  }
}

/** Groups shards that hold something, or could not be read, by a key. */
function groups(shards: ShardState[], level: Group['level'], by: (s: ShardState) => string, filter: Filter): Group[] {
  const of = new Map<string, ShardState[]>();
  for (const s of shards) {
    if (s.count > 0 || s.state === 'denied' || s.state === 'failed') {
      of.set(by(s), [...(of.get(by(s)) ?? []), s]);
    }
  }
  const field = { account: 'account_id', region: 'region', type: 'resource_type' }[level];
  return [...of.entries()]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, inside]) => ({
      kind: 'group',
      level,
      label: key === '' ? 'global' : key,
      filter: { ...filter, [field]: key },
      shards: inside,
    }));
}

const gapIcon = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));

// The shapes say it too, for those who don't see colours.
const icons: Record<string, [icon: string, color: string]> = {
  up: ['pass', 'testing.iconPassed'],
  down: ['debug-stop', 'disabledForeground'],
  gone: ['debug-stop', 'disabledForeground'],
  moving: ['sync', 'charts.yellow'],
  broken: ['error', 'list.errorForeground'],
};

/** The icon of what a resource's state means. */
export function phaseIcon(phase: string): vscode.ThemeIcon {
  const [icon, color] = icons[phase] ?? ['circle-outline'];
  return new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
}

function resourceItem(r: Listed): vscode.TreeItem {
  const item = new vscode.TreeItem(visible(r.name === '' ? r.identifier : r.name));
  const facts = [r.name !== '' && r.name !== r.identifier ? r.identifier : '', r.state, r.summary].filter(
    (s) => s !== '',
  );
  item.description = visible(facts.join(' · '));
  item.iconPath = phaseIcon(r.phase);
  item.contextValue = 'resource';
  item.tooltip = [
    `${r.resource_type} ${r.identifier}`,
    ...(r.arn === '' ? [] : [r.arn]),
    `account ${r.account_id}, ${r.region}`,
    ...(r.state === '' ? [] : [`state ${r.state}`]),
    ...(r.last_synced === '' ? [] : [`read ${ago(new Date(r.last_synced), new Date())}`]),
  ]
    .map(visible)
    .join('\n');
  item.accessibilityInformation = {
    label: visible(`${r.resource_type} ${r.name} ${r.identifier}, ${r.state || 'state unknown'}`),
  };
  item.command = {
    command: 'cloudops.resource.details',
    title: 'Show Details',
    arguments: [{ kind: 'resource', resource: r } satisfies ResourceNode],
  };
  return item;
}

/** The ARN, else the id, of a node of the view. */
export function nodeIdentifier(node: ResourceNode): string {
  return identifier(node.resource);
}
