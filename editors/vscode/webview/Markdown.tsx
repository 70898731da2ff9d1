// Markdown of the server's. HTML, links and pictures in it are never drawn as such.
import { memo, useState } from 'react';
import ReactMarkdown from 'react-markdown';

const allowed = [
  ...['p', 'strong', 'em', 'code', 'pre', 'ul', 'ol', 'li', 'blockquote', 'h1', 'h2', 'h3', 'h4', 'br', 'hr'],
];

/** Longer texts are shown as they are written, and in parts. */
const longest = 60_000;

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  // biome-ignore-start lint/suspicious/noArrayIndexKey: a text only grows at its end
  if (text.length <= longest) return blocks(text).map((x, i) => <Block key={i} text={x} />);
  return (
    <>
      <pre className="long">
        {parts(all ? text : text.slice(0, longest)).map((x, i) => (
          <span key={i}>{x}</span>
        ))}
      </pre>
      {!all && (
        <button type="button" className="link" onClick={() => setAll(true)}>
          Show all {Math.ceil(text.length / 1024)} KB
        </button>
      )}
    </>
  );
  // biome-ignore-end lint/suspicious/noArrayIndexKey: a text only grows at its end
});

/** One that stays as it was is not read again while the text grows behind it. */
const Block = memo(function Block({ text }: { text: string }) {
  return (
    <ReactMarkdown allowedElements={allowed} unwrapDisallowed skipHtml>
      {text}
    </ReactMarkdown>
  );
});

/** Markdown cut where a paragraph, heading or code begins after a blank line, outside of code and lists. */
export function blocks(text: string): string[] {
  const out: string[] = [];
  let block = '';
  let fence = '';
  let blank = false;
  for (const line of text.split(/(?<=\n)/)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1] ?? '';
    if (fence === '' && blank && /^(?!\s|[-+*] |\d+[.)] )/.test(line)) {
      out.push(block);
      block = '';
    }
    if (fence === '') fence = mark;
    else if (mark.startsWith(fence) && line.trim() === mark) fence = '';
    block += line;
    blank = line.trim() === '';
  }
  return block === '' ? out : [...out, block];
}

/** Text cut at ends of lines, into parts that are quickly laid out. */
function parts(text: string): string[] {
  return text.match(/.{1,4000}(?:\n|$)|.{4000}/gsu) ?? [];
}
