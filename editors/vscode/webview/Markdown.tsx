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
  if (text.length <= longest) {
    return (
      <ReactMarkdown allowedElements={allowed} unwrapDisallowed skipHtml>
        {text}
      </ReactMarkdown>
    );
  }
  return (
    <>
      <pre className="long">{all ? text : text.slice(0, longest)}</pre>
      {!all && (
        <button type="button" className="link" onClick={() => setAll(true)}>
          Show all {Math.ceil(text.length / 1024)} KB
        </button>
      )}
    </>
  );
});
