import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { words } from '../client';
import type { Ctx } from '../ctx';
import { estateScan, profileList, type ScanResult } from '../protocol.gen';
import { notice, visible } from '../text';

/** Scans AWS, with its steps as native progress that can be cancelled, and tells what it brought. */
export async function scan(ctx: Ctx): Promise<void> {
  let r: ScanResult;
  try {
    r = await run(ctx);
  } catch (e) {
    if (e instanceof vscode.CancellationError) return;
    const ways = (await switchable(ctx)) ? [profile, again] : [again];
    return follow(await vscode.window.showErrorMessage(`CloudOps: ${words(e)}`, ...ways));
  }
  const said = `CloudOps: ${r.resources} resources, ${r.changed} new or changed, ${r.removed} gone.`;
  const [first] = r.problems;
  if (first === undefined) {
    void vscode.window.setStatusBarMessage(said, 10_000);
    return;
  }
  const gaps = r.problems.length === 1 ? 'One part' : `${r.problems.length} parts`;
  const why = notice(`${first.message}${first.hint === '' ? '' : ` — ${first.hint}`}`);
  await follow(await vscode.window.showWarningMessage(`${said} ${gaps} could not be read: ${why}`, problems, profile));
}

/** Whether there is a profile that could be switched to. */
async function switchable(ctx: Ctx): Promise<boolean> {
  try {
    const { profiles } = await ctx.client.request(profileList, {});
    return profiles.some((p) => !p.selected);
  } catch {
    return false; // the error that is told says enough
  }
}

/** Lists what the last scan could not read, and why. */
export async function scanProblems(ctx: Ctx): Promise<void> {
  await ctx.estate.refresh();
  const lines = ctx.estate.status?.problems.map(visible) ?? [];
  const text = lines.length === 0 ? 'The last scan could read everything.' : lines.map(wrapped).join('\n\n');
  await ctx.details.show('What the last scan could not read', 'problems', text);
}

/** Breaks a line between words, so that it can be read without scrolling. */
function wrapped(line: string): string {
  return line.replace(/(.{60,90}?) /g, '$1\n  ');
}

const problems = 'Show Problems';
const profile = 'Switch Profile';
const again = 'Try Again';
const commands: Record<string, string> = {
  [problems]: 'cloudops.scanProblems',
  [profile]: 'cloudops.switchProfile',
  [again]: 'cloudops.scan',
};

async function follow(choice: string | undefined): Promise<void> {
  const command = commands[choice ?? ''];
  if (command !== undefined) await vscode.commands.executeCommand(command);
}

function run(ctx: Ctx): Thenable<ScanResult> {
  const where = { location: vscode.ProgressLocation.Notification, title: 'CloudOps: scanning AWS', cancellable: true };
  return vscode.window.withProgress(where, async (progress, cancel) => {
    const token = randomBytes(12).toString('hex');
    let percent = 0;
    ctx.progress.set(token, (p) => {
      // The total grows while accounts are found, yet there is no step back.
      const now = Math.max(percent, p.total === 0 ? 0 : Math.floor((100 * p.done) / p.total));
      progress.report({ message: notice(p.message), increment: now - percent });
      percent = now;
    });
    try {
      return await ctx.client.request(estateScan, { token }, cancel);
    } finally {
      ctx.progress.delete(token);
      void ctx.estate.refresh();
    }
  });
}
