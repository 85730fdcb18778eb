/**
 * The program as it is shipped, in the 128 MB of its definition, among servers that answer with 64 MiB each time they are
 * asked: it stays up, says what it met, and goes on when they are well again.
 *
 * As root it runs in a memory cgroup, as Docker and Mesos would have it; everywhere the kernel's own high-water mark is
 * held to the same figure.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { issue } from '../support/certificates.ts';
import { freePort } from '../support/haproxy.ts';
import { OUR_PROGRAM } from '../support/images.ts';
import { until } from '../support/until.ts';

const HOST = '127.0.0.1';
const MIB = 1024 * 1024;
const LIMIT_MIB = 128;
const FLOOD_MIB = 64;
const CHUNK = Buffer.alloc(64 * 1024, 'x');
const DOCKERFILE = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
const FLAGS = (JSON.parse(/^ENTRYPOINT (.*)$/m.exec(DOCKERFILE)?.[1] ?? '[]') as string[]).slice(1, -1);

/** As much as the other side takes, up to 64 MiB, and then nothing more. */
async function flood(to: NodeJS.WritableStream & { destroyed?: boolean }, first: string): Promise<number> {
  let sent = 0;
  const closing = new AbortController();
  to.on('error', () => undefined);
  to.on('close', () => closing.abort());
  to.write(first);
  while (sent < FLOOD_MIB * MIB && !to.destroyed) {
    sent += CHUNK.length;
    if (to.write(CHUNK)) continue;
    await once(to, 'drain', { signal: closing.signal }).catch(() => undefined);
  }
  return sent;
}

async function serve(t: TestContext, listener: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** As large as is still read: an app with a label of megabytes, and thousands of deployments, none of them ours. */
const LONG_APP = JSON.stringify({ app: { id: '/a', version: 'x', labels: { LONG: 'x'.repeat(4 * MIB - 100) } } });
const STEPS = Array.from({ length: 10 }, (_, n) => ({
  actions: [{ action: 'ScaleApplication', app: `/group/app-${n}` }],
}));
const ONE = JSON.stringify({ id: 'd', affectedApps: ['/a'], steps: STEPS, currentStep: 1, totalSteps: 10 });
const DEPLOYMENTS = `[${ONE}${`,${ONE}`.repeat(Math.floor((8 * MIB) / (ONE.length + 1)) - 2)}]`;

/** Everything around the program, each part well or not. */
async function world(t: TestContext) {
  const sick = { marathon: true, long: false, http: true, ca: true };
  const met = { apps: 0, events: 0, http: 0, https: 0, ca: 0 };
  const ownPort = await freePort(HOST);
  const live = issue({ domains: ['a.shop.net'] });
  let vhosts = 'a.shop.net';
  const version = new Date(Date.now() - 60_000).toISOString();
  const appOf = (id: string): object => ({
    ...{ id, version, instances: 1, deployments: [], versionInfo: { lastConfigChangeAt: version } },
    env: id === '/marathon-lb' ? { HAPROXY_SSL_CERT: live.pem } : {},
    labels: { HAPROXY_0_VHOST: vhosts },
    tasks: [
      {
        id: `${id.slice(1)}.1`,
        host: HOST,
        ports: [],
        state: 'TASK_RUNNING',
        version,
        startedAt: version,
        stagedAt: version,
      },
    ],
  });

  const marathon = await serve(t, (request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/v2/events')) {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      void flood(response, 'event: api_post_event\r\ndata: ').then((sent) => {
        met.events += sent;
        response.write('\r\n\r\n');
      });
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/json' });
    met.apps += 1;
    if (sick.marathon) {
      return void flood(response, '{"app":{"id":"');
    }
    if (sick.long) return void response.end(path.includes('deployments') ? DEPLOYMENTS : LONG_APP);
    const id = /^\/v2\/apps(\/[^/?]+)$/.exec(path)?.[1];
    const body = id
      ? { app: appOf(id) }
      : path.endsWith('/versions')
        ? { versions: [] }
        : path.includes('queue')
          ? { queue: [] }
          : [];
    response.end(JSON.stringify(body));
  });
  const httpPort = await serve(t, (request, response) => {
    met.http += 1;
    if (sick.http) return void flood(response, 'x');
    const headers = { host: request.headers.host };
    http.get({ host: HOST, port: ownPort, path: request.url, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 0);
      reply.pipe(response);
    });
  });
  const sockets = new Set<net.Socket>();
  const https = net.createServer((socket) => {
    met.https += 1;
    sockets.add(socket);
    void flood(socket, '');
  });
  await new Promise<void>((resolve) => https.listen(0, HOST, resolve));
  t.after(() => {
    https.close();
    for (const socket of sockets) socket.destroy();
  });
  const ca: number = await serve(t, (request, response) => {
    const at = (path: string): string => `http://${HOST}:${ca}/${path}`;
    response.setHeader('Replay-Nonce', `nonce${Math.random()}`);
    if (request.url === '/directory') {
      const directory = {
        newNonce: at('nonce'),
        newAccount: at('account'),
        newOrder: at('order'),
        revokeCert: at('revoke'),
        keyChange: at('key'),
      };
      return void response.setHeader('Content-Type', 'application/json').end(JSON.stringify(directory));
    }
    if (request.method === 'HEAD') return void response.end();
    met.ca += 1;
    return void flood(response, '{"status":"');
  });
  const env = {
    ...{ MARATHON_URL: `http://${HOST}:${marathon}`, MARATHON_LB_HTTP_PORT: String(httpPort) },
    ...{ MARATHON_LB_HTTPS_PORT: String((https.address() as AddressInfo).port), PREFLIGHT: 'off', KEY_TYPE: 'ec256' },
    ...{ LETSENCRYPT_SERVER_URL: `http://${HOST}:${ca}/directory`, LISTEN_ADDRESS: HOST, HTTP_PORT: String(ownPort) },
    ...{ MARATHON_TIMEOUT: '10', PROBE_TIMEOUT: '3' },
  };
  const relabel = (names: string): void => {
    vhosts = names;
  };
  return { sick, met, env, ownPort, relabel };
}

/** A memory cgroup of its own, where this user may have one. */
function box(): string | undefined {
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const folder = join('/sys/fs/cgroup', v2 ? '' : 'memory', `letsencrypt-dcos-${process.pid}-${Date.now()}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, v2 ? 'memory.max' : 'memory.limit_in_bytes'), String(LIMIT_MIB * MIB));
    return folder;
  } catch {
    return undefined;
  }
}

function start(
  t: TestContext,
  env: Record<string, string>,
): { child: ChildProcess; cgroup: string | undefined; output: () => string } {
  const state = mkdtempSync(join(tmpdir(), 'state-'));
  const cgroup = box();
  // Into its cgroup before the program starts, so that every byte of it counts.
  const enter = cgroup === undefined ? 'exec "$@"' : `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`;
  const [node = '', program = ''] = OUR_PROGRAM;
  const child = spawn('sh', ['-c', enter, 'sh', node, ...FLAGS, program, 'run'], {
    env: { ...env, STATE_DIR: state, PATH: process.env.PATH ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk));
  t.after(async () => {
    child.kill('SIGKILL');
    await until(() => child.exitCode !== null || child.signalCode !== null, 'the program has ended');
    if (cgroup !== undefined) await until(() => rmdirSync(cgroup) ?? true, 'its cgroup is empty');
    rmSync(state, { recursive: true, force: true });
  });
  t.diagnostic(cgroup === undefined ? 'no cgroup to be had: by the high-water mark alone' : `in ${cgroup}`);
  return { child, cgroup, output: () => said };
}

test('64 MiB from every side are survived in 128 MB', async (t) => {
  const { sick, met, env, ownPort, relabel } = await world(t);
  const adminPort = await freePort(HOST);
  const { child, output } = start(t, { ...env, ADMIN_PORT: String(adminPort) });
  const status = async (): Promise<string> => {
    assert.deepEqual([child.exitCode, child.signalCode], [null, null], output());
    return (await fetch(`http://${HOST}:${adminPort}/api/status`, { signal: AbortSignal.timeout(2_000) })).text();
  };
  const says = async (words: RegExp, why: string): Promise<void> => {
    let last = '';
    await until(async () => {
      last = await status();
      return words.test(last);
    }, why).catch((error: Error) => assert.fail(`${error.message}\n${last}\n${output().slice(-3_000)}`));
  };
  /** Without the pages of the node binary, which are the kernel's to keep or drop. */
  const peak = (): number => {
    const memory = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const [most = 0, file = 0] = ['VmHWM', 'RssFile'].map((name) =>
      Number(new RegExp(`${name}:\\s+(\\d+)`).exec(memory)?.[1]),
    );
    return (most - file) / 1024;
  };
  const stage = (what: string): void =>
    t.diagnostic(`${what}: at most ${peak().toFixed(0)} MiB, ${Math.round(performance.now() - begun)} ms`);
  const begun = performance.now();

  await until(() => fetch(`http://${HOST}:${adminPort}/api/status`), 'up');
  stage('start');
  await says(/larger than/, 'Marathon is too long-winded');
  await until(() => met.events >= FLOOD_MIB * MIB, 'an event is read to its end');
  stage('Marathon and its events');

  sick.marathon = false;
  sick.long = true;
  const { apps } = met;
  child.kill('SIGHUP');
  await until(() => met.apps > apps + 1, 'Marathon is asked again');
  await says(/no-names/, 'what was read is an app, and not ours');
  stage('Marathon, just not too long');

  sick.long = false;
  child.kill('SIGHUP');
  await until(() => met.https > 0, 'the wire is looked at');
  await says(/TLS handshake|unreachable|cannot|EPROTO|ERR_SSL/, 'what HTTPS answers is no TLS');
  stage('wire');

  relabel('a.shop.net,b.shop.net');
  child.kill('SIGHUP');
  await until(() => met.http > 0, 'the route is looked at');
  await says(/marathon-lb at [^ ]*: HTTP 200/, 'what HTTP answers is not ours');
  stage('route');

  sick.http = false;
  child.kill('SIGHUP');
  await until(() => met.ca > 0, 'an account is asked for');
  await says(/newAccount at [^ ]*: unreadable/, 'the CA is too long-winded');
  stage('CA');

  const request = net.connect(ownPort, HOST);
  await flood(
    request,
    `POST /.well-known/acme-challenge/x HTTP/1.1\r\nHost: x\r\nContent-Length: ${FLOOD_MIB * MIB}\r\n\r\n`,
  );
  request.destroy();
  stage('challenge request');

  assert.equal((await fetch(`http://${HOST}:${ownPort}/.well-known/acme-challenge/ping`)).status, 200);
  assert.ok(peak() < LIMIT_MIB, `${peak().toFixed(0)} MiB at its peak`);
  child.kill('SIGTERM');
  await until(() => child.exitCode !== null, 'it ends when it is told to');
  assert.equal(child.exitCode, 0, output().slice(-2_000));
});
