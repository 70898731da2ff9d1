// Generated from the Go types by: go test ./lsp -run TestProtocol -update
// What the server says is checked when it arrives.
import * as v from 'valibot';

/** A request to the server. */
export interface Outgoing<P, S extends v.GenericSchema> {
  method: string;
  result: S;
  /** What it is sent; never set. */
  params?: P;
}
/** A notification or a question of the server. */
export interface Incoming<S extends v.GenericSchema> {
  method: string;
  params: S;
}
const text = v.optional(v.string(), '');
const count = v.optional(v.number());
const flag = v.optional(v.boolean());
const nothing = v.unknown();
// Go writes what is empty as null.
function list<T extends v.GenericSchema>(of: T) {
  return v.pipe(
    v.optional(v.nullable(v.array(of)), []),
    v.transform((x) => x ?? []),
  );
}
function map<T extends v.GenericSchema>(of: T) {
  return v.pipe(
    v.optional(v.nullable(v.record(v.string(), of)), {}),
    v.transform((x): Record<string, v.InferOutput<T>> => x ?? {}),
  );
}
function maybe<T extends v.GenericSchema>(of: T) {
  return v.optional(v.nullable(of));
}

export const Risk = v.picklist(['low', 'medium', 'high', 'critical']);
export type Risk = v.InferOutput<typeof Risk>;

export const Role = v.picklist(['user', 'assistant', 'system']);
export type Role = v.InferOutput<typeof Role>;

export const Profile = v.object({
  name: v.string(),
  region: text,
  kind: v.string(),
  mfa: flag,
  selected: v.boolean(),
  account_id: text,
});
export type Profile = v.InferOutput<typeof Profile>;

export const ProfileListResult = v.object({
  profiles: list(Profile),
});
export type ProfileListResult = v.InferOutput<typeof ProfileListResult>;

export const Problem = v.object({
  profile: text,
  account_id: text,
  region: text,
  service: text,
  code: v.string(),
  message: v.string(),
  hint: text,
});
export type Problem = v.InferOutput<typeof Problem>;

export const ScanResult = v.object({
  resources: v.number(),
  changed: v.number(),
  removed: v.number(),
  accounts: list(v.string()),
  profiles: list(v.string()),
  unread_profiles: list(v.string()),
  shards: v.number(),
  problems: list(Problem),
  cancelled: flag,
  duration_ms: v.number(),
});
export type ScanResult = v.InferOutput<typeof ScanResult>;

export const ShardState = v.object({
  account_id: v.string(),
  region: v.string(),
  resource_type: v.string(),
  state: v.string(),
  at: text,
  count: v.number(),
  problem: text,
});
export type ShardState = v.InferOutput<typeof ShardState>;

export const StoreConnection = v.object({
  connected: v.boolean(),
  problem: text,
});
export type StoreConnection = v.InferOutput<typeof StoreConnection>;

export const CollectionHealth = v.object({
  name: v.string(),
  points_count: v.number(),
  status: v.string(),
});
export type CollectionHealth = v.InferOutput<typeof CollectionHealth>;

export const Warning = v.object({
  message: v.string(),
  mend: v.string(),
});
export type Warning = v.InferOutput<typeof Warning>;

export const StoreProblem = v.object({
  collection: text,
  point: text,
  message: v.string(),
  mend: text,
});
export type StoreProblem = v.InferOutput<typeof StoreProblem>;

export const StoreHealth = v.object({
  mode: v.string(),
  version: v.string(),
  connection: StoreConnection,
  s3_configured: v.boolean(),
  disk_space_mb: v.number(),
  collections: list(CollectionHealth),
  resources: v.number(),
  warnings: list(Warning),
  problems: list(StoreProblem),
});
export type StoreHealth = v.InferOutput<typeof StoreHealth>;

export const StatusResult = v.object({
  resources: v.number(),
  scanning: v.boolean(),
  shards: list(ShardState),
  problems: list(v.string()),
  storage: StoreHealth,
  key: v.string(),
  encryption_off: flag,
  audit: text,
});
export type StatusResult = v.InferOutput<typeof StatusResult>;

export const Listed = v.object({
  resource_type: v.string(),
  identifier: v.string(),
  account_id: v.string(),
  region: v.string(),
  arn: text,
  service: v.string(),
  name: text,
  account_name: text,
  state: text,
  tags: map(v.string()),
  summary: text,
  facts: map(v.string()),
  aliases: list(v.string()),
  last_synced: v.string(),
  phase: text,
});
export type Listed = v.InferOutput<typeof Listed>;

export const SearchResult = v.object({
  mode: v.string(),
  total: v.number(),
  resources: list(Listed),
  gaps: list(v.string()),
});
export type SearchResult = v.InferOutput<typeof SearchResult>;

export const UserContext = v.object({
  username: text,
  role_arn: text,
  session_expires: text,
});
export type UserContext = v.InferOutput<typeof UserContext>;

export const IAM = v.object({
  allowed_actions: list(v.string()),
  denied_actions: list(v.string()),
  unknown_actions: list(v.string()),
  user_context: UserContext,
});
export type IAM = v.InferOutput<typeof IAM>;

export const Possibility = v.object({
  verb: v.string(),
  title: v.string(),
  icon: v.string(),
  operation: v.string(),
  changes: flag,
  can: v.string(),
  why: text,
  instead: text,
});
export type Possibility = v.InferOutput<typeof Possibility>;

export const Whole = v.object({
  resource_type: v.string(),
  identifier: v.string(),
  arn: text,
  name: text,
  account_id: v.string(),
  account_name: text,
  region: v.string(),
  service: v.string(),
  state: text,
  engine: text,
  engine_version: text,
  tags: map(v.string()),
  constraints: map(v.unknown()),
  metadata: map(v.unknown()),
  summary: text,
  aliases: list(v.string()),
  immutable_id: text,
  created_at: text,
  last_synced: v.string(),
  iam: maybe(IAM),
  phase: text,
  actions: list(Possibility),
});
export type Whole = v.InferOutput<typeof Whole>;

export const GetResult = v.object({
  resources: list(Whole),
});
export type GetResult = v.InferOutput<typeof GetResult>;

export const ResourceRecord = v.object({
  resource_type: v.string(),
  identifier: v.string(),
  account_id: v.string(),
  region: v.string(),
  arn: text,
  service: v.string(),
  name: text,
  account_name: text,
  state: text,
  tags: map(v.string()),
  summary: text,
  facts: map(v.string()),
  aliases: list(v.string()),
  last_synced: v.string(),
});
export type ResourceRecord = v.InferOutput<typeof ResourceRecord>;

export const Doable = v.object({
  phase: text,
  actions: list(Possibility),
});
export type Doable = v.InferOutput<typeof Doable>;

export const ResolveResult = v.object({
  generation: v.number(),
  records: map(list(ResourceRecord)),
  gaps: map(list(v.string())),
  doable: map(Doable),
});
export type ResolveResult = v.InferOutput<typeof ResolveResult>;

export const ConversationCreated = v.object({
  conversation_id: v.string(),
});
export type ConversationCreated = v.InferOutput<typeof ConversationCreated>;

export const Conversation = v.object({
  id: v.string(),
  title: v.string(),
  labels: list(v.string()),
  metadata: map(v.unknown()),
  messages: v.number(),
  created_at: text,
  updated_at: v.string(),
  unreadable: count,
  damage: text,
});
export type Conversation = v.InferOutput<typeof Conversation>;

export const ConversationListResult = v.object({
  conversations: list(Conversation),
});
export type ConversationListResult = v.InferOutput<typeof ConversationListResult>;

export const MessageMetadata = v.object({
  resources_mentioned: list(v.string()),
  commands_executed: list(v.string()),
  reply: text,
});
export type MessageMetadata = v.InferOutput<typeof MessageMetadata>;

export const Message = v.object({
  id: v.string(),
  context_id: v.string(),
  message_index: v.number(),
  role: Role,
  content: v.string(),
  timestamp: v.string(),
  metadata: MessageMetadata,
});
export type Message = v.InferOutput<typeof Message>;

export const MessagesResult = v.object({
  messages: list(Message),
  unreadable: count,
});
export type MessagesResult = v.InferOutput<typeof MessagesResult>;

export const IdentifiedResource = v.object({
  type: v.string(),
  id: v.string(),
  name: text,
  arn: text,
  region: v.string(),
  account: v.string(),
  current_state: v.string(),
  tags: map(v.string()),
  permissions: maybe(IAM),
  metadata: map(v.unknown()),
  last_synced: text,
  live: flag,
  not_asked: text,
  mention: v.string(),
  found_by: v.string(),
});
export type IdentifiedResource = v.InferOutput<typeof IdentifiedResource>;

export const Command = v.object({
  service: v.string(),
  operation: v.string(),
  parameters: map(v.unknown()),
  profile: text,
  account_id: text,
  region: text,
});
export type Command = v.InferOutput<typeof Command>;

export const Choice = v.object({
  label: v.string(),
  prompt: v.string(),
  resource: text,
});
export type Choice = v.InferOutput<typeof Choice>;

export const Clarification = v.object({
  question: v.string(),
  choices: list(Choice),
  about: text,
});
export type Clarification = v.InferOutput<typeof Clarification>;

export const Reply = v.object({
  commands: list(Command),
  information: text,
  clarification: maybe(Clarification),
  resources_mentioned: list(v.string()),
});
export type Reply = v.InferOutput<typeof Reply>;

export const Turn = v.object({
  role: Role,
  content: v.string(),
  resources_mentioned: list(v.string()),
  commands_executed: list(v.string()),
  reply: maybe(Reply),
});
export type Turn = v.InferOutput<typeof Turn>;

export const ResourceKey = v.object({
  resource_type: v.string(),
  identifier: v.string(),
  account_id: v.string(),
  region: v.string(),
  arn: text,
});
export type ResourceKey = v.InferOutput<typeof ResourceKey>;

export const PastExecution = v.object({
  command: v.string(),
  status: v.string(),
  targets: list(ResourceKey),
  undo: maybe(Command),
  at: text,
});
export type PastExecution = v.InferOutput<typeof PastExecution>;

export const Account = v.object({
  account_id: v.string(),
  profiles: list(v.string()),
});
export type Account = v.InferOutput<typeof Account>;

export const RequestUser = v.object({
  user_id: v.string(),
  default_region: v.string(),
  profile: v.string(),
});
export type RequestUser = v.InferOutput<typeof RequestUser>;

export const AgentRequest = v.object({
  prompt: v.string(),
  identified_resources: list(IdentifiedResource),
  omitted: map(v.number()),
  chat_history: list(Turn),
  executions: list(PastExecution),
  accounts: list(Account),
  user_context: RequestUser,
});
export type AgentRequest = v.InferOutput<typeof AgentRequest>;

export const Target = v.object({
  resource_type: v.string(),
  identifier: v.string(),
  account_id: v.string(),
  region: v.string(),
  arn: text,
  name: text,
  state: v.string(),
  tags: map(v.string()),
  immutable_id: text,
  created_at: text,
  facts: map(v.string()),
});
export type Target = v.InferOutput<typeof Target>;

export const Identity = v.object({
  profile: v.string(),
  account_id: v.string(),
  arn: v.string(),
  partition: v.string(),
  source: v.string(),
  endpoint: text,
  expires: text,
});
export type Identity = v.InferOutput<typeof Identity>;

export const Origin = v.object({
  session: v.string(),
  kind: v.string(),
  pid: count,
  executable: text,
  workspace: text,
  conversation: text,
  prompt: text,
});
export type Origin = v.InferOutput<typeof Origin>;

export const Plan = v.object({
  id: v.string(),
  command: Command,
  line: v.string(),
  title: v.string(),
  targets: list(Target),
  risk: Risk,
  reasons: list(v.string()),
  access: v.string(),
  iam_actions: list(v.string()),
  effect: v.string(),
  undo: text,
  identity: Identity,
  endpoint: text,
  origin: Origin,
  created_at: v.string(),
  expires_at: v.string(),
  digest: v.string(),
});
export type Plan = v.InferOutput<typeof Plan>;

export const Answer = v.object({
  conversation_id: v.string(),
  request: AgentRequest,
  reply: Reply,
  plans: list(Plan),
  refused: list(v.string()),
  text: v.string(),
});
export type Answer = v.InferOutput<typeof Answer>;

export const ConversationResult = v.object({
  conversation: Conversation,
});
export type ConversationResult = v.InferOutput<typeof ConversationResult>;

export const ConversationHit = v.object({
  id: v.string(),
  title: v.string(),
  labels: list(v.string()),
  metadata: map(v.unknown()),
  messages: v.number(),
  created_at: text,
  updated_at: v.string(),
  unreadable: count,
  damage: text,
  message_index: v.number(),
  role: v.optional(Role),
  timestamp: v.string(),
  snippet: v.string(),
});
export type ConversationHit = v.InferOutput<typeof ConversationHit>;

export const ConversationSearchResult = v.object({
  total: v.number(),
  conversations: list(ConversationHit),
});
export type ConversationSearchResult = v.InferOutput<typeof ConversationSearchResult>;

export const ConversationExportResult = v.object({
  conversation: Conversation,
  messages: list(Message),
  unreadable: count,
  markdown: text,
});
export type ConversationExportResult = v.InferOutput<typeof ConversationExportResult>;

export const Execution = v.object({
  id: v.string(),
  plan_id: v.string(),
  command: Command,
  line: v.string(),
  risk: Risk,
  targets: list(Target),
  identity: Identity,
  origin: Origin,
  status: v.string(),
  decision: text,
  state_before: text,
  state_after: text,
  output: text,
  error: text,
  error_code: text,
  repeats: count,
  planned_at: text,
  started_at: text,
  finished_at: text,
});
export type Execution = v.InferOutput<typeof Execution>;

export const ProposeResult = v.object({
  plan: Plan,
  execution: maybe(Execution),
});
export type ProposeResult = v.InferOutput<typeof ProposeResult>;

export const DecideResult = v.object({
  execution: Execution,
});
export type DecideResult = v.InferOutput<typeof DecideResult>;

export const PendingResult = v.object({
  plans: list(Plan),
});
export type PendingResult = v.InferOutput<typeof PendingResult>;

export const ExecutionListResult = v.object({
  executions: list(Execution),
  problem: text,
});
export type ExecutionListResult = v.InferOutput<typeof ExecutionListResult>;

export const Entry = v.object({
  seq: v.number(),
  time: v.string(),
  kind: v.string(),
  execution: maybe(Execution),
  text: text,
  hash: v.string(),
  previous: v.string(),
});
export type Entry = v.InferOutput<typeof Entry>;

export const AuditResult = v.object({
  entries: list(Entry),
  problem: text,
});
export type AuditResult = v.InferOutput<typeof AuditResult>;

export const Report = v.object({
  ok: v.boolean(),
  records: v.number(),
  head: v.string(),
  anchor: v.string(),
  problems: list(v.string()),
});
export type Report = v.InferOutput<typeof Report>;

export const Field = v.object({
  name: v.string(),
  text: v.string(),
  more: flag,
});
export type Field = v.InferOutput<typeof Field>;

export const Card = v.object({
  plan: v.string(),
  digest: v.string(),
  title: v.string(),
  line: v.string(),
  risk: Risk,
  grave: v.boolean(),
  dialog: v.string(),
  fields: list(Field),
  message: v.string(),
  conversation_id: text,
  run: v.string(),
  reject: v.string(),
  created_ms: v.number(),
  expires_ms: v.number(),
  arm_after_ms: v.number(),
  waiting: count,
});
export type Card = v.InferOutput<typeof Card>;

export const Shard = v.object({
  account_id: v.string(),
  region: v.string(),
  resource_type: v.string(),
});
export type Shard = v.InferOutput<typeof Shard>;

export const EstateChange = v.object({
  since: v.number(),
  generation: v.number(),
  shards: list(Shard),
  keys: list(ResourceKey),
});
export type EstateChange = v.InferOutput<typeof EstateChange>;

export const ExecutionEvent = v.object({
  execution: v.string(),
  kind: v.string(),
  text: v.string(),
});
export type ExecutionEvent = v.InferOutput<typeof ExecutionEvent>;

export const ProgressNote = v.object({
  token: v.string(),
  done: v.number(),
  total: v.number(),
  resources: v.number(),
  message: v.string(),
});
export type ProgressNote = v.InferOutput<typeof ProgressNote>;

export const TextNote = v.object({
  token: v.string(),
  text: v.string(),
});
export type TextNote = v.InferOutput<typeof TextNote>;

/** Lists the profiles of the AWS files. */
export const profileList: Outgoing<object, typeof ProfileListResult> = {
  method: 'cloudops/profile/list',
  result: ProfileListResult,
};

export interface ProfileSelectParams {
  name: string;
}
/** Chooses the profile of this session; what it proposed for another one is void. */
export const profileSelect: Outgoing<ProfileSelectParams, typeof ProfileListResult> = {
  method: 'cloudops/profile/select',
  result: ProfileListResult,
};

export interface ScanParams {
  profiles?: string[];
  regions?: string[];
  services?: string[];
  token?: string;
}
/** Reads the accounts, and keeps what it finds; progress notes come on the way. */
export const estateScan: Outgoing<ScanParams, typeof ScanResult> = {
  method: 'cloudops/estate/scan',
  result: ScanResult,
};

/** Tells how much is known of the estate, how old it is, and what is wrong. */
export const estateStatus: Outgoing<object, typeof StatusResult> = {
  method: 'cloudops/estate/status',
  result: StatusResult,
};

export interface SearchParams {
  query: string;
  resource_type?: string;
  account_id?: string;
  region?: string;
  service?: string;
  state?: string;
  tags?: { [key: string]: string };
  limit?: number;
}
/** Finds resources by words and filter, in memory. */
export const estateSearch: Outgoing<SearchParams, typeof SearchResult> = {
  method: 'cloudops/estate/search',
  result: SearchResult,
};

export interface GetParams {
  identifier: string;
  live?: boolean;
}
/** Returns whole resources by any identifier, as stored or as AWS has them now. */
export const estateGet: Outgoing<GetParams, typeof GetResult> = {
  method: 'cloudops/estate/get',
  result: GetResult,
};

export interface ResolveParams {
  tokens: string[];
  actions?: boolean;
}
/** Says which tokens of a text name resources, from memory. */
export const estateResolve: Outgoing<ResolveParams, typeof ResolveResult> = {
  method: 'cloudops/estate/resolve',
  result: ResolveResult,
};

/** Begins a conversation. */
export const conversationCreate: Outgoing<object, typeof ConversationCreated> = {
  method: 'cloudops/conversation/create',
  result: ConversationCreated,
};

export interface ConversationListParams {
  label?: string;
}
/** Lists the conversations, the latest first. */
export const conversationList: Outgoing<ConversationListParams, typeof ConversationListResult> = {
  method: 'cloudops/conversation/list',
  result: ConversationListResult,
};

export interface ConversationParams {
  conversation_id: string;
  limit?: number;
}
/** Returns the messages of a conversation, in order. */
export const conversationMessages: Outgoing<ConversationParams, typeof MessagesResult> = {
  method: 'cloudops/conversation/messages',
  result: MessagesResult,
};

export interface SendParams {
  conversation_id?: string;
  prompt: string;
  token?: string;
}
/** Does one turn: its text streams as notes, and what it proposes waits for a decision. */
export const conversationSend: Outgoing<SendParams, typeof Answer> = {
  method: 'cloudops/conversation/send',
  result: Answer,
};

export interface ConversationRenameParams {
  conversation_id: string;
  title: string;
}
/** Gives a conversation another title. */
export const conversationRename: Outgoing<ConversationRenameParams, typeof ConversationResult> = {
  method: 'cloudops/conversation/rename',
  result: ConversationResult,
};

export interface ConversationLabelParams {
  conversation_id: string;
  add?: string[];
  remove?: string[];
}
/** Takes labels off a conversation and adds others. */
export const conversationLabel: Outgoing<ConversationLabelParams, typeof ConversationResult> = {
  method: 'cloudops/conversation/label',
  result: ConversationResult,
};

export interface ConversationSearchParams {
  query: string;
  limit?: number;
}
/** Finds the conversations that have all the words. */
export const conversationSearch: Outgoing<ConversationSearchParams, typeof ConversationSearchResult> = {
  method: 'cloudops/conversation/search',
  result: ConversationSearchResult,
};

export interface ConversationExportParams {
  conversation_id: string;
  format?: 'json' | 'markdown';
}
/** Returns all that is kept of a conversation. */
export const conversationExport: Outgoing<ConversationExportParams, typeof ConversationExportResult> = {
  method: 'cloudops/conversation/export',
  result: ConversationExportResult,
};

export interface ConversationDeleteParams {
  conversation_id: string;
}
/** Deletes a conversation and its key, once a person at the terminal confirmed it. */
export const conversationDelete: Outgoing<ConversationDeleteParams, typeof ConversationResult> = {
  method: 'cloudops/conversation/delete',
  result: ConversationResult,
};

export interface ProposeParams {
  argv?: string[];
  verb?: string;
  identifier?: string;
  profile?: string;
}
/** Plans a command. Reads that the policy allows run at once; all else waits for a person. */
export const executionPropose: Outgoing<ProposeParams, typeof ProposeResult> = {
  method: 'cloudops/execution/propose',
  result: ProposeResult,
};

export interface DecideParams {
  plan: string;
  decision: 'ask' | 'reject' | 'stop';
  reason?: string;
}
/** Puts a plan before the person at this connection and runs it if they approve, rejects it, or stops it. */
export const executionDecide: Outgoing<DecideParams, typeof DecideResult> = {
  method: 'cloudops/execution/decide',
  result: DecideResult,
};

/** Lists the plans that wait for a decision, the oldest first. */
export const executionPending: Outgoing<object, typeof PendingResult> = {
  method: 'cloudops/execution/pending',
  result: PendingResult,
};

export interface ExecutionListParams {
  conversation_id?: string;
  limit?: number;
}
/** Lists what ran, or was decided on, the newest first. */
export const executionList: Outgoing<ExecutionListParams, typeof ExecutionListResult> = {
  method: 'cloudops/execution/list',
  result: ExecutionListResult,
};

export interface AuditParams {
  limit?: number;
}
/** Returns the entries of the audit log, in order. */
export const executionAudit: Outgoing<AuditParams, typeof AuditResult> = {
  method: 'cloudops/execution/audit',
  result: AuditResult,
};

/** Checks the whole audit log. */
export const executionVerify: Outgoing<object, typeof Report> = {
  method: 'cloudops/execution/verify',
  result: Report,
};

/** Puts a plan before the person at this connection. Only its answer approves. */
export const prompt: Incoming<typeof Card> = {
  method: 'cloudops/prompt',
  params: Card,
};

/** The estate is another: what was remembered of what this names counts no more. */
export const estateChanged: Incoming<typeof EstateChange> = {
  method: 'cloudops/estate/changed',
  params: EstateChange,
};

/** Plans or executions are others than they were. */
export const executionChanged: Incoming<typeof nothing> = {
  method: 'cloudops/execution/changed',
  params: nothing,
};

/** A step of a command that this session runs. */
export const executionOutput: Incoming<typeof ExecutionEvent> = {
  method: 'cloudops/execution/output',
  params: ExecutionEvent,
};

/** How far a request is that was sent with a token; of steps that wait to be read only the last comes. */
export const progress: Incoming<typeof ProgressNote> = {
  method: 'cloudops/progress',
  params: ProgressNote,
};

/** The next piece of the text of a turn that was sent with a token. */
export const conversationText: Incoming<typeof TextNote> = {
  method: 'cloudops/conversation/text',
  params: TextNote,
};
