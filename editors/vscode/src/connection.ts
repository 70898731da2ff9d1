// All that needs the library of language clients, which is most of the
// extension's code: it is loaded when a server starts, and activation does not
// wait for it.
import { LogLevel, type LogOutputChannel } from 'vscode';
import {
  type ClientCapabilities,
  CloseAction,
  ConnectionError,
  ErrorAction,
  ErrorCodes,
  type ErrorHandler,
  type FeatureState,
  LanguageClient,
  ResponseError,
  type StaticFeature,
} from 'vscode-languageclient/node';

/**
 * Its own messages, such as "write EPIPE", go to the log: state and problem say it
 * in clear words. The log is a file that others may read, so what a server answered
 * is not in it.
 */
export class Connection extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, harmless(data), false);
  }
  override warn(message: string, data?: unknown): void {
    super.warn(message, harmless(data), false);
  }

  /** What the error of a request tells: whether there is no answer because the server is gone, its code and hint. */
  told(e: unknown): { gone: boolean; code: number; hint: string } {
    const { code, data } = e instanceof ResponseError ? e : { code: 0, data: undefined };
    const hint = (data as { hint?: unknown } | undefined)?.hint;
    return {
      gone: e instanceof ConnectionError || code === ErrorCodes.PendingResponseRejected,
      code,
      hint: typeof hint === 'string' ? hint : '',
    };
  }
}

/** What the log may have of an error: that of a server names resources. */
function harmless(data: unknown): string | undefined {
  if (data instanceof ResponseError) return `code ${data.code}`;
  return data instanceof Error ? data.message : undefined;
}

/**
 * Where the library would write each message, whole, once the log's level and a
 * setting of anyone's say so: documents, cards and answers are written nowhere.
 */
export const untraced = {
  logLevel: LogLevel.Off,
  onDidChangeLogLevel: () => ({ dispose() {} }),
  trace() {},
} as unknown as LogOutputChannel;

/** Whoever started the server starts it again. */
export const ends: ErrorHandler = {
  error: () => ({ action: ErrorAction.Continue, handled: true }),
  closed: () => ({
    action: CloseAction.DoNotRestart,
    handled: true,
    message: 'The connection to the server is closed.',
  }),
};

/** Tells the server that this editor shows whole cards. */
export const cards: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities) {
    capabilities.experimental = { ...capabilities.experimental, cloudops: { cards: true } };
  },
  initialize() {},
  getState: (): FeatureState => ({ kind: 'static' }),
  clear() {},
};
