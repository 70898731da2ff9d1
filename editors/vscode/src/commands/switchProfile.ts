import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { profileList, profileSelect } from '../protocol.gen';
import { label } from '../text';

const scan = 'Scan AWS';

/** Asks for a profile, for this window; says how to set one up where there is none. */
export async function switchProfile(ctx: Ctx): Promise<void> {
  const { profiles } = await ctx.client.request(profileList, {});
  if (profiles.length === 0) {
    const said =
      'CloudOps: your AWS files have no profile. Set one up with `aws configure` or `aws configure sso`, then scan.';
    if ((await vscode.window.showInformationMessage(said, scan)) === scan) {
      await vscode.commands.executeCommand('cloudops.scan');
    }
    return;
  }
  const items = profiles.map((p) => ({
    label: `${p.selected ? '$(check) ' : ''}${label(p.name)}`,
    description: label([p.region, p.kind, p.mfa ? 'needs MFA' : '', p.account_id].filter((s) => s !== '').join(' · ')),
    name: p.name,
  }));
  const picked = await vscode.window.showQuickPick(items, { placeHolder: 'The AWS profile of this window' });
  if (picked === undefined) return;
  await ctx.client.request(profileSelect, { name: picked.name });
  await ctx.estate.refresh();
}
