// What the server says, as far as the extension uses it. All of it is checked
// when it arrives; the Go types in lsp/daemon/protocol.go are the source.
import * as v from 'valibot';

export const text = v.optional(v.string(), '');
// Go writes an empty list as null.
export const list = <T extends v.GenericSchema>(of: T) =>
  v.pipe(
    v.optional(v.nullable(v.array(of)), []),
    v.transform((x) => x ?? []),
  );

export const Risk = v.picklist(['low', 'medium', 'high', 'critical']);
export type Risk = v.InferOutput<typeof Risk>;

/** A plan that the server puts before the person: cloudops/prompt. */
export const Card = v.object({
  plan: v.string(),
  digest: v.string(),
  title: v.string(),
  line: v.string(),
  risk: Risk,
  grave: v.boolean(),
  fields: v.array(v.object({ name: v.string(), text: v.string(), more: v.optional(v.boolean(), false) })),
  dialog: v.string(),
  message: v.string(),
  conversation_id: text,
  run: v.string(),
  reject: v.string(),
  created_ms: v.number(),
  expires_ms: v.number(),
  arm_after_ms: v.number(),
  waiting: v.optional(v.number(), 0),
});
export type Card = v.InferOutput<typeof Card>;

export const Execution = v.object({
  id: v.string(),
  plan_id: v.string(),
  line: v.string(),
  risk: v.string(),
  status: v.string(),
  decision: text,
  state_before: text,
  state_after: text,
  output: text,
  error: text,
  targets: list(v.object({ identifier: v.string(), name: text, resource_type: v.string() })),
  planned_at: text,
  started_at: text,
  finished_at: text,
});
export type Execution = v.InferOutput<typeof Execution>;

export const Executions = v.object({ executions: list(Execution) });
export const Decided = v.object({ execution: Execution });

/** A resource as the server's memory has it. */
export const Resource = v.object({
  resource_type: v.string(),
  identifier: v.string(),
  account_id: v.string(),
  region: v.string(),
  arn: text,
  service: text,
  name: text,
  account_name: text,
  state: text,
  summary: text,
  tags: v.optional(v.nullable(v.record(v.string(), v.string())), {}),
  last_synced: text,
});
export type Resource = v.InferOutput<typeof Resource>;

export const Resolved = v.object({ records: v.optional(v.nullable(v.record(v.string(), v.array(Resource))), {}) });

export const Found = v.object({ total: v.number(), resources: list(Resource), gaps: list(v.string()) });

export const Shard = v.object({
  account_id: text,
  region: text,
  resource_type: text,
  state: v.string(),
  at: text,
  count: v.optional(v.number(), 0),
  problem: text,
});
export type Shard = v.InferOutput<typeof Shard>;

export const Status = v.object({
  resources: v.number(),
  scanning: v.boolean(),
  shards: list(Shard),
  problems: list(v.string()),
});
export type Status = v.InferOutput<typeof Status>;

export const Profiles = v.object({
  profiles: list(
    v.object({
      name: v.string(),
      region: text,
      kind: text,
      mfa: v.optional(v.boolean(), false),
      selected: v.boolean(),
      account_id: text,
    }),
  ),
});

const Choice = v.object({ label: v.string(), prompt: v.string() });

const Plan = v.object({
  id: v.string(),
  digest: v.string(),
  title: v.string(),
  line: v.string(),
  origin: v.object({ conversation: text }),
});
export type Plan = v.InferOutput<typeof Plan>;
export const Pending = v.object({ plans: list(Plan) });

/** One turn of a conversation. */
export const Answer = v.object({
  conversation_id: v.string(),
  text: v.string(),
  request: v.object({
    identified_resources: list(
      v.object({
        type: v.string(),
        id: v.string(),
        name: text,
        arn: text,
        region: text,
        account: text,
        current_state: text,
      }),
    ),
  }),
  reply: v.object({
    clarification: v.optional(v.nullable(v.object({ question: v.string(), choices: list(Choice) }))),
  }),
  plans: list(Plan),
  refused: list(v.string()),
});
export type Answer = v.InferOutput<typeof Answer>;

export const Created = v.object({ conversation_id: v.string() });

export const Conversations = v.object({
  conversations: list(v.object({ id: v.string(), title: text, messages: v.number(), updated_at: v.string() })),
});

export const Messages = v.object({
  messages: list(
    v.object({
      id: v.string(),
      role: v.picklist(['user', 'assistant', 'system']),
      content: v.string(),
      timestamp: v.string(),
      metadata: v.optional(v.object({ resources_mentioned: list(v.string()) }), {}),
    }),
  ),
});

/** A step of long work, such as a scan. */
export const Progress = v.object({
  token: v.string(),
  message: text,
  done: v.optional(v.number(), 0),
  total: v.optional(v.number(), 0),
});
export type Progress = v.InferOutput<typeof Progress>;

export const TextNote = v.object({ token: v.string(), text: v.string() });
export const RunNote = v.object({ execution: v.string(), kind: v.string(), text: v.string() });

export const Version = v.object({ version: v.string(), protocol: v.number() });
/** The version of the daemon's protocol that this extension speaks. */
export const PROTOCOL = 1;
