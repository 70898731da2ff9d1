import * as vscode from 'vscode';
import { words } from '../client';
import type { Ctx } from '../ctx';
import { identifier } from '../estate';
import type { Listed } from '../protocol.gen';
import { ago, label, visible } from '../text';
import { phaseIcon } from '../views/resources';

interface Item extends vscode.QuickPickItem {
  resource?: Listed;
}

/** Looks for resources while the person types, and shows the one that is picked. */
export async function searchResources(ctx: Ctx): Promise<void> {
  const pick = vscode.window.createQuickPick<Item>();
  pick.placeholder = 'Name, id, ARN, address, type, tag, region or state';
  pick.matchOnDescription = pick.matchOnDetail = true;
  let latest = new vscode.CancellationTokenSource();
  const look = async (query: string) => {
    latest.cancel();
    latest = new vscode.CancellationTokenSource();
    const token = latest.token;
    pick.busy = true;
    try {
      const { resources, gaps } = await ctx.estate.search(query, {}, 100, token);
      if (token.isCancellationRequested) return;
      pick.items = resources.map(item);
      if (pick.items.length === 0) {
        const where =
          gaps.length > 0 ? `It may be where AWS was not listed: ${gaps.slice(0, 3).map(visible).join(', ')}` : '';
        pick.items = [{ label: 'Nothing was found', detail: where, alwaysShow: true }];
      }
    } catch (e) {
      if (!token.isCancellationRequested) pick.items = [{ label: words(e), alwaysShow: true }];
    } finally {
      if (!token.isCancellationRequested) pick.busy = false;
    }
  };
  pick.onDidChangeValue((value) => void look(value));
  pick.onDidAccept(() => {
    const chosen = pick.selectedItems[0]?.resource;
    pick.hide();
    if (chosen !== undefined) void ctx.details.open(identifier(chosen));
  });
  pick.onDidHide(() => {
    latest.cancel();
    pick.dispose();
  });
  pick.show();
  await look('');
}

function item(r: Listed): Item {
  return {
    label: label(r.name === '' ? r.identifier : r.name),
    description: label([r.resource_type, r.state, r.region].filter((s) => s !== '').join(' · ')),
    detail: label(
      `${r.identifier} in ${r.account_id}${r.last_synced === '' ? '' : `, read ${ago(new Date(r.last_synced), new Date())}`}`,
    ),
    iconPath: phaseIcon(r.phase),
    alwaysShow: true,
    resource: r,
  };
}
