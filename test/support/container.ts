/**
 * A container without an engine: the image's root in a mount namespace of its own, read-only but for one volume, and started
 * with the rights that an engine would leave it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { bring, buildImage, type Image, librariesOf } from './dockerfile.ts';
import { until } from './until.ts';

/** Where everything in the container listens; one test file has it at a time, for each has a network of its own. */
export const ADDRESS = '127.31.90.2';
const DEFINITIONS = join(import.meta.dirname, '..', '..', 'marathon');
const SETPRIV = '/usr/bin/setpriv';

/** Docker's --read-only with one volume; the last line of defence is that the image itself cannot be written. */
const READ_ONLY = `
  mount --bind "$ROOT" "$ROOT" && mount --bind "$STATE" "$ROOT/etc/letsencrypt" &&
  mount -o remount,bind,ro "$ROOT" && ! touch "$ROOT/written" 2>/dev/null && unset STATE && exec chroot "$ROOT" "$@"`;

export interface Ready extends Image {
  /** What holds the image, and is removed at the end. */
  readonly folder: string;
  /** RUN_AS. */
  readonly uid: number;
  readonly gid: number;
}

/** The image, and the engine's part in it: where the volume goes, and who takes the rights away. */
export function readyImage(): Ready {
  const folder = mkdtempSync(join(tmpdir(), 'image-'));
  const image = buildImage(folder);
  mkdirSync(join(image.root, 'etc', 'letsencrypt'), { recursive: true });
  for (const file of [SETPRIV, ...librariesOf(SETPRIV)]) bring(file, image.root);
  const [uid, gid] = (image.env.RUN_AS ?? '').split(':').map(Number) as [number, number];
  return { ...image, folder, uid, gid };
}

export interface Rights {
  /** As the kernel's man page capabilities(7) names them, in small letters. */
  readonly capabilities: readonly string[];
  readonly readOnly: boolean;
  readonly noNewPrivileges: boolean;
}

/** What `docker run` would make of the parameters that Marathon hands it. */
export function rightsIn(definition: string): Rights {
  const { container } = JSON.parse(readFileSync(join(DEFINITIONS, `${definition}.json`), 'utf8'));
  const given = container.docker.parameters as readonly { key: string; value: string }[];
  const valuesOf = (key: string) => given.filter((one) => one.key === key).map(({ value }) => value);
  if (valuesOf('cap-drop').join() !== 'ALL') throw new Error(`${definition} keeps Docker's own capabilities`);
  return {
    capabilities: valuesOf('cap-add').map((name) => name.toLowerCase()),
    readOnly: valuesOf('read-only').includes('true'),
    noNewPrivileges: valuesOf('security-opt').includes('no-new-privileges'),
  };
}

/** For `Start.as`. */
export function limitedTo(capabilities: readonly string[]): readonly string[] {
  const left = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  return [`--bounding-set=${left}`, '--inh-caps=-all', '--no-new-privs'];
}

export interface Container {
  readonly process: ChildProcess;
  readonly output: () => string;
}

export interface Start {
  readonly state: string;
  /** How setpriv starts it; unless told, as the shipped definition does. */
  readonly as?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function startContainer(t: TestContext, image: Ready, { state, as, args = [], env = {} }: Start): Container {
  const rights = as ?? limitedTo(rightsIn('letsencrypt-dcos').capabilities);
  const argv = ['/usr/local/bin/setpriv', ...rights, ...image.entrypoint, ...args];
  const child = spawn('unshare', ['--mount', 'sh', '-c', READ_ONLY, 'sh', ...argv], {
    env: {
      PATH: [process.env.PATH, '/usr/local/bin'].join(':'),
      ...image.env,
      ...{ ROOT: image.root, STATE: state, LISTEN_ADDRESS: ADDRESS, MARATHON_URL: 'http://127.0.0.1:1' },
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk));
  t.after(() => child.kill('SIGKILL'));
  return { process: child, output: () => said };
}

export function newFolder(t: TestContext): string {
  const state = mkdtempSync(join(tmpdir(), 'state-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  return state;
}

export async function answersPing(container: Container, port: number): Promise<void> {
  const url = `http://${ADDRESS}:${port}/.well-known/acme-challenge/ping`;
  await until(async () => (await fetch(url)).status === 200, 'the container answers ping').catch((error: Error) => {
    throw new Error(`${error.message}\n${container.output()}`);
  });
}

/** What the kernel says about the process, in the words of proc(5). */
export function standing(pid: number | undefined, ...keys: readonly string[]): readonly (string | undefined)[] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const values = new Map([...status.matchAll(/^(\w+):[ \t]*(.*?)[ \t]*$/gm)].map(([, key, value]) => [key, value]));
  return keys.map((key) => values.get(key));
}

/** A uid or gid as proc(5) shows it: real, effective, saved, of the file system. */
export function four(id: number): string {
  return Array(4).fill(id).join('\t');
}

export async function exitCode({ process }: Container): Promise<unknown> {
  process.kill('SIGTERM');
  const [code] = await once(process, 'exit');
  return code;
}
