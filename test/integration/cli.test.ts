/**
 * The command line as a process: what it prints where, its exit codes, and how it ends when it is asked to.
 *
 * Against real ports; Marathon is one that takes connections and never answers, or none at all.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseConfig, SETTINGS } from '../../src/config.ts';
import { freePort } from '../support/free-port.ts';
import { assertNoLeaks, secretsOf } from '../support/sweep.ts';
import { until } from '../support/until.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const HOST = '127.0.0.1';

interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** Nothing of this machine's environment gets in but what a process needs to start. */
function start(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: PROJECT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.err += text));
  const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]) => code ?? signal ?? null);
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
    assertNoLeaks([{ from: `the command ${args.join(' ')}`, text: texts.out + texts.err }], secretsOf(env));
  });
  return { child, out: () => texts.out, err: () => texts.err, ended };
}

async function ran(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const run = start(t, args, env);
  const code = await run.ended;
  return { code, out: run.out(), err: run.err() };
}

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'cli-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

type Environment = Awaited<ReturnType<typeof environment>> & { readonly NODE_OPTIONS?: string };

/** A whole environment: a Marathon that never answers, free ports, a folder. */
async function environment(t: TestContext) {
  const marathon = await listening(t, createServer());
  return {
    MARATHON_URL: `http://${HOST}:${marathon}`,
    LISTEN_ADDRESS: HOST,
    HTTP_PORT: String(await freePort(HOST)),
    ADMIN_PORT: String(await freePort(HOST)),
    STATE_DIR: await folder(t),
  };
}

async function isUp({ HTTP_PORT }: { readonly HTTP_PORT: string }): Promise<boolean> {
  const response = await fetch(`http://${HOST}:${HTTP_PORT}/.well-known/acme-challenge/ping`);
  return response.status === 200;
}

/** Between SIGTERM and SIGKILL, by default (CONTRACT §7). */
const MARATHON_GRACE_S = 3;

/** Node's option that makes every port take a minute to close. */
const SLOW_TO_CLOSE = `--import=data:text/javascript,${encodeURIComponent(`
  import { Server } from 'node:net';
  const { close } = Server.prototype;
  Server.prototype.close = function (done) {
    setTimeout(() => close.call(this, done), 60_000);
    return this;
  };
`)}`;

/** The keeper itself, once its ports are open. */
async function keeping(t: TestContext, env: Environment): Promise<Run> {
  const run = start(t, [], env);
  await until(() => isUp(env), `the ports are open; so far it said:\n${run.err()}`);
  return run;
}

test('--help tells the commands, every setting with its default, and the exit codes', async (t) => {
  const { code, out, err } = await ran(t, ['--help']);
  assert.deepEqual([code, err], [0, '']);
  for (const command of ['run', 'once', 'status', 'plan', 'config', 'completion', 'help'])
    assert.match(out, new RegExp(`^  ${command} `, 'm'));
  for (const { name, default: fallback } of SETTINGS) {
    const line = out.split('\n').find((one) => one.trim().split(/ +/)[0] === name);
    assert.ok(line?.endsWith(fallback), `${name}: ${line}`);
  }
  assert.match(out, /^Exit codes:\n {2}0 {2}.*\n {2}1 {2}.*\n {2}2 {2}.*\n {2}3 {2}/m);
});

test('help with a command, and a command with --help, are the same: what it takes, and the exit codes', async (t) => {
  const behind = await ran(t, ['status', '--help']);
  assert.deepEqual([behind.code, behind.err], [0, '']);
  assert.match(behind.out, /^Usage: letsencrypt-dcos status \[--url URL\] \[--state DIR\]/);
  assert.match(behind.out, /^Exit codes:$/m);
  assert.deepEqual(await ran(t, ['help', 'status']), behind);
});

test('--version tells the release, as package.json has it', async (t) => {
  const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
  assert.deepEqual(await ran(t, ['--version']), { code: 0, out: `${manifest.version}\n`, err: '' });
});

const misspelt: readonly { args: readonly string[]; told: RegExp }[] = [
  { args: ['renew'], told: /^There is no command 'renew'\.\n.*--help tells what there is\.\n$/ },
  { args: ['plna'], told: /^There is no command 'plna': did you mean 'plan'\?\n/ },
  { args: ['comp'], told: /^There is no command 'comp': did you mean 'completion'\?\n/ },
  { args: ['plan', 'now'], told: /^'plan' takes no argument, not 'now'\./ },
  { args: ['plan', '--state', '/x'], told: /^'plan' takes no --state\./ },
  { args: ['--force'], told: /^There is no option '--force'\.\n/ },
  { args: ['status', '--jsno'], told: /^There is no option '--jsno': did you mean '--json'\?\n/ },
  { args: ['completion'], told: /^'completion' needs bash\|zsh\|fish\./ },
  { args: ['completion', 'bsh'], told: /^'completion' takes bash\|zsh\|fish\. .*did you mean 'bash'\?/ },
  { args: ['status', '--url', 'http://a', '--state', '/x'], told: /^--url and --state are two places to look/ },
];
for (const { args, told } of misspelt) {
  test(`'${args.join(' ')}' is not understood: exit code 2, what was meant, and nothing on standard output`, async (t) => {
    const { code, out, err } = await ran(t, args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, told);
  });
}

test('mistaken settings: every one of them on a line of its own, exit code 2', async (t) => {
  const env = { HTTP_PORT: '80a', KEY_TYPE: 'rsa1024', MARATHON_TOKEN: 'sesame', MARATHON_USER: 'u' };
  const { code, out, err } = await ran(t, ['run'], env);
  assert.deepEqual([code, out], [2, '']);
  const lines = err.trimEnd().split('\n');
  for (const name of ['HTTP_PORT', 'KEY_TYPE', 'MARATHON_PASSWORD', 'Marathon'])
    assert.equal(lines.filter((line) => line.startsWith(`${name} `)).length, 1, err);
  assert.equal(lines.length, 4, err);
  assert.doesNotMatch(err, /sesame/);
});

test('a CA file that is not there is a mistaken setting, too', async (t) => {
  const files = { ACME_CA_FILE: '/nowhere/a.pem', MARATHON_CA_FILE: '/nowhere/b.pem' };
  const env = { ...(await environment(t)), ...files };
  const { code, err } = await ran(t, ['run'], env);
  assert.equal(code, 2);
  assert.equal(
    err,
    "ACME_CA_FILE must be a PEM file that this process can read, not '/nowhere/a.pem' (ENOENT)\n" +
      "MARATHON_CA_FILE must be a PEM file that this process can read, not '/nowhere/b.pem' (ENOENT)\n",
  );
});

const secrets = {
  MARATHON_URL: 'http://admin:hunter2@marathon.mesos:8080',
  HTTPS_PROXY: 'http://me:hunter3@proxy:3128',
  KEY_TYPE: 'ec256',
};

test('config shows what it goes by, and no secret', async (t) => {
  const { code, out, err } = await ran(t, ['config'], secrets);
  assert.deepEqual([code, err], [0, '']);
  assert.doesNotMatch(out, /hunter/);
  assert.match(out, /^MARATHON_URL=http:\/\/\*\*\*@marathon\.mesos:8080$/m);
  assert.match(out, /^KEY_TYPE=ec256$/m);
  assert.equal(out.trimEnd().split('\n').length, SETTINGS.length);
});

test('config --json is JSON, with a password shown as one that is set', async (t) => {
  const { out } = await ran(t, ['config', '--json'], { MARATHON_USER: 'u', MARATHON_PASSWORD: 'hunter4' });
  const { MARATHON_USER: user, MARATHON_PASSWORD: password } = JSON.parse(out) as Record<string, string>;
  assert.deepEqual([user, password], ['u', '***']);
  assert.doesNotMatch(out, /hunter/);
});

test('config shows the settings even where they are wrong, then what is wrong', async (t) => {
  const { code, out, err } = await ran(t, ['config'], { HTTP_PORT: '80a' });
  assert.equal(code, 2);
  assert.match(out, /^HTTP_PORT=80a$/m);
  assert.match(err, /^HTTP_PORT /);
});

for (const setting of ['HTTP_PORT', 'ADMIN_PORT'] as const) {
  test(`${setting} is taken: exit code 1, with a sentence that says which`, async (t) => {
    const env = { ...(await environment(t)), [setting]: String(await listening(t, createServer())) };
    const { code, err } = await ran(t, ['run'], env);
    assert.equal(code, 1, err);
    assert.match(err, new RegExp(`${setting}.*${env[setting]}`));
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} while Marathon does not answer: it ends with 0, and before its deadline, which would be told`, async (t) => {
    const run = await keeping(t, await environment(t));
    run.child.kill(signal);
    assert.deepEqual([await run.ended, run.err()], [0, '']);
  });
}

test('asked to end as soon as the challenge port is open, with most of itself not read yet: it ends well', async (t) => {
  const env = await environment(t);
  const run = start(t, [], env);
  const isOpen = (): Promise<boolean> =>
    new Promise((told) => {
      const socket = connect(Number(env.HTTP_PORT), HOST, () => told(true)).on('error', () => told(false));
      t.after(() => void socket.destroy());
    });
  await until(isOpen, 'the port is open');
  run.child.kill('SIGTERM');
  assert.deepEqual([await run.ended, run.err()], [0, '']);
});

test('asked twice to end while something takes its time: it ends at once, not by its deadline, which would be told', async (t) => {
  const run = await keeping(t, { ...(await environment(t)), NODE_OPTIONS: SLOW_TO_CLOSE });
  run.child.kill('SIGTERM');
  run.child.kill('SIGINT'); // another kind, for of two that are alike the kernel keeps one
  assert.equal(await run.ended, 'SIGKILL', 'its own: an exit would wait for the thread pool');
  assert.equal(run.err(), '');
});

test('asked once to end while something does not: it ends by its deadline, which is below the grace that Marathon gives, and says so', async (t) => {
  const run = await keeping(t, { ...(await environment(t)), NODE_OPTIONS: SLOW_TO_CLOSE });
  run.child.kill('SIGTERM');
  assert.equal(await run.ended, 'SIGKILL', 'its own: the ports would close after a minute');
  const told =
    /^not stopped within ([\d.]+) s after SIGTERM: ending at once; the next start goes on where this one was\n$/;
  assert.match(run.err(), told);
  assert.ok(Number(told.exec(run.err())?.[1]) < MARATHON_GRACE_S);
});

test('plan without a Marathon: says so, ends with 0, and leaves the folder as it was', async (t) => {
  const env = { ...(await environment(t)), MARATHON_URL: `http://${HOST}:${await freePort(HOST)}` };
  const { code, out, err } = await ran(t, ['plan'], env);
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^state +blind$/m);
  assert.match(out, /^why +Marathon: GET .*\/letsencrypt-dcos.*ECONNREFUSED/m);
  assert.deepEqual(await readdir(env.STATE_DIR), []);
});

test('plan --json is JSON and nothing else', async (t) => {
  const env = { ...(await environment(t)), MARATHON_URL: `http://${HOST}:${await freePort(HOST)}` };
  const { code, out } = await ran(t, ['plan', '--json'], env);
  assert.equal(code, 0);
  const told = JSON.parse(out) as { certificate: { state: string }; actions: unknown[] };
  assert.deepEqual([told.certificate.state, told.actions], ['blind', []]);
});

test('once --json without a Marathon: one pass, the reason on the last line, exit code 1; each line is JSON', async (t) => {
  const env = { ...(await environment(t)), MARATHON_URL: `http://${HOST}:${await freePort(HOST)}` };
  const { code, out } = await ran(t, ['once', '--json'], env);
  assert.equal(code, 1);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { certificate?: { state: string } });
  assert.equal(lines.at(-1)?.certificate?.state, 'blind');
});

test('the settings that these tests use are right', () => {
  assert.doesNotThrow(() => parseConfig(secrets));
});
