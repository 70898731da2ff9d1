// How large the files of the extension are, and what makes them so: name, bytes,
// bytes as gzip, largest parts. The VSIX is named by the environment.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { outputs } from '../../esbuild.mjs';

const line = (name, text, parts) => console.log([name, text.length, gzipSync(text).length, parts].join('\t'));
for (const [file, { inputs }] of Object.entries(outputs)) {
  const parts = new Map();
  let all = 0;
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? 'our own';
    parts.set(name, (parts.get(name) ?? 0) + bytesInOutput);
    all += bytesInOutput;
  }
  const largest = [...parts].sort((a, b) => b[1] - a[1]).slice(0, 5);
  line(file, readFileSync(file), largest.map(([name, n]) => `${name} ${Math.round((100 * n) / all)} %`).join(', '));
}
const vsix = readFileSync(process.env.CLOUDOPS_VSIX);
line('cloudops.vsix', vsix, 'with the cloudops program');
