// @vitest-environment node
// What the extension is made of: by name, from one place, and none of it runs anything when it is installed.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { outputs } from '../../esbuild.mjs';
import manifest from '../../package.json' with { type: 'json' };
import lock from '../../package-lock.json' with { type: 'json' };

interface Locked {
  version: string;
  /** Where it comes from, if not from the registry. */
  resolved?: string;
  link?: boolean;
  integrity: string;
  dev?: boolean;
  hasInstallScript?: boolean;
}
const locked = Object.entries(lock.packages as unknown as Record<string, Locked>).filter(([path]) => path !== '');

/** The folders of the packages in the bundles, such as node_modules/react. */
const bundled = [
  ...new Set(
    Object.values(outputs)
      .flatMap((file) => Object.keys(file.inputs))
      .map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? ''),
  ),
]
  .filter((folder) => folder !== '')
  .sort();

describe('what is installed', () => {
  test('is of the registry, at one version, and known by its hash', () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(locked.length).toBeGreaterThan(100);
    for (const [path, { resolved, link, integrity }] of locked) {
      expect([resolved, link], path).toEqual([undefined, undefined]);
      expect(integrity, path).toMatch(/^sha512-[\w+/]{86}==$/);
    }
    const direct = { ...manifest.dependencies, ...manifest.devDependencies };
    expect(Object.values(direct).filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('runs nothing while it is installed', () => {
    expect(readFileSync('.npmrc', 'utf8')).toBe('ignore-scripts=true\n');
    // Looked at: one checks for its program, the other fetches one that is not needed.
    expect(locked.filter(([, p]) => p.hasInstallScript).map(([path]) => path)).toEqual([
      'node_modules/@vscode/vsce-sign',
      'node_modules/esbuild',
    ]);
  });
});

describe('what is shipped', () => {
  test('is what an audit of dependencies looks at', () => {
    const dev = new Set(locked.filter(([, p]) => p.dev).map(([path]) => path));
    expect(bundled.length).toBeGreaterThan(30);
    expect(bundled.filter((folder) => dev.has(folder))).toEqual([]);
  });

  // `npx vitest run supply -u` writes the list anew.
  test('is listed with its licence', async () => {
    const rows = bundled.map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
      // What may be in a program under the Apache License 2.0; another has to be looked at by a person first.
      expect(['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'], name).toContain(
        license,
      );
      return `| ${name} | ${version} | ${license} |\n`;
    });
    const list = `# Licences

What is in the VS Code extension besides the program that it starts, whose parts docs/licences.md lists. \`npx vitest run supply -u\` in editors/vscode writes this list.

| package | version | licence |
|---|---|---|
${rows.join('')}`;
    await expect(list).toMatchFileSnapshot('../../../../docs/licences-vscode.md');
  });
});
