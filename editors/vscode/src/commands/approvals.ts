import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { executionPending } from '../protocol.gen';
import { label, notice } from '../text';

/** Lists the plans that wait, and puts the one that is picked before the person. */
export async function approvals(ctx: Ctx): Promise<void> {
  const { plans } = await ctx.client.request(executionPending, {});
  const items = plans.map((p) => ({ label: label(p.title), detail: label(p.line), plan: p }));
  const placeHolder = items.length === 0 ? 'Nothing waits for you' : 'Commands that wait for you';
  const picked = await vscode.window.showQuickPick(items, { placeHolder });
  if (picked === undefined) return;
  const x = await ctx.approvals.review(picked.plan.id, picked.plan.origin.conversation);
  const now = x.state_after === '' ? '' : `, now ${x.state_after}`;
  void vscode.window.showInformationMessage(`CloudOps: ${notice(`${x.status}: ${x.line}${now}`)}`);
}
