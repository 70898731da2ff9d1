/** What is in which file, as esbuild tells. */
export const outputs: Record<string, { bytes: number; inputs: Record<string, { bytesInOutput: number }> }>;
