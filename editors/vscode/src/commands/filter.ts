import * as vscode from 'vscode';
import type { Ctx } from '../ctx';

export async function filter(ctx: Ctx): Promise<void> {
  const words = await vscode.window.showInputBox({
    title: 'Filter resources',
    prompt: 'Words of names, ids, types, tags, states or regions',
    value: ctx.resources.filtered,
  });
  if (words === undefined) return;
  await ctx.resources.filter(words.trim());
  await vscode.commands.executeCommand('cloudops.resources.focus');
}

export async function clearFilter(ctx: Ctx): Promise<void> {
  await ctx.resources.filter('');
}
