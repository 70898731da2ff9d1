import * as v from 'valibot';
import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { Profiles } from '../protocol';
import { label } from '../text';

/** Asks for a profile, for this window. */
export async function switchProfile(ctx: Ctx): Promise<void> {
  const { profiles } = await ctx.client.request('cloudops/profile/list', {}, Profiles);
  const items = profiles.map((p) => ({
    label: `${p.selected ? '$(check) ' : ''}${label(p.name)}`,
    description: label([p.region, p.kind, p.mfa ? 'needs MFA' : '', p.account_id].filter((s) => s !== '').join(' · ')),
    name: p.name,
  }));
  const placeHolder =
    items.length === 0 ? 'No profiles: set one up with `aws configure`' : 'The AWS profile of this window';
  const picked = await vscode.window.showQuickPick(items, { placeHolder });
  if (picked === undefined) return;
  await ctx.client.request('cloudops/profile/select', { name: picked.name }, v.unknown());
  await ctx.estate.refresh();
}
