// CloudOps in VS Code. The server does the work; the extension shows it.
import * as vscode from 'vscode';
import { register } from './commands';
import { Ctx } from './ctx';
import { languages } from './terraform';

let ctx: Ctx | undefined;

export function activate(context: vscode.ExtensionContext): void {
  ctx = new Ctx(context);
  const { client } = ctx;
  context.subscriptions.push(
    ...register(ctx),
    languages(),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void client.start()),
    vscode.workspace.onDidChangeConfiguration((e) => {
      if (e.affectsConfiguration('cloudops.server')) void client.start();
    }),
  );
  // Activation does not wait for the server.
  void client.start();
}

export async function deactivate(): Promise<void> {
  await ctx?.client.dispose();
}
