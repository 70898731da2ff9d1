import * as vscode from 'vscode';
import type { Ctx } from '../ctx';

export async function filter(ctx: Ctx): Promise<void> {
  const words = await vscode.window.showInputBox({
    title: 'Filter resources',
    prompt: 'Words of names, ids, types, tags, states or regions',
    value: ctx.resources.filtered,
  });
  if (words !== undefined) await ctx.resources.filter(words.trim());
}

export async function clearFilter(ctx: Ctx): Promise<void> {
  await ctx.resources.filter('');
}
