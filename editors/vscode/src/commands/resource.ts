// What can be done with a resource of the view.
import * as v from 'valibot';
import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { visible } from '../text';
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

const verbs = [
  { verb: 'start', label: '$(play) Start' },
  { verb: 'stop', label: '$(debug-stop) Stop' },
  { verb: 'reboot', label: '$(debug-restart) Reboot' },
  { verb: 'describe', label: '$(info) Describe' },
];

/** Asks what to do; the server says whether that is possible, and asks before it runs. */
export async function resourcePropose(_: Ctx, arg: unknown): Promise<void> {
  const n = node(arg);
  const name = visible(n.resource.name === '' ? n.resource.identifier : n.resource.name);
  const picked = await vscode.window.showQuickPick(verbs, {
    placeHolder: `Propose a command for ${name}; nothing runs until you approve it`,
  });
  if (picked === undefined) return;
  await vscode.commands.executeCommand('cloudops.execution.propose', {
    identifier: nodeIdentifier(n),
    verb: picked.verb,
  });
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
