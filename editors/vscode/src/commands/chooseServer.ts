import * as vscode from 'vscode';
import type { Ctx } from '../ctx';

/** Asks for the cloudops program and remembers it for this machine. */
export async function chooseServer(ctx: Ctx): Promise<void> {
  const picked = await vscode.window.showOpenDialog({
    title: 'The cloudops program',
    canSelectMany: false,
    openLabel: 'Use',
  });
  const path = picked?.[0]?.fsPath;
  if (path === undefined) return;
  await vscode.workspace.getConfiguration('cloudops').update('server.path', path, vscode.ConfigurationTarget.Global);
  await ctx.client.start();
}
