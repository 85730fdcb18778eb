/**
 * `status`, `doctor` and `completion` as processes: asked of instances well and sick, of folders sound and damaged, in a
 * pipe and on a terminal, and what a shell makes of the completion.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { main } from '../../src/cli.ts';
import { Store } from '../../src/store.ts';
import { startCannedMarathon } from '../support/canned-marathon.ts';
import { issue } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { DAY, DIRECTORY, failure, inFlight, remembering } from '../support/observation.ts';
import { statusIn, type WorldName } from '../support/page-worlds.ts';
import { listen } from '../support/recording-proxy.ts';
import { assertNoLeaks } from '../support/sweep.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const HOST = '127.0.0.1';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** In this process, with streams and an environment that are handed in: one process each would take a second. */
async function ran(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const texts = { out: '', err: '' };
  const code = await main(args, {
    env,
    signal: new AbortController().signal,
    out: (text) => (texts.out += text),
    err: (text) => (texts.err += text),
    terminal: { out: false, err: false, columns: 80 },
  });
  assertNoLeaks([{ from: `the command ${args.join(' ')}`, text: texts.out + texts.err }], new Map());
  return { code, ...texts };
}

/** Somebody on an admin port. */
async function answering(t: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const { port, close } = await listen(
    createServer((_request, response) => answer(response)),
    0,
    HOST,
  );
  t.after(close);
  return `http://${HOST}:${port}`;
}

const keeper = (t: TestContext, world: WorldName): Promise<string> =>
  answering(t, (response) => response.end(JSON.stringify(statusIn(world))));

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'status-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const exits: readonly { world: WorldName; code: number }[] = [
  { world: 'live', code: 0 },
  { world: 'degraded', code: 1 },
  { world: 'blind', code: 1 },
];
for (const { world, code } of exits) {
  test(`status of an instance that is ${world}: exit code ${code}, plain text in a pipe, the same as JSON`, async (t) => {
    const url = await keeper(t, world);
    const text = await ran(['status', '--url', url], { LANG: 'C.UTF-8' });
    assert.deepEqual([text.code, text.err], [code, '']);
    assert.match(text.out, new RegExp(`^. ${world} {2}`));
    assert.equal(text.out.includes('\x1b'), false);
    const { out, ...json } = await ran(['status', '--json', '--url', `${url}/`]);
    assert.deepEqual([json.code, json.err], [code, '']);
    assert.equal((JSON.parse(out) as { plan: { certificate: { state: string } } }).plan.certificate.state, world);
  });
}

const nobodies: readonly { name: string; answer: (response: ServerResponse) => void; says: RegExp }[] = [
  { name: 'a page', answer: (response) => response.end('<html>hello'), says: /something else than letsencrypt-dcos/ },
  { name: 'other JSON', answer: (response) => response.end('{"status":"up"}'), says: /something else than/ },
  { name: 'an error', answer: (response) => response.writeHead(500).end('{}'), says: /something else than/ },
  { name: 'a broken answer', answer: (response) => response.destroy(), says: /does not answer: ECONNRESET/ },
  {
    name: 'an answer without end',
    answer: (response) => {
      const more = (): unknown => response.write('x'.repeat(1 << 20), more);
      more();
    },
    says: /something else than/,
  },
  { name: 'silence', answer: () => undefined, says: /no answer within 5 s/ },
];
for (const { name, answer, says } of nobodies) {
  test(`status where ${name} comes: exit code 3, and what was met`, async (t) => {
    const { code, out, err } = await ran(['status', '--url', await answering(t, answer)]);
    assert.deepEqual([code, out], [3, '']);
    assert.match(err, says);
    assert.match(err, /\nName the admin port of a running task/);
  });
}

test('status --url with what is no address: exit code 3, told in a sentence', async () => {
  const { code, err } = await ran(['status', '--url', 'ftp://a']);
  assert.equal(code, 3);
  assert.match(
    err,
    /^No instance answers: 'ftp:\/\/a' is no address like http:\/\/HOST:PORT\nName the admin port of .*\n$/,
  );
});

test('status --url with a password in it does not repeat the password', async () => {
  for (const url of ['ftp://u:sesame@a', 'http://u:sesame@127.0.0.1:1']) {
    assert.doesNotMatch((await ran(['status', '--url', url])).err, /sesame/);
  }
});

test('status on a laptop: the instance is found where Marathon shows its admin port', async (t) => {
  const port = Number(new URL(await keeper(t, 'live')).port);
  const task = {
    id: 'us.1',
    host: HOST,
    ports: [31_000, port],
    state: 'TASK_RUNNING',
    version: '2026-01-01T00:00:00Z',
  };
  const app = {
    id: '/letsencrypt-dcos',
    version: '2026-01-01T00:00:00Z',
    tasks: [task],
    networks: [{ mode: 'container/bridge' }],
    container: { portMappings: [{ containerPort: 80 }, { containerPort: 9000 }] },
  };
  const marathon = await startCannedMarathon(t, [{ body: { app } }]);
  const env = { MARATHON_URL: marathon.url, LISTEN_ADDRESS: '127.0.0.9' };
  const { code, out, err } = await ran(['status'], env);
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, new RegExp(`at http://${HOST}:${port}`));

  const withoutPort = await ran(['status'], { ...env, ADMIN_PORT: '9001' });
  assert.equal(withoutPort.code, 3);
  assert.match(
    withoutPort.err,
    /9001 does not answer: ECONNREFUSED\n {2}Marathon shows no host port of us\.1 for ADMIN_PORT 9001/,
  );
});

test('status with nobody anywhere: exit code 3, each place that was tried, and what to do', async () => {
  const port = String(await freePort(HOST));
  const { code, out, err } = await ran(['status'], { ADMIN_PORT: port, MARATHON_URL: `http://${HOST}:${port}` });
  assert.deepEqual([code, out], [3, '']);
  assert.match(
    err,
    /^No instance answers:\n {2}http:\/\/127\.0\.0\.1:\d+ does not answer: ECONNREFUSED\n {2}Marathon: GET/,
  );
  assert.match(err, /--url http:\/\/HOST:PORT .*--state/);
});

test('what Marathon and an instance say cannot steer the terminal, in text or as JSON', async (t) => {
  const app = { id: '/letsencrypt-dcos', version: '2026-01-01T00:00:00Z', tasks: [] };
  const lastTaskFailure = { timestamp: '2026-01-01T00:00:00Z', state: '\x1b[2J\x1b]0;gone\x07', message: 'killed' };
  const marathon = await startCannedMarathon(t, [{ body: { app: { ...app, lastTaskFailure } } }]);
  const port = String(await freePort(HOST));
  const { err } = await ran(['status'], { ADMIN_PORT: port, MARATHON_URL: marathon.url });
  assert.match(err, /with \?\[2J\?\]0;gone\? killed/);

  const url = await answering(t, (response) =>
    response.end(JSON.stringify({ ...statusIn('live'), version: '\x9b2J' })),
  );
  const { out } = await ran(['status', '--json', '--url', url]);
  assert.equal(JSON.parse(out).version, '?2J');
});

async function kept(dir: string): Promise<CertificateBundle> {
  const store = new Store(dir);
  await store.open();
  const bundle = CertificateBundle.parse(
    issue({ domains: ['a.example.com', 'b.example.com'], notBefore: new Date(Date.now() - 10 * DAY) }).pem,
  );
  await store.saveAccount({ directory: DIRECTORY, url: 'https://ca.example.com/acct/1', keyPem: inFlight().keyPem });
  await store.saveBundle(bundle, DIRECTORY);
  await store.saveOrder(inFlight());
  const issued = [{ at: new Date(), directory: DIRECTORY, set: 'another', fingerprint: 'AB' }];
  await store.changeLedger(() => ({ ...remembering(bundle), issued, failures: [failure({ at: new Date() })] }));
  return bundle;
}

async function traces(dir: string): Promise<readonly unknown[]> {
  const names = ['.', ...(await readdir(dir))];
  return Promise.all(
    names.map(async (name) => {
      const { ino, size, mode, mtimeMs, ctimeMs } = await stat(join(dir, name));
      return [name, ino, size, mode, mtimeMs, ctimeMs];
    }),
  );
}

test('status of a state folder: all that is kept, no key, and no trace of the look', async (t) => {
  const dir = await folder(t);
  const bundle = await kept(dir);
  const before = await traces(dir);
  const { code, out, err } = await ran(['status', '--state', dir]);
  assert.deepEqual([code, err], [0, '']);
  for (const pattern of [
    /the certificate is good until/,
    /names: a\.example\.com, b\.example\.com\n/,
    /posted as HAPROXY_SSL_CERT/,
    /account at https:\/\/acme-v02.*: https:\/\/ca\.example\.com\/acct\/1/,
    /order under way since 2026-11-22 .* for a\.net, b\.net: https/,
    /1 of 40 certificates in 7 days/,
    /What failed last\n.*ACME: a\.net: unauthorized: 404/,
  ])
    assert.match(out, pattern);
  const json = JSON.parse((await ran(['status', '--json', '--state', dir])).out) as {
    certificate: { fingerprint: string };
  };
  assert.equal(json.certificate.fingerprint, bundle.fingerprint);
  assert.deepEqual(await traces(dir), before);
});

test('status of a damaged state folder: what is wrong with which file, and what is still good', async (t) => {
  const dir = await folder(t);
  await kept(dir);
  await writeFile(join(dir, 'ledger.json'), '{"formatVersion":1,"failures":7}');
  await writeFile(join(dir, 'order.json'), '');
  await writeFile(join(dir, 'account-x.json'), '\u0000\u0001');
  const before = await traces(dir);
  const damaged = await ran(['status', '--state', dir]);
  assert.equal(damaged.code, 0, damaged.err);
  assert.match(damaged.out, /ledger\.json is damaged: failures is no list/);
  assert.match(damaged.out, /order\.json is damaged: it is empty/);
  assert.match(damaged.out, /account-x\.json is damaged: it is no whole JSON document/);
  assert.match(damaged.out, /names: a\.example\.com/);
  assert.deepEqual(await traces(dir), before);
  await writeFile(join(dir, 'certificate.json'), '{}');
  const gone = await ran(['status', '--state', dir]);
  assert.equal(gone.code, 1);
  assert.match(gone.out, /no certificate is in it/);
});

test('status of an empty folder, of none, and of a file: exit code 1 and a sentence', async (t) => {
  const dir = await folder(t);
  assert.match((await ran(['status', '--state', dir])).out, /nothing of ours is in it: name the folder/);
  const none = await ran(['status', '--state', join(dir, 'not-there')]);
  assert.deepEqual([none.code, none.out], [1, '']);
  assert.match(none.err, /not-there cannot be looked into: ENOENT/);
  await writeFile(join(dir, 'file'), '');
  assert.match((await ran(['status', '--state', join(dir, 'file')])).err, /is no folder/);
});

test('doctor where nothing can be reached: it ends, tells each thing once, and exits with 1', async (t) => {
  const port = await freePort(HOST);
  const env = {
    MARATHON_URL: `http://${HOST}:${port}`,
    LETSENCRYPT_SERVER_URL: `http://${HOST}:${port}/dir`,
    PREFLIGHT_RESOLVERS: `${HOST}:${port}`,
    ADMIN_PORT: String(port),
    STATE_DIR: await folder(t),
  };
  const { code, out, err } = await ran(['doctor', '--json', 'a.example.com'], env);
  assert.deepEqual([code, err], [1, '']);
  const all = JSON.parse(out) as { check: string; verdict: string; says: string; subject: string }[];
  const verdicts = Object.fromEntries(all.map(({ check, verdict }) => [check, verdict]));
  assert.deepEqual(
    [verdicts.marathon, verdicts.app, verdicts.ca, verdicts.dns, verdicts.instance],
    ['wrong', 'unknown', 'wrong', 'unknown', 'unknown'],
  );
  assert.match(all.find(({ check }) => check === 'dns')?.says ?? '', /no DNS server answers/);
  assert.deepEqual(await readdir(env.STATE_DIR), []);
});

// On a terminal, which util-linux' script makes

const ERASE = '\r\x1b[2K';

/** What a person would see, with all that paints and erases; standard error goes to the same screen. */
async function onTerminal(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const words = [process.execPath, join(PROJECT, 'src/main.ts'), ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', `stty cols 60 rows 24; ${words}`, '/dev/null'], {
    env: { PATH: process.env.PATH ?? '', TERM: 'xterm', LANG: 'C.UTF-8', SHELL: '/bin/sh', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'close');
  return text;
}

test('on a terminal: what takes longer than a second is told and erased; then colours, and lines for its width', async (t) => {
  const url = await answering(t, (response) => {
    const late = setTimeout(() => response.end(JSON.stringify(statusIn('not-served'))), 1_600);
    response.once('close', () => clearTimeout(late));
  });
  const seen = await onTerminal(['status', '--url', url], {});
  const [progress, erased = '', ...more] = seen.split(ERASE).slice(1);
  assert.match(progress ?? '', /^\d+ s: looking for a running instance$/);
  const shown = more.at(-1) ?? erased;
  assert.ok(shown.startsWith('\x1b[31m✗ not-served\x1b[0m'), seen);
  assert.match(shown, /\r\n {11}\S/, 'a sentence that goes on below its beginning');
});

test('on a terminal with NO_COLOR: nothing is painted', async (t) => {
  const plain = await onTerminal(['status', '--url', await keeper(t, 'not-served')], { NO_COLOR: '1' });
  assert.ok(plain.startsWith('✗ not-served'), plain);
  assert.equal(plain.includes('\x1b['), false);
});

test('whoever reads has seen enough, as head has: no complaint', async () => {
  const command = `'${process.execPath}' '${join(PROJECT, 'src/main.ts')}' help | true`;
  const ended = new Promise<readonly string[]>((resolve) =>
    execFile('sh', ['-c', command], (_error, out, err) => resolve([out, err])),
  );
  assert.deepEqual(await ended, ['', '']);
});

// Shell completion

/** What bash offers at the end of these words, by the script that we print. */
async function offered(script: string, ...words: readonly string[]): Promise<readonly string[]> {
  const program = `source /dev/stdin <<'END'\n${script}\nEND
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _letsencrypt_dcos; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return new Promise((resolve, reject) => {
    execFile('bash', ['--norc', '-c', program, 'bash', 'letsencrypt-dcos', ...words], (error, out, err) => {
      if (error !== null || err !== '') reject(new Error(`${error?.message} ${err}`));
      else resolve(out.split('\n').filter((word) => word !== ''));
    });
  });
}

test('bash completes commands, options, folders and words, from the script that is printed', async (t) => {
  const { code, out: script } = await ran(['completion', 'bash']);
  assert.equal(code, 0);
  const dir = await folder(t);
  await chmod(dir, 0o755);
  assert.deepEqual(await offered(script, 'st'), ['status']);
  assert.ok((await offered(script, '')).includes('doctor'));
  assert.deepEqual(await offered(script, 'status', '--s'), ['--state']);
  assert.deepEqual(await offered(script, '--json', 'status', '--u'), ['--url']);
  assert.deepEqual(await offered(script, 'completion', 'f'), ['fish']);
  assert.deepEqual(await offered(script, 'help', 'pl'), ['plan']);
  assert.deepEqual(await offered(script, 'status', '--state', dir.slice(0, -1)), [dir]);
  await writeFile(join(dir, 'root.pem'), '');
  assert.deepEqual(await offered(script, 'audit', '--ca', join(dir, 'ro')), [join(dir, 'root.pem')]);
  assert.deepEqual(await offered(script, 'plan', '--st'), []);
});

/** What those shells make of it: test/conformance/shells.test.ts. */
test('the scripts for zsh and fish have every command, and no quote is left open', async () => {
  const { out: help } = await ran(['help']);
  const commands = [...help.matchAll(/^ {2}([a-z][a-z-]*) +\S/gm)].map(([, name]) => name ?? '');
  assert.ok(commands.includes('doctor') && commands.includes('completion'));
  for (const shell of ['zsh', 'fish']) {
    const { out } = await ran(['completion', shell]);
    for (const command of commands) assert.match(out, new RegExp(`\\b${command}\\b`), `${shell}: ${command}`);
    for (const line of out.split('\n')) assert.equal(line.split("'").length % 2, 1, `${shell}: ${line}`);
  }
});
