// What package.json and the sources promise, whoever changes them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, PackageManager } from '@vscode/vsce';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

describe('package.json', () => {
  test('lets a workspace set nothing that starts programs or concerns safety', () => {
    const scopes = Object.entries(manifest.contributes.configuration.properties).map(([name, p]) => [name, p.scope]);
    expect(Object.fromEntries(scopes)).toEqual({
      'cloudops.server.path': 'machine',
      'cloudops.server.args': 'machine',
      'cloudops.readOnly': 'machine',
      // These only show less.
      'cloudops.hover.enabled': 'machine-overridable',
      'cloudops.codeActions.enabled': 'machine-overridable',
    });
  });

  test('starts nothing in a workspace that is not trusted', () => {
    expect(manifest.capabilities).toMatchObject({
      untrustedWorkspaces: {
        supported: 'limited',
        restrictedConfigurations: ['cloudops.server.path', 'cloudops.server.args'],
      },
      virtualWorkspaces: false,
    });
    expect(manifest.activationEvents).toEqual(['onStartupFinished']);
  });

  test('gives models, tasks, links and other extensions no way in', () => {
    expect(Object.keys(manifest.contributes).sort()).toEqual([
      'commands',
      'configuration',
      'languages',
      'menus',
      'views',
      'viewsContainers',
      'viewsWelcome',
    ]);
    expect(manifest).not.toHaveProperty('api');
    expect(manifest).not.toHaveProperty('extensionDependencies');
  });
});

describe('the package', () => {
  const packed = listFiles({ packageManager: PackageManager.None });

  test('holds what is built, what it shows, and nothing else', async () => {
    const known = new RegExp(
      [
        'dist/(extension.js|panel.(js|css))',
        'media/(cloudops.svg|icon.png|readme/\\w+.png)',
        'server/cloudops(.exe)?',
        '(README|CHANGELOG).md|LICENSE|package.json',
      ]
        .map((pattern) => `^(${pattern})$`)
        .join('|'),
    );
    expect((await packed).filter((path) => !known.test(path))).toEqual([]);
    expect(await packed).toEqual(expect.arrayContaining(['package.json', 'README.md', 'CHANGELOG.md']));
  });

  test('holds the pictures of the README, each small', async () => {
    const named = [...readFileSync('README.md', 'utf8').matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map((m) => m[1] ?? '');
    expect(named.length).toBeGreaterThan(2);
    expect(await packed).toEqual(expect.arrayContaining(named));
    for (const path of named) expect(statSync(path).size, path).toBeLessThan(100_000);
  });
});

describe('the sources', () => {
  const sources = ['src', 'webview'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(folder, name)),
  );

  test.each([
    ['trust text to carry commands', /(?<!workspace\.)isTrusted|enableCommandUris(?!: false)|supportHtml/, []],
    ['make HTML of text', /innerHTML|outerHTML|insertAdjacentHTML|document\.write|InnerHTML|rehype|srcdoc/, []],
    ['make code of text', /\beval\(|new Function\b/, []],
    ['take links from outside', /registerUriHandler|registerTool\b|createChatParticipant|registerTaskProvider/, []],
    ['reach the network', /\bfetch\(|XMLHttpRequest|WebSocket|node:(https?|net|tls|dgram)\b/, []],
    ['start programs', /child_process|createTerminal|ShellExecution|\bspawn\(/, ['src/client.ts', 'src/server.ts']],
  ])('never %s', (_, pattern, except: string[]) => {
    const found = sources.filter((path) => pattern.test(readFileSync(path, 'utf8'))).sort();
    expect(sources.length).toBeGreaterThan(20);
    expect(found).toEqual(except);
  });
});
