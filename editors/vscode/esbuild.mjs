// Builds the extension (Node) and the chat panel (a page), each one file.
import { build } from 'esbuild';

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
for (const { metafile } of [extension, page]) {
  for (const [file, { bytes }] of Object.entries(metafile.outputs)) {
    console.log(`${file} ${(bytes / 1024).toFixed(0)} KB`);
  }
}
