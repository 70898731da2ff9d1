// What can be done with a resource of the view.
import * as v from 'valibot';
import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { estateGet, type Possibility } from '../protocol.gen';
import { label, visible } from '../text';
import { nodeIdentifier, type ResourceNode } from '../views/resources';

const Node = v.looseObject({
  kind: v.literal('resource'),
  resource: v.looseObject({ identifier: v.string(), arn: v.string() }),
});

/** Arguments of commands can come from anywhere in VS Code. */
function node(arg: unknown): ResourceNode {
  return v.parse(Node, arg) as unknown as ResourceNode;
}

export async function resourceDetails(ctx: Ctx, arg: unknown): Promise<void> {
  await ctx.details.open(nodeIdentifier(node(arg)));
}

/** Begins a message about it. */
export async function resourceChat(ctx: Ctx, arg: unknown): Promise<void> {
  await ctx.chat.draft(`${node(arg).resource.identifier} `);
}

/** Asks what to do of what the server says is possible; it asks before that runs. */
export async function resourcePropose(ctx: Ctx, arg: unknown): Promise<void> {
  const n = node(arg);
  const identifier = nodeIdentifier(n);
  const name = visible(n.resource.name === '' ? n.resource.identifier : n.resource.name);
  const { resources } = await ctx.client.request(estateGet, { identifier });
  const { account_id, region, resource_type } = n.resource;
  const actions =
    resources.find((r) => r.account_id === account_id && r.region === region && r.resource_type === resource_type)
      ?.actions ?? [];
  const impossible = actions.filter((p) => p.can === 'no');
  const items: Choice[] = [
    ...actions.filter((p) => p.can !== 'no').map(choice),
    ...(impossible.length > 0 ? [{ label: 'not now', kind: vscode.QuickPickItemKind.Separator }] : []),
    ...impossible.map(choice),
  ];
  if (items.length === 0) throw new Error(`CloudOps knows of no command for ${name}`);
  const picked = await vscode.window.showQuickPick(items, {
    placeHolder: `Propose a command for ${name}; nothing runs until you approve it`,
  });
  if (picked?.action === undefined) return;
  await vscode.commands.executeCommand('cloudops.execution.propose', { identifier, verb: picked.action.verb });
}

interface Choice extends vscode.QuickPickItem {
  action?: Possibility;
}

/** An action with why it can't be done, or may not be possible. */
function choice(action: Possibility): Choice {
  const why = [action.why, action.instead].filter((s) => s !== '').join('; ');
  return { label: label(action.title), iconPath: new vscode.ThemeIcon(action.icon), detail: label(why), action };
}

export async function copyId(_: Ctx, arg: unknown): Promise<void> {
  await vscode.env.clipboard.writeText(node(arg).resource.identifier);
}

export async function copyArn(_: Ctx, arg: unknown): Promise<void> {
  const { arn } = node(arg).resource;
  if (arn === '') throw new Error('AWS defines no ARN for it');
  await vscode.env.clipboard.writeText(arn);
}

/** Opens the console's page of an ARN; VS Code asks before it leaves. */
export async function openInConsole(_: Ctx, arg: unknown): Promise<void> {
  const { arn } = node(arg).resource;
  if (arn === '') throw new Error('AWS defines no ARN for it, which the console is asked for');
  const host = arn.startsWith('arn:aws-cn:')
    ? 'console.amazonaws.cn'
    : arn.startsWith('arn:aws-us-gov:')
      ? 'console.amazonaws-us-gov.com'
      : 'console.aws.amazon.com';
  await vscode.env.openExternal(vscode.Uri.parse(`https://${host}/go/view?arn=${encodeURIComponent(arn)}`, true));
}
