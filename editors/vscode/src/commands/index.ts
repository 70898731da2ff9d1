// The commands of the palette and menus, one file each.
import * as vscode from 'vscode';
import { words } from '../client';
import type { Ctx } from '../ctx';
import { approvals } from './approvals';
import { chatHistory, chatNew } from './chat';
import { chooseServer } from './chooseServer';
import { executionShow } from './execution';
import { clearFilter, filter } from './filter';
import { copyArn, copyId, openInConsole, resourceChat, resourceDetails, resourcePropose } from './resource';
import { scan, scanProblems } from './scan';
import { searchResources } from './searchResources';
import { refresh, restartServer, showOutput } from './server';
import { switchProfile } from './switchProfile';

export type Command = (ctx: Ctx, ...args: unknown[]) => Promise<unknown> | unknown;

const commands: Record<string, Command> = {
  'cloudops.restartServer': restartServer,
  'cloudops.chooseServer': chooseServer,
  'cloudops.showOutput': showOutput,
  'cloudops.refresh': refresh,
  'cloudops.scan': scan,
  'cloudops.scanProblems': scanProblems,
  'cloudops.searchResources': searchResources,
  'cloudops.filter': filter,
  'cloudops.clearFilter': clearFilter,
  'cloudops.switchProfile': switchProfile,
  'cloudops.chat.new': chatNew,
  'cloudops.chat.history': chatHistory,
  'cloudops.approvals': approvals,
  'cloudops.execution.show': executionShow,
  'cloudops.resource.details': resourceDetails,
  'cloudops.resource.chat': resourceChat,
  'cloudops.resource.propose': resourcePropose,
  'cloudops.copyId': copyId,
  'cloudops.copyArn': copyArn,
  'cloudops.openInConsole': openInConsole,
};

/** Registers all of them; what goes wrong in one is told. */
export function register(ctx: Ctx): vscode.Disposable[] {
  return Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(name, async (...args: unknown[]) => {
      try {
        await run(ctx, ...args);
      } catch (e) {
        if (!(e instanceof vscode.CancellationError)) void vscode.window.showErrorMessage(`CloudOps: ${words(e)}`);
      }
    }),
  );
}
