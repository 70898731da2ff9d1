import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { conversationList } from '../protocol.gen';
import { ago, label } from '../text';

export async function chatNew(ctx: Ctx): Promise<void> {
  await ctx.chat.open('');
  await ctx.chat.draft('');
}

/** Lists the conversations and opens the one that is picked. */
export async function chatHistory(ctx: Ctx): Promise<void> {
  const { conversations } = await ctx.client.request(conversationList, {});
  const items = conversations.map((c) => ({
    label: label(c.title === '' ? 'Untitled' : c.title),
    description: `${c.messages} messages, ${ago(new Date(c.updated_at), new Date())}`,
    id: c.id,
  }));
  const placeHolder = items.length === 0 ? 'There are no conversations yet' : 'Go on with a conversation';
  const picked = await vscode.window.showQuickPick(items, { placeHolder });
  if (picked === undefined) return;
  await ctx.chat.open(picked.id);
  await ctx.chat.draft('');
}
