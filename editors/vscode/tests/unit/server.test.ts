// @vitest-environment node
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { find, fits, intact, NoServer } from '../../src/server';

function program(folder: string, body: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'cloudops');
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const dir = () => mkdtempSync(join(tmpdir(), 'find-'));

describe('find', () => {
  test('prefers the setting, then the bundled one, then the PATH', async () => {
    const d = dir();
    const set = program(join(d, 'set'), '');
    const bundled = program(join(d, 'bundled'), '');
    const onPath = program(join(d, 'path'), '');
    const path = ['relative', join(d, 'path')].join(delimiter);
    expect(await find(set, bundled, path)).toBe(set);
    expect(await find('', bundled, path)).toBe(bundled);
    expect(await find('', '', path)).toBe(onPath);
  });

  test('never takes one on the PATH in the place of a bundled one that is gone', async () => {
    const d = dir();
    program(join(d, 'path'), '');
    expect(await find('', join(d, 'gone'), join(d, 'path'))).toBe(join(d, 'gone'));
  });

  test('never takes one relative to where the editor was started', async () => {
    await expect(find('', '', ['.', '', 'bin'].join(delimiter))).rejects.toThrow(NoServer);
    await expect(find('./cloudops', '', '')).rejects.toThrow('absolute');
  });

  test('a setting that names nothing does not fall back', async () => {
    const d = dir();
    program(join(d, 'path'), '');
    await expect(find(join(d, 'gone'), '', join(d, 'path'))).rejects.toThrow('there is no program');
  });
});

describe('the bundled program', () => {
  const packaged = () => {
    const path = program(dir(), 'exit 0');
    return { path, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
  };

  test('is started as it was packaged', async () => {
    const { path, sha256 } = packaged();
    await expect(intact(path, sha256)).resolves.toBeUndefined();
  });

  test.each<[string, (path: string) => void]>([
    ['altered', (path) => appendFileSync(path, ' ')],
    ['emptied', (path) => writeFileSync(path, '')],
    ['gone', (path) => rmSync(path)],
    [
      'a folder',
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ])('is refused when it is %s, with a way forward', async (_, harm) => {
    const { path, sha256 } = packaged();
    harm(path);
    const refusal = intact(path, sha256);
    await expect(refusal).rejects.toThrow(NoServer);
    await expect(refusal).rejects.toThrow('reinstall the extension, or set cloudops.server.path');
  });
});

describe('fits', () => {
  test.each([
    ['echo \'{"version":"1.2","protocol":1}\'', ''],
    ['echo \'{"version":"1.2","protocol":2}\'', 'update this extension'],
    ['echo \'{"version":"1.2","protocol":0}\'', 'update the program'],
    ['echo \'{"version":"1.2"}\'', 'too old'],
    ['echo hello', 'no cloudops program'],
    ['exit 3', 'does not run'],
    ['exec sleep 60', 'gave no answer in 0.5 s'],
  ])('%s', async (body, problem) => {
    const path = program(dir(), body);
    if (problem === '') expect(await fits(path)).toBe('1.2');
    else await expect(fits(path, body.includes('sleep') ? 500 : 15_000)).rejects.toThrow(problem);
  });
});
