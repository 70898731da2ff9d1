// The one function that makes text of others fit to be shown as text: in a
// tree, a message, a page. It never becomes HTML or Markdown.

const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Variation_Selector}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const surplusMarks = /(\p{M}{4})\p{M}+/gu;

/** One line in which nothing is hidden, turned around or drawn over others. */
export function visible(text: string): string {
  return text
    .replace(hidden, (c) => {
      const n = c.codePointAt(0) ?? 0;
      if (c === '\n') return '␤';
      if (n < 0x20) return String.fromCodePoint(0x2400 + n);
      if (n === 0x7f) return '␡';
      return `\\u{${n.toString(16)}}`;
    })
    .replace(surplusMarks, '$1');
}

/** As visible, for text of several lines. */
export function visibleLines(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .split('\n')
    .map((line) => visible(line.replace(/\t/g, '    ')))
    .join('\n');
}

/** A length of time in its largest unit, as the server says it. */
export function ago(then: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - then.getTime()) / 1000));
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}
