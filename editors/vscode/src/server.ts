// Finds the cloudops program and makes sure that it fits this extension.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { PROTOCOL } from './limits.gen';

/** Why there is no server, in words for the person. */
export class NoServer extends Error {
  constructor(
    message: string,
    /** Whether no program was found, rather than one that does not fit. */
    readonly missing: boolean,
  ) {
    super(message);
  }
}

/** The name of the program's file. */
export const program = process.platform === 'win32' ? 'cloudops.exe' : 'cloudops';

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * The program to start: the configured one, else the one in the extension, else
 * the first on the PATH. An extension that came with a program ('' for none)
 * looks no further, whatever became of it. Folders of the PATH that are not
 * absolute depend on where the editor was started and are passed over.
 */
export async function find(configured: string, bundled: string, path = process.env.PATH ?? ''): Promise<string> {
  if (configured !== '') {
    if (!isAbsolute(configured)) {
      throw new NoServer(`cloudops.server.path is ${configured}: it must be an absolute path`, true);
    }
    if (!(await executable(configured))) {
      throw new NoServer(`cloudops.server.path is ${configured}: there is no program`, true);
    }
    return configured;
  }
  if (bundled !== '') return bundled;
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  for (const candidate of folders.map((folder) => join(folder, program))) {
    if (await executable(candidate)) {
      return candidate;
    }
  }
  throw new NoServer('the cloudops program was not found: install it, or set cloudops.server.path', true);
}

/**
 * Throws NoServer unless the program in the extension is the one that was
 * packaged. It is the last thing before each start, since Node can start a file
 * only by its name: this tells of damage, of a careless program and of a half
 * update. A program of the same user that swaps the file between the look and
 * the start, or changes the extension itself, is not held off.
 */
export async function intact(path: string, sha256: string): Promise<void> {
  const hash = createHash('sha256');
  let what = 'is not the one that this extension came with';
  try {
    await pipeline(createReadStream(path), hash);
    if (hash.digest('hex') === sha256) return;
  } catch (e) {
    what = `cannot be read (${(e as NodeJS.ErrnoException).code})`;
  }
  throw new NoServer(
    `the program ${path} ${what} and was not started: reinstall the extension, or set cloudops.server.path`,
    false,
  );
}

/** What `version --json` prints. */
const Version = v.object({ version: v.string(), protocol: v.number() });

/** Asks a program for its version; throws NoServer if it does not fit. */
export async function fits(path: string, patience = 15_000): Promise<string> {
  let out: string;
  try {
    const options = {
      timeout: patience,
      killSignal: 'SIGKILL' as const,
      cwd: homedir(),
      maxBuffer: 1 << 16,
      windowsHide: true,
    };
    ({ stdout: out } = await promisify(execFile)(path, ['version', '--json'], options));
  } catch (e) {
    const slow = (e as { killed?: boolean }).killed === true;
    throw new NoServer(`${path} version ${slow ? `gave no answer in ${patience / 1000} s` : 'does not run'}`, false);
  }
  let parsed: v.InferOutput<typeof Version>;
  try {
    parsed = v.parse(Version, JSON.parse(out));
  } catch {
    throw new NoServer(`${path} is no cloudops program, or too old for this extension`, false);
  }
  if (parsed.protocol !== PROTOCOL) {
    const which = parsed.protocol < PROTOCOL ? 'the program' : 'this extension';
    throw new NoServer(`${path} ${parsed.version} does not fit this extension: update ${which}`, false);
  }
  return parsed.version;
}
