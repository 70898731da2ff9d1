// All that needs the library of language clients, which is most of the
// extension's code: it is loaded when a server starts, and activation does not
// wait for it.
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

/** Its own messages, such as "write EPIPE", go to the log: state and problem say it in clear words. */
export class Connection extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false);
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
