/**
 * The image, as far as it can be had without a container engine: the Dockerfile's bundle, entry point and environment, in
 * a mount namespace whose file system is read-only but for the state folder.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { until } from '../support/until.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const DOCKERFILE = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8');
const ENTRYPOINT = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(DOCKERFILE)?.[1] ?? '[]') as string[];
const ENV = Object.fromEntries((/^ENV (.*)$/m.exec(DOCKERFILE)?.[1] ?? '').split(' ').map((pair) => pair.split('=')));
const [UID, GID] = (ENV.RUN_AS ?? '').split(':').map(Number) as [number, number];
const ADDRESS = '127.31.90.2';

/** Docker's --read-only with one volume; the last line of defence is that the image itself cannot be written. */
const READ_ONLY = `
  mount --bind "$STATE_DIR" "$STATE_DIR" && mount --bind "$IMAGE" "$IMAGE" &&
  mount -o remount,bind,ro "$IMAGE" && mount -o remount,bind,ro / &&
  ! touch "$IMAGE/written" 2>/dev/null && exec "$@"`;

let image: string;

before(() => {
  image = mkdtempSync(join(tmpdir(), 'image-'));
  execFileSync(process.execPath, ['test/support/bootstrap.mjs', 'build', `--outfile=${join(image, 'main.mjs')}`], {
    cwd: PROJECT,
  });
});

after(() => rmSync(image, { recursive: true, force: true }));

interface Container {
  readonly process: ChildProcess;
  readonly state: string;
  readonly output: () => string;
}

function start(
  t: TestContext,
  options: { as?: readonly string[]; env?: Record<string, string>; state: string },
): Container {
  const { as = [], env = {}, state } = options;
  const [, ...flags] = ENTRYPOINT.slice(0, -1);
  const argv = [...as, process.execPath, ...flags, join(image, 'main.mjs')];
  const child = spawn('unshare', ['--mount', 'sh', '-c', READ_ONLY, 'sh', ...argv], {
    env: {
      PATH: process.env.PATH,
      ...ENV,
      IMAGE: image,
      STATE_DIR: state,
      LISTEN_ADDRESS: ADDRESS,
      MARATHON_URL: 'http://127.0.0.1:1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk));
  t.after(() => child.kill('SIGKILL'));
  return { process: child, state, output: () => said };
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'state-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function answersPing(container: Container, port: number): Promise<void> {
  const url = `http://${ADDRESS}:${port}/.well-known/acme-challenge/ping`;
  await until(async () => (await fetch(url)).status === 200, 'the container answers ping').catch((error: Error) => {
    throw new Error(`${error.message}\n${container.output()}`);
  });
}

function identity(pid: number | undefined): Record<string, string> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Object.fromEntries(
    [...status.matchAll(/^(Uid|Gid|Groups):[ \t]*(.*?)[ \t]*$/gm)].map(([, key, value]) => [key, value]),
  );
}

async function exitCode({ process }: Container): Promise<unknown> {
  process.kill('SIGTERM');
  const [code] = await once(process, 'exit');
  return code;
}

test('the image starts as root, binds port 80, takes over an old folder and goes on as its own user', async (t) => {
  const state = newFolder(t);
  mkdirSync(join(state, 'accounts'));
  writeFileSync(join(state, 'accounts', 'private_key.json'), '{}', { mode: 0o600 });
  const container = start(t, { state });
  await answersPing(container, 80);
  await until(() => identity(container.process.pid).Uid === `${UID}\t${UID}\t${UID}\t${UID}`, 'it is its own user');
  assert.deepEqual(identity(container.process.pid), {
    Uid: `${UID}\t${UID}\t${UID}\t${UID}`,
    Gid: `${GID}\t${GID}\t${GID}\t${GID}`,
    Groups: '',
  });
  assert.deepEqual(
    [state, join(state, 'accounts', 'private_key.json')].map((path) => statSync(path).uid),
    [UID, UID],
  );
  assert.equal(await exitCode(container), 0, container.output());
});

test('started as an ordinary user it works with what it owns', async (t) => {
  const state = newFolder(t);
  chownSync(state, 4321, 4321);
  const as = ['setpriv', '--reuid=4321', '--regid=4321', '--clear-groups'];
  // The bundle is read by that user; its temporary folder is the test's own.
  execFileSync('chmod', ['-R', 'a+rX', image]);
  const container = start(t, { state, as, env: { HTTP_PORT: '8080' } });
  await answersPing(container, 8080);
  assert.equal(identity(container.process.pid).Uid, '4321\t4321\t4321\t4321');
  await until(() => (statSync(state).mode & 0o777) === 0o700, 'the folder is its own alone');
  assert.equal(await exitCode(container), 0, container.output());
});

test('a wrong setting ends it with code 2 and a line for each mistake', async (t) => {
  const container = start(t, { state: newFolder(t), env: { HTTP_PORT: '80a', KEY_TYPE: 'dsa' } });
  const [code] = await once(container.process, 'exit');
  assert.equal(code, 2);
  for (const name of ['HTTP_PORT', 'KEY_TYPE']) assert.ok(container.output().includes(name), container.output());
});
