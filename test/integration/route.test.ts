/**
 * The look before an order: through a real HAProxy to our real listener, and past it to whatever else may answer.
 */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { Peers } from '../../src/peers.ts';
import { type LoadBalancerInstance, lookAtRoutes, type RouteVerdict } from '../../src/route.ts';
import { listenPublic } from '../../src/web/public.ts';
import { freePort } from '../support/free-port.ts';
import { type RunningHaproxy, startHaproxyWith } from '../support/haproxy-with.ts';

const PREFIX = '/.well-known/acme-challenge/';

interface World {
  readonly challenges: Challenges;
  /** A backend section named `sidecar`: our listener. */
  readonly sidecar: string;
  readonly signal: AbortSignal;
}

async function startWorld(t: TestContext): Promise<World> {
  const challenges = new Challenges();
  const listener = await listenPublic({
    host: '127.0.0.1',
    port: 0,
    challenges,
    peers: new Peers(undefined),
    isAlive: () => true,
  });
  t.after(() => listener.close());
  const sidecar = `backend sidecar\n  server one 127.0.0.1:${listener.port}\n`;
  return { challenges, sidecar, signal: new AbortController().signal };
}

async function startApp(t: TestContext, listener: http.RequestListener): Promise<number> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

/** For what no HTTP server would do. */
async function startServer(t: TestContext, onConnection: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer((socket) => onConnection(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

const instanceOf = ({ host, httpPort, httpsPort }: RunningHaproxy, taskId = 'lb.1'): LoadBalancerInstance => ({
  taskId,
  host,
  httpPort,
  httpsPort,
});

const at = (httpPort: number): LoadBalancerInstance => ({
  taskId: 'lb.1',
  host: '127.0.0.1',
  httpPort,
  httpsPort: undefined,
});

async function verdictFor(domain: string, instance: LoadBalancerInstance, world: World): Promise<RouteVerdict> {
  const [look] = await lookAtRoutes([instance], [domain], { ...world, timeoutMs: 3_000 });
  assert.ok(look);
  return look.verdict;
}

const isChallenge = `path_beg ${PREFIX}`;

test('each name is told as HAProxy routes it: ours, redirected, behind a password, another app, no backend', async (t) => {
  const world = await startWorld(t);
  const app = await startApp(t, (_request, response) => response.setHeader('Server', 'app/1').end('welcome'));
  const haproxy = await startHaproxyWith(t, {
    http: [
      'http-request auth realm r if { hdr(host) -i password.example } !{ http_auth(users) }',
      'redirect scheme https code 301 if { hdr(host) -i redirects.example }',
      'redirect prefix http://www.elsewhere.example code 302 if { hdr(host) -i moved.example }',
      'redirect location http://www.a.example:8080/x code 302 if { hdr(host) -i port.example }',
      'redirect prefix http://a.example code 303 if { hdr(host) -i other303.example }',
      'redirect prefix http://circle.example code 307 if { hdr(host) -i circle.example }',
      'redirect prefix http://a.example code 308 if { hdr(host) -i alias.example }',
      'use_backend app if { hdr(host) -i app.example }',
      'use_backend nobody if { hdr(host) -i down.example }',
      `use_backend sidecar if { ${isChallenge} } { hdr(host) -i a.example }`,
    ],
    https: [`use_backend sidecar if { ssl_fc_sni redirects.example } { ${isChallenge} }`],
    sections: [
      world.sidecar,
      `backend app\n  server one 127.0.0.1:${app}\n`,
      `backend nobody\n  server one 127.0.0.1:${await freePort()}\n`,
      'userlist users\n  user u insecure-password p\n',
    ],
  });
  const wanted: Readonly<Record<string, RouteVerdict>> = {
    'a.example': { kind: 'ours' },
    'redirects.example': { kind: 'ours' },
    'alias.example': { kind: 'ours' },
    'password.example': { kind: 'answered', status: 401, note: 'Unauthorized, text/html' },
    'moved.example': { kind: 'redirected', to: `http://www.elsewhere.example${PREFIX}…` },
    'port.example': { kind: 'redirected', to: 'http://www.a.example:8080/x' },
    'other303.example': { kind: 'answered', status: 303, note: 'See Other' },
    'circle.example': {
      kind: 'answered',
      status: 307,
      note: `redirects in a circle by http://circle.example${PREFIX}…`,
    },
    'app.example': { kind: 'answered', status: 200, note: 'OK, Server: app/1' },
    'down.example': { kind: 'answered', status: 503, note: 'Service Unavailable, text/html' },
    'nobody.example': { kind: 'answered', status: 503, note: 'Service Unavailable, text/html' },
  };
  const looks = await lookAtRoutes([instanceOf(haproxy)], Object.keys(wanted), { ...world, timeoutMs: 10_000 });
  assert.deepEqual(Object.fromEntries(looks.map(({ domain, verdict }) => [domain, verdict])), wanted);
});

test('a redirect to https through an instance without a port for it is told, not followed', async (t) => {
  const world = await startWorld(t);
  const rules = ['redirect scheme https code 301 if TRUE'];
  const haproxy = await startHaproxyWith(t, { http: rules });
  const verdict = await verdictFor('a.example', { ...instanceOf(haproxy), httpsPort: undefined }, world);
  assert.deepEqual(verdict, { kind: 'redirected', to: `https://a.example${PREFIX}…` });
});

test('a hundred names through two instances: each is told, and few connections are opened', async (t) => {
  const world = await startWorld(t);
  const rules = { http: [`use_backend sidecar if { ${isChallenge} }`], sections: [world.sidecar] };
  const first = await startHaproxyWith(t, rules);
  const second = await startHaproxyWith(t, { ...rules, host: '127.0.0.2' });
  const names = Array.from({ length: 100 }, (_, n) => `name-${n}.a-long-domain.example`);
  const instances = [instanceOf(first, 'lb.1'), instanceOf(second, 'lb.2')];
  let opened = 0;
  const count = (): unknown => (opened += 1);
  subscribe('net.client.socket', count);
  t.after(() => unsubscribe('net.client.socket', count));
  const looks = await lookAtRoutes(instances, names, { ...world, timeoutMs: 3_000 });
  assert.ok(opened <= 50, `${opened} connections for 200 looks`);
  assert.equal(looks.length, 200);
  assert.deepEqual(new Set(looks.map(({ verdict }) => verdict.kind)), new Set(['ours']));
  assert.deepEqual(new Set(looks.map(({ instance }) => instance.taskId)), new Set(['lb.1', 'lb.2']));
});

test('another process that knows every token is not taken for us', async (t) => {
  const world = await startWorld(t);
  const echo = await startApp(t, (request, response) => response.end(request.url?.slice(PREFIX.length)));
  assert.equal((await verdictFor('a.example', at(echo), world)).kind, 'answered');
});

test('the token is ours for the length of the look only', async (t) => {
  const world = await startWorld(t);
  const tokens: string[] = [];
  const port = await startApp(t, (request, response) => {
    const token = request.url?.slice(PREFIX.length) ?? '';
    tokens.push(token);
    response.end(`${world.challenges.answerTo(token)}\r\n`);
  });
  assert.deepEqual(await verdictFor('a.example', at(port), world), { kind: 'ours' });
  assert.equal(world.challenges.answerTo(tokens[0] ?? ''), undefined);
});

test('eleven redirects are one too many for the CA; ten are not', async (t) => {
  const world = await startWorld(t);
  const hops = async (count: number): Promise<RouteVerdict> => {
    const port = await startApp(t, (request, response) => {
      const url = new URL(`http://${request.headers.host}${request.url}`);
      const hop = Number(url.searchParams.get('hop') ?? 0);
      if (hop < count) response.writeHead(302, { Location: `${url.pathname}?hop=${hop + 1}` }).end();
      else response.end(world.challenges.answerTo(url.pathname.slice(PREFIX.length)));
    });
    return verdictFor('a.example', at(port), world);
  };
  assert.deepEqual(await hops(10), { kind: 'ours' });
  assert.deepEqual(await hops(11), { kind: 'answered', status: 302, note: 'more than 10 redirects' });
});

test('a redirect never leads the probe to another host of the cluster', async (t) => {
  const world = await startWorld(t);
  const visits: string[] = [];
  const inner = await startApp(t, (request, response) => response.end(String(visits.push(request.url ?? ''))));
  for (const location of [
    `http://127.0.0.1:${inner}/`,
    `http://localhost:${inner}/`,
    `//169.254.169.254/latest`,
    'file:///etc/passwd',
    `http://a.example:${inner}/`,
  ]) {
    const port = await startApp(t, (_request, response) => response.writeHead(302, { Location: location }).end());
    const verdict = await verdictFor('a.example', at(port), world);
    assert.equal(verdict.kind, 'redirected', location);
  }
  assert.deepEqual(visits, []);
});

test('an endless answer with hostile headers is cut short and shown harmlessly', async (t) => {
  const world = await startWorld(t);
  const port = await startServer(t, (socket) => {
    const server = `\x80\x9b\xe9${'x'.repeat(500)}`;
    socket.write(`HTTP/1.1 200 OK\r\nServer: ${server}\r\nTransfer-Encoding: chunked\r\n\r\n`, 'latin1');
    const more = (): void => void (socket.writable && socket.write(`400\r\n${'x'.repeat(1024)}\r\n`, more));
    more();
  });
  const verdict = await verdictFor('a.example', at(port), world);
  assert.equal(verdict.kind, 'answered');
  assert.match(verdict.kind === 'answered' ? verdict.note : '', /^OK, Server: [\x20-\x7e]{1,120}…$/);
});

test('nobody listens, or the task has no port for HTTP: unreachable, and why', async (t) => {
  const world = await startWorld(t);
  const port = await freePort();
  const refused = { kind: 'unreachable', note: `cannot connect to 127.0.0.1:${port}: ECONNREFUSED` };
  assert.deepEqual(await verdictFor('a.example', at(port), world), refused);
  const portless = { ...at(port), httpPort: undefined };
  const none = { kind: 'unreachable', note: 'the task has no host port for HTTP' };
  assert.deepEqual(await verdictFor('a.example', portless, world), none);
});

test('one name that does not answer waits its time; the others are told meanwhile', async (t) => {
  const world = await startWorld(t);
  const port = await startApp(t, ({ headers, url }, response) => {
    if (headers.host !== 'slow.example') response.end(world.challenges.answerTo(url?.slice(PREFIX.length) ?? ''));
  });
  const looks = await lookAtRoutes([at(port)], ['slow.example', 'a.example'], { ...world, timeoutMs: 2_000 });
  assert.deepEqual(
    looks.map(({ verdict }) => verdict),
    [{ kind: 'unreachable', note: 'no answer within 2 s' }, { kind: 'ours' }],
  );
});

test('an instance that answers nobody is given up after a few names, not after a hundred time-outs', async (t) => {
  const world = await startWorld(t);
  let asked = 0;
  const port = await startApp(t, () => {
    asked += 1;
  });
  const names = Array.from({ length: 100 }, (_, n) => `name-${n}.example`);
  const looks = await lookAtRoutes([at(port)], names, { ...world, timeoutMs: 500 });
  assert.ok(asked <= 16, `${asked} of 100`);
  assert.deepEqual(new Set(looks.map(({ verdict }) => verdict.kind)), new Set(['unreachable']));
});

test('a load balancer that closes kept connections between two names is asked again', async (t) => {
  const world = await startWorld(t);
  const port = await startServer(t, (socket) => {
    socket.once('data', (data) => {
      const token = data.toString().split(' ')[1]?.slice(PREFIX.length) ?? '';
      const body = world.challenges.answerTo(token) ?? '';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      socket.once('data', () => socket.resetAndDestroy()); // says keep-alive, and does not
    });
  });
  const names = Array.from({ length: 30 }, (_, n) => `name-${n}.example`);
  const looks = await lookAtRoutes([at(port)], names, {
    ...world,
    timeoutMs: 3_000,
  });
  assert.deepEqual(new Set(looks.map(({ verdict }) => verdict.kind)), new Set(['ours']));
});

test('shutting down ends the look at once, and is not an answer', async (t) => {
  const world = await startWorld(t);
  const port = await startApp(t, () => undefined);
  const stop = new AbortController();
  const look = lookAtRoutes([at(port)], ['a.example'], { ...world, timeoutMs: 60_000, signal: stop.signal });
  stop.abort(new Error('stopping'));
  await assert.rejects(look, /stopping/);
});
