// What the library of language clients writes into the log of the extension.
import { expect, test, vi } from 'vitest';

const { written, ResponseError } = vi.hoisted(() => ({
  written: [] as unknown[][],
  ResponseError: class extends Error {
    constructor(
      readonly code: number,
      message: string,
      readonly data?: unknown,
    ) {
      super(message);
    }
  },
}));
vi.mock('vscode-languageclient/node', () => ({
  LanguageClient: class {
    error(...said: unknown[]) {
      written.push(said);
    }
    warn(...said: unknown[]) {
      written.push(said);
    }
  },
  CloseAction: {},
  ErrorAction: {},
  ErrorCodes: {},
  ConnectionError: Error,
  ResponseError,
}));

test('the log has the code of an error of the server, not its words', async () => {
  const { Connection } = await import('../../src/connection');
  const client = Object.create(Connection.prototype) as InstanceType<typeof Connection>;
  const refused = new ResponseError(-32010, '"db-1" is not in the estate', { hint: 'did you mean db-2?' });
  client.error('Request textDocument/hover failed.', refused);
  client.warn('Request failed.', { token: 'secret' });
  client.error('Sending failed.', new Error('write EPIPE'));
  expect(written).toEqual([
    ['Request textDocument/hover failed.', 'code -32010', false],
    ['Request failed.', undefined, false],
    ['Sending failed.', 'write EPIPE', false],
  ]);
});
