import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ago, visible, visibleLines } from '../../src/text';

/** A line of the server's corpus: a Go string without its quotes. */
function unquote(line: string): string {
  const short: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07', f: '\f', v: '\v' };
  return line.replace(/\\(?:x(..)|u(....)|U(.{8})|(.))/g, (_, x, u, big, c: string) => {
    const code = x ?? u ?? big;
    return code === undefined ? (short[c] ?? c) : String.fromCodePoint(Number.parseInt(code, 16));
  });
}

describe('visible', () => {
  const lines = readFileSync('../../agent/render/testdata/hostile.txt', 'utf8').trimEnd().split('\n').slice(1);
  test.each(lines)('hides and turns nothing: %s', (line) => {
    const shown = visible(unquote(line));
    expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
    expect(shown).not.toMatch(/\p{M}{5}/u);
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
