import * as v from 'valibot';
import type { Ctx } from '../ctx';
import { Execution } from '../protocol.gen';

/** Opens an execution of the view; arguments of commands can come from anywhere in VS Code. */
export async function executionShow(ctx: Ctx, arg: unknown): Promise<void> {
  await ctx.details.execution(v.parse(Execution, arg));
}
