// Whether a person can have read something: it stood still in view, in whole or
// part by part, for as long as reading takes.
import { type RefObject, useEffect, useRef, useState } from 'react';

/** How long something stands still in view until it counts as read, in milliseconds. */
export const reading = 800;

/** A part of an element's height, each end from 0 to 1. */
type Part = [from: number, to: number];

/** Fine enough for a command that is a hundred times as tall as the panel. */
const steps = Array.from({ length: 201 }, (_, i) => i / 200);

/** The part of it that is in view; undefined for none, or where it is cut off at a side. */
function inView({ isIntersecting, intersectionRect: seen, boundingClientRect: whole }: IntersectionObserverEntry) {
  if (!isIntersecting || seen.width < whole.width - 1) return undefined;
  if (whole.height === 0) return [0, 1] satisfies Part;
  return [(seen.top - whole.top) / whole.height, (seen.bottom - whole.top) / whole.height] satisfies Part;
}

/** What a pixel is rounded to may be. */
const slack = 0.01;

/** How far an element was read from its beginning, without a gap. */
export function readUntil(parts: Part[]): number {
  let end = 0;
  for (const [from, to] of parts.toSorted((a, b) => a[0] - b[0])) if (from <= end + slack) end = Math.max(end, to);
  return end;
}

/**
 * Watches elements until all of them were read, which takes so many milliseconds at
 * least. It begins anew when `of` changes. `show` brings the first unread one into
 * view.
 */
export function useReading(
  of: string,
  least: number,
  ...elements: RefObject<Element | null>[]
): { read: boolean; show: () => void } {
  const [read, setRead] = useState('');
  const refs = useRef(elements);
  /** Where reading has to go on. */
  const unread = useRef(new Map<Element, number>());
  useEffect(() => {
    setRead('');
    if (of === '') return;
    const all = refs.current.map((r) => r.current).filter((x) => x !== null);
    const now = new Map<Element, Part>();
    const parts = new Map<Element, Part[]>(all.map((x) => [x, []]));
    unread.current = new Map(all.map((x) => [x, 0]));
    const began = performance.now();
    let timer: ReturnType<typeof setTimeout>;
    const still = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (document.hidden) return;
        for (const [x, part] of now) {
          const had = [...(parts.get(x) ?? []), part];
          parts.set(x, had);
          const end = readUntil(had);
          if (end > 1 - slack) unread.current.delete(x);
          else unread.current.set(x, end);
        }
        if (unread.current.size > 0 || all.length < refs.current.length) return;
        timer = setTimeout(() => setRead(of), began + least - performance.now());
      }, reading);
    };
    const observer = new IntersectionObserver(
      (entries) => {
        for (const e of entries) {
          const part = inView(e);
          if (part === undefined) now.delete(e.target);
          else now.set(e.target, part);
        }
        still();
      },
      { threshold: steps },
    );
    // What is taller than the panel is in view by the same share wherever it is
    // scrolled to, which is no news to an observer: it is asked anew.
    const moved = () => {
      observer.disconnect();
      for (const x of all) observer.observe(x);
    };
    moved();
    document.addEventListener('visibilitychange', still);
    document.addEventListener('scroll', moved, { capture: true, passive: true });
    return () => {
      observer.disconnect();
      document.removeEventListener('visibilitychange', still);
      document.removeEventListener('scroll', moved, { capture: true });
      clearTimeout(timer);
    };
  }, [of, least]);
  const show = () => {
    const [x, from] = unread.current.entries().next().value ?? [];
    if (x === undefined || from === undefined) return;
    x.scrollIntoView({ block: 'start' });
    // Of a long one, what follows the part that was read.
    x.closest('[role=log]')?.scrollBy(0, from * x.getBoundingClientRect().height);
  };
  return { read: read === of && of !== '', show };
}
