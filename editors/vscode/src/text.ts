// The one function that makes text of others fit to be shown as text: in a
// tree, a message, a page. It never becomes HTML or Markdown.

const hidden = /[\p{C}\p{Z}\p{Variation_Selector}\p{Default_Ignorable_Code_Point}\u2800]/u;
const mark = /\p{M}/u;
/** How many combining marks a character may bear; more would be drawn over other lines. */
const mostMarks = 4;

/** One line in which nothing is hidden, turned around or drawn over others, as the server shows it. */
export function visible(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  let shown = '';
  let marks = mostMarks; // one at the start would land on what stands before
  for (const c of text) {
    const marked = mark.test(c);
    shown += (c !== ' ' && hidden.test(c)) || (marked && marks === mostMarks) ? sign(c) : c;
    marks = marked ? Math.min(marks + 1, mostMarks) : 0;
  }
  return shown;
}

/** What stands for a character that nobody would see. */
function sign(c: string): string {
  const n = c.codePointAt(0) ?? 0;
  if (c === '\n') return '␤';
  if (n < 0x20) return String.fromCodePoint(0x2400 + n);
  if (n === 0x7f) return '␡';
  return `\\u{${n.toString(16)}}`;
}

/** As visible, for labels in which VS Code draws icons: $(pass) stays text. */
export function label(text: string): string {
  return visible(text).replace(/\$\([a-z0-9-]+(~[a-z]+)?\)/gi, '\\$&');
}

/** As visible, for notifications, in which VS Code makes links of [text](target). */
export function notice(text: string): string {
  return visible(text).replaceAll('](', '] (');
}

/** As visible, for text of several lines. */
export function visibleLines(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .split('\n')
    .map((line) => visible(line.replace(/\t/g, '    ')))
    .join('\n');
}

/** Lines of YAML-like text: names, values, one a line. */
export function lines(value: unknown, indent = ''): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((x) => {
      const inner = lines(x, `${indent}  `);
      return inner.length === 0 ? [] : [`${indent}- ${(inner[0] ?? '').trimStart()}`, ...inner.slice(1)];
    });
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, x]) => {
      if (x === null || x === undefined || x === '' || (typeof x === 'object' && Object.keys(x).length === 0))
        return [];
      if (typeof x === 'string' && x.trimEnd().includes('\n')) {
        const text = visibleLines(x.trimEnd()).split('\n');
        return [`${indent}${visible(name)}: |`, ...text.map((line) => `${indent}  ${line}`)];
      }
      if (typeof x === 'object') return [`${indent}${visible(name)}:`, ...lines(x, `${indent}  `)];
      return [`${indent}${visible(name)}: ${visible(String(x))}`];
    });
  }
  return [`${indent}${visible(String(value))}`];
}

/** A length of time in its largest unit, as the server says it. */
export function ago(then: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - then.getTime()) / 1000));
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}
