// Builds the extension (Node) and the chat panel (a page), each one file. The
// extension knows the program in server/ by its hash, and starts no other one.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { build } from 'esbuild';

const programs = existsSync('server') ? readdirSync('server').map((name) => `server/${name}`) : [];
if (programs.length > 1) throw new Error(`one program can be packaged, not ${programs.join(', ')}`);
const hash = programs.map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'))[0] ?? '';

const shared = { bundle: true, minify: true, sourcemap: false, logLevel: 'warning', metafile: true };
const [extension, page] = await Promise.all([
  build({
    ...shared,
    entryPoints: ['src/extension.ts'],
    outfile: 'dist/extension.js',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    define: { SERVER_SHA256: JSON.stringify(hash) },
  }),
  build({
    ...shared,
    entryPoints: ['webview/main.tsx'],
    outfile: 'dist/panel.js',
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    loader: { '.css': 'css' },
    define: { 'process.env.NODE_ENV': '"production"' },
  }),
]);
/** What is in which file. */
export const outputs = { ...extension.metafile.outputs, ...page.metafile.outputs };
for (const [file, { bytes }] of Object.entries(outputs)) {
  console.log(`${file} ${(bytes / 1024).toFixed(0)} KB`);
}
