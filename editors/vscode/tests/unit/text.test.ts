import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ago, lines, visible, visibleLines } from '../../src/text';

/** What the server shows of each hostile name, by the name as a Go string. */
const shownByServer = readFileSync('../../agent/render/testdata/terminal.golden', 'utf8')
  .split(/^-- "/m)
  .slice(1)
  .map((entry): [string, string] => {
    const end = entry.indexOf('" --\n');
    return [entry.slice(0, end), entry.slice(end + 5, -1)];
  })
  // Bytes that are no text don't come through JSON.
  .filter(([name]) => !/\\x[89a-f]/.test(name));

function unquote(text: string): string {
  const short: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07', f: '\f', v: '\v' };
  return text.replace(/\\(?:x(..)|u(....)|U(.{8})|(.))/g, (_, x, u, big, c: string) => {
    const code = x ?? u ?? big;
    return code === undefined ? (short[c] ?? c) : String.fromCodePoint(Number.parseInt(code, 16));
  });
}

describe('visible', () => {
  test('knows the hostile names of the server', () => expect(shownByServer.length).toBeGreaterThan(50));

  test.each(shownByServer)('hides and turns nothing, as the server: %s', (name, want) => {
    const shown = visible(unquote(name));
    expect(shown).toBe(want);
    expect(visible(shown)).toBe(shown);
  });

  test('keeps what people write', () => {
    for (const s of ['pg-instance-main1', 'Büro 東京 قاعدة', 'a "b" <c> & d', '👍🏽', 'é']) expect(visible(s)).toBe(s);
  });

  test('lines stay lines', () => {
    expect(visibleLines('a\r\n\tb\u202ec')).toBe('a\n    b\\u{202e}c');
  });
});

test('ages', () => {
  const now = new Date('2026-01-10T12:00:00Z');
  const at = (s: string) => ago(new Date(s), now);
  expect(at('2026-01-10T11:59:30Z')).toBe('just now');
  expect(at('2026-01-10T11:30:00Z')).toBe('30 min ago');
  expect(at('2026-01-09T12:00:00Z')).toBe('24 h ago');
  expect(at('2026-01-01T12:00:00Z')).toBe('9 days ago');
  expect(at('2026-01-10T13:00:00Z')).toBe('just now'); // clocks differ
});

test('lines are names and values, one a line, whatever stands in them', () => {
  const value = {
    id: 'i-1',
    none: '',
    tags: { 'a\nb': '\u202ex' },
    targets: [{ id: 'x', zone: 1 }],
    output: '{\n  "a": 1\n}\n',
  };
  expect(lines(value)).toEqual([
    'id: i-1',
    'tags:',
    '  a␤b: \\u{202e}x',
    'targets:',
    '  - id: x',
    '    zone: 1',
    'output: |',
    '  {',
    '    "a": 1',
    '  }',
  ]);
});
