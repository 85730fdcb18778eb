/**
 * The program as it is shipped, in the 128 MB of its definition, among servers that answer with 64 MiB each time they are
 * asked: it stays up, says what it met, and goes on when they are well again.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { issue } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { OUR_PROGRAM } from '../support/images.ts';
import { ENOUGH_MIB, MIB, startBoxed } from '../support/memory-box.ts';
import { until } from '../support/until.ts';

const HOST = '127.0.0.1';
const FLOOD_MIB = 64;
const CHUNK = Buffer.alloc(64 * 1024, 'x');

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

/** As large as is still read: an app with a label of megabytes, and not ours. */
const LONG_APP = JSON.stringify({ app: { id: '/a', version: 'x', labels: { LONG: 'x'.repeat(4 * MIB - 100) } } });

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
    if (sick.long) return void response.end(LONG_APP);
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

test('64 MiB from every side are survived in 128 MB', async (t) => {
  const { sick, met, env, ownPort, relabel } = await world(t);
  const adminPort = await freePort(HOST);
  const state = mkdtempSync(join(tmpdir(), 'state-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const [, program = ''] = OUR_PROGRAM;
  const own = { ADMIN_PORT: String(adminPort), STATE_DIR: state };
  const { child, told, peak } = startBoxed(t, [program, 'run'], { ...env, ...own });
  const status = async (): Promise<string> =>
    (await fetch(`http://${HOST}:${adminPort}/api/status`, { signal: AbortSignal.timeout(10_000) })).text();
  let last = '';
  const comes = async (look: () => unknown, why: string): Promise<void> => {
    const alive = (): boolean => child.exitCode === null && child.signalCode === null;
    await until(async () => !alive() || Boolean(await look()), why, 30_000).catch((error: Error) =>
      assert.fail(`${error.message}\n${last}\n${told().slice(-3_000)}`),
    );
    assert.ok(alive(), `${why}: ${told().slice(-3_000)}`);
  };
  const says = (words: RegExp, why: string): Promise<void> =>
    comes(async () => {
      last = await status();
      return words.test(last);
    }, why);
  const stage = (what: string): void =>
    t.diagnostic(`${what}: at most ${peak().toFixed(0)} MiB, ${Math.round(performance.now() - begun)} ms`);
  const begun = performance.now();

  await comes(status, 'up');
  stage('start');
  await says(/larger than/, 'Marathon is too long-winded');
  await comes(() => met.events >= FLOOD_MIB * MIB, 'an event is read to its end');
  stage('Marathon and its events');

  sick.marathon = false;
  sick.long = true;
  for (let round = 0; round < 4; round++) {
    const { apps } = met;
    child.kill('SIGHUP');
    await comes(() => met.apps > apps + 1, 'Marathon is asked again');
  }
  await says(/no-names/, 'what was read is an app, and not ours');
  stage('Marathon, just not too long');

  sick.long = false;
  child.kill('SIGHUP');
  await comes(() => met.https > 0, 'the wire is looked at');
  await says(/TLS handshake|unreachable|cannot|EPROTO|ERR_SSL/, 'what HTTPS answers is no TLS');
  stage('wire');

  relabel('a.shop.net,b.shop.net');
  child.kill('SIGHUP');
  await comes(() => met.http > 0, 'the route is looked at');
  await says(/marathon-lb at [^ ]*: .* HTTP 200/, 'what HTTP answers is not ours');
  stage('route');

  sick.http = false;
  child.kill('SIGHUP');
  await comes(() => met.ca > 0, 'an account is asked for');
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
  assert.ok(peak() < ENOUGH_MIB, `${peak().toFixed(0)} MiB at its peak`);
  child.kill('SIGTERM');
  await until(() => child.exitCode !== null, 'it ends when it is told to');
  assert.equal(child.exitCode, 0, told().slice(-2_000));
});
