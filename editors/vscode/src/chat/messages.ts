// What the chat panel and the extension say to each other. Both sides check
// what arrives. The panel decides nothing: of a plan it can only say which one,
// with the digest that it showed, and run, reject or stop.
import * as v from 'valibot';
import { LONGEST_PROMPT } from '../limits.gen';

const short = v.pipe(v.string(), v.maxLength(4096));
const long = v.pipe(v.string(), v.maxBytes(LONGEST_PROMPT));

export const FromPanel = v.variant('type', [
  /** The panel is drawn; conversation is the one that it showed before. */
  v.strictObject({ type: v.literal('ready'), conversation: short }),
  v.strictObject({ type: v.literal('send'), text: long }),
  v.strictObject({ type: v.literal('stop') }),
  v.strictObject({ type: v.literal('open'), conversation: short }),
  v.strictObject({
    type: v.literal('decide'),
    plan: short,
    digest: short,
    decision: v.picklist(['run', 'reject', 'stop']),
    reason: short,
  }),
  v.strictObject({ type: v.literal('details'), identifier: short }),
  v.strictObject({
    type: v.literal('command'),
    command: v.picklist(['restart', 'output', 'scan', 'profile', 'trust', 'choose']),
  }),
]);
export type FromPanel = v.InferOutput<typeof FromPanel>;

const Chip = v.object({ identifier: v.string(), label: v.string(), state: v.string() });
export type Chip = v.InferOutput<typeof Chip>;

const Entry = v.object({
  id: v.string(),
  role: v.picklist(['user', 'assistant', 'system']),
  /** Markdown of the server's for assistant and system, plain text for the user. */
  text: v.string(),
  time: v.string(),
  chips: v.array(Chip),
});
export type Entry = v.InferOutput<typeof Entry>;

const PanelCard = v.object({
  plan: v.string(),
  digest: v.string(),
  title: v.string(),
  line: v.string(),
  risk: v.picklist(['low', 'medium', 'high', 'critical']),
  grave: v.boolean(),
  fields: v.array(v.object({ name: v.string(), text: v.string(), more: v.boolean() })),
  /** When it was proposed, which is its place in the conversation, and when it is no longer asked; Unix milliseconds. */
  created: v.number(),
  expires: v.number(),
  /** How long it has to be seen before an answer counts, in milliseconds. */
  arm: v.number(),
  /** How many others wait. */
  others: v.number(),
});
export type PanelCard = v.InferOutput<typeof PanelCard>;

export const ToPanel = v.variant('type', [
  v.object({
    type: v.literal('state'),
    state: v.picklist(['untrusted', 'starting', 'ready', 'missing', 'failed']),
    problem: v.string(),
    /** Whether the estate holds nothing yet. */
    empty: v.boolean(),
  }),
  v.object({
    type: v.literal('conversation'),
    id: v.string(),
    entries: v.array(Entry),
    busy: v.boolean(),
  }),
  /** The latest conversations, which can be gone on with. */
  v.object({
    type: v.literal('recent'),
    conversations: v.array(v.object({ id: v.string(), title: v.string(), ago: v.string() })),
  }),
  v.object({ type: v.literal('entry'), entry: Entry }),
  /** Text of the answer under way. */
  v.object({ type: v.literal('text'), text: v.string() }),
  /** The turn is over; choices can be picked. */
  v.object({
    type: v.literal('answered'),
    conversation: v.string(),
    entry: v.nullable(Entry),
    choices: v.array(v.object({ label: v.string(), prompt: v.string() })),
    problem: v.string(),
  }),
  /** Sent: the person's answer is on its way already. */
  v.object({ type: v.literal('card'), card: PanelCard, sent: v.boolean() }),
  v.object({ type: v.literal('sent'), plan: v.string() }),
  /** What the server says of being told to stop: whether it came in time. */
  v.object({ type: v.literal('stopped'), plan: v.string(), text: v.string() }),
  v.object({ type: v.literal('run'), plan: v.string(), kind: v.string(), text: v.string() }),
  v.object({
    type: v.literal('outcome'),
    plan: v.string(),
    status: v.string(),
    before: v.string(),
    after: v.string(),
    output: v.string(),
    problem: v.string(),
  }),
  /** Puts text where the next message is written. */
  v.object({ type: v.literal('draft'), text: v.string() }),
  /** Puts back what could not be answered, unless the next message is begun. */
  v.object({ type: v.literal('unsent'), text: v.string() }),
  v.object({ type: v.literal('focus') }),
]);
export type ToPanel = v.InferOutput<typeof ToPanel>;
