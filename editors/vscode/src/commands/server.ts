import type { Ctx } from '../ctx';

export async function restartServer(ctx: Ctx): Promise<void> {
  await ctx.client.start();
}

export function showOutput(ctx: Ctx): void {
  ctx.client.output.show(true);
}

export async function refresh(ctx: Ctx): Promise<void> {
  ctx.executions.refresh();
  await ctx.estate.refresh();
}
