import * as v from 'valibot';
import * as vscode from 'vscode';
import type { Ctx } from '../ctx';
import { list, text } from '../protocol';
import { visible } from '../text';

const Result = v.object({
  resources: v.number(),
  changed: v.number(),
  removed: v.number(),
  problems: list(v.object({ message: v.string(), hint: text })),
});

/** Scans AWS. The server shows the steps as native progress, which can be cancelled. */
export async function scan(ctx: Ctx): Promise<void> {
  const r = await ctx.client.request(
    'workspace/executeCommand',
    { command: 'cloudops.estate.scan', arguments: [] },
    Result,
  );
  const { problems } = r;
  const said = `CloudOps: ${r.resources} resources, ${r.changed} new or changed, ${r.removed} gone.`;
  if (problems.length === 0) {
    void vscode.window.setStatusBarMessage(said, 10_000);
    return;
  }
  for (const p of problems) ctx.client.output.warn(visible(`${p.message} ${p.hint}`));
}
