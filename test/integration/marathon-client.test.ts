/** The client's dialogue with every kind of answer Marathon, its proxies and its networks give. Real sockets, real TLS. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { readApp } from '../../src/marathon/app.ts';
import type { MarathonAuth } from '../../src/marathon/auth.ts';
import { MarathonClient, type MarathonEvent } from '../../src/marathon/client.ts';
import { MarathonError } from '../../src/marathon/error.ts';
import { type Canned, startCannedMarathon } from '../support/canned-marathon.ts';
import { issue } from '../support/certificates.ts';
import { until } from '../support/until.ts';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/marathon/${name}`, import.meta.url), 'utf8'));
const LB = fixture('app-get.marathon-1.5plus.json').body;
const RESULT = fixture('deployments.json').put_result;
const ERRORS = fixture('error-bodies.json').cases as (Canned & { name: string; status: number })[];
const errorCase = (name: string) => ERRORS.find((one) => one.name === name) ?? assert.fail(name);
const never = new AbortController().signal;
const NONE: MarathonAuth = { kind: 'none' };

function client(urls: string | string[], options: { auth?: MarathonAuth; caPem?: string; timeoutMs?: number } = {}) {
  return new MarathonClient({ urls: [urls].flat(), auth: NONE, timeoutMs: 5_000, ...options });
}

/** The MarathonError of a call that has to fail. Nothing but that class may come out, and no body in any form. */
async function failure(call: Promise<unknown>): Promise<MarathonError> {
  const error = await call.then(
    () => assert.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof MarathonError, inspect(error));
  assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /BEGIN|axios|sesame/i);
  return error;
}

// Reading

test('an app is read with one GET that asks for JSON', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: LB }]);
  const app = await client(`${marathon.url}/service/marathon/`).app('marathon-lb', never);
  assert.equal(app.id, '/marathon-lb');
  assert.deepEqual(
    marathon.asked.map(({ method, path, headers }) => [method, path, headers.accept, headers.authorization]),
    [['GET', '/service/marathon/v2/apps/marathon-lb', 'application/json', undefined]],
  );
});

test('polls share a connection, and a dead kept-alive one is no failure', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: LB }, { body: LB }, { fault: 'reset' }, { body: LB }]);
  const asking = client(marathon.url);
  await asking.app('/marathon-lb', never);
  await asking.app('/marathon-lb', never);
  assert.equal(marathon.connections(), 1);
  await asking.app('/marathon-lb', never);
  assert.equal(marathon.asked.length, 4, 'one retry');
});

for (const form of ['running_1.1plus', 'running_0.15', 'just_accepted_1.8plus', 'none'] as const) {
  test(`deployments are read: ${form}`, async (t) => {
    const marathon = await startCannedMarathon(t, [{ body: fixture('deployments.json')[form] }]);
    const accepted = form.startsWith('just');
    const actions = accepted ? [] : ['RestartApplication'];
    const one = {
      id: RESULT.deploymentId,
      affectedApps: ['/marathon-lb'],
      currentStep: accepted ? 0 : 1,
      totalSteps: 1,
      actions,
    };
    assert.deepEqual(await client(marathon.url).deployments(never), form === 'none' ? [] : [one]);
  });
}

test('the queue says who waits for what', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: fixture('queue-stuck.json').body }, { body: { queue: [] } }]);
  const asking = client(marathon.url);
  const declined = { UnfulfilledRole: 3, InsufficientPorts: 1 };
  assert.deepEqual(await asking.queue(never), [
    { appId: '/marathon-lb', count: 1, overdue: true, timeLeftSeconds: 0, declined },
  ]);
  assert.deepEqual(await asking.queue(never), []);
});

test('what our labels were in the latest ten versions is told', async (t) => {
  const versions = Array.from({ length: 12 }, (_, minute) => `2021-05-02T11:${10 + minute}:00.000Z`);
  const old = { ...LB.app, labels: { HAPROXY_0_VHOST: 'a.example,b.example' } };
  const marathon = await startCannedMarathon(t, [{ body: { versions } }, ...versions.map(() => ({ body: old }))]);
  const labels = await client(marathon.url).pastLabels('/letsencrypt-dcos', never);
  assert.equal(labels.length, 10);
  assert.deepEqual(labels[0], old.labels);
  const [list, ...each] = marathon.asked.map(({ path }) => path);
  assert.equal(list, '/v2/apps/letsencrypt-dcos/versions');
  assert.ok(each.includes('/v2/apps/letsencrypt-dcos/versions/2021-05-02T11%3A21%3A00.000Z'), each.join(' '));
});

// Changing

test('a change sends the whole env with its references, the secrets and its length; never id or version', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: RESULT }]);
  const result = await client(marathon.url).putEnv(readApp(LB), { HAPROXY_SSL_CERT0: 'new' }, never);
  assert.deepEqual(result, RESULT);
  const [put] = marathon.asked;
  assert.ok(put);
  assert.deepEqual([put.method, put.path], ['PUT', '/v2/apps/marathon-lb']);
  assert.equal(put.headers['content-length'], String(Buffer.byteLength(put.body)));
  assert.equal(put.headers['content-type'], 'application/json');
  assert.deepEqual(JSON.parse(put.body), {
    env: { ...LB.app.env, HAPROXY_SSL_CERT0: 'new' },
    secrets: LB.app.secrets,
  });
});

test('the deployment is taken from the header where the body cannot be read', async (t) => {
  const headers = { 'Content-Type': 'text/plain', 'Marathon-Deployment-Id': 'd-1' };
  const marathon = await startCannedMarathon(t, [{ body: '?', headers }]);
  const result = await client(marathon.url).putEnv(readApp(LB), {}, never);
  assert.deepEqual(result, { deploymentId: 'd-1', version: undefined });
});

const UNKNOWN: [string, Canned][] = [
  ['a reset', { fault: 'reset' }],
  ['a reply that breaks off', { body: RESULT, fault: 'truncate' }],
  ['no reply in time', { fault: 'silence' }],
  ['no leader (502 HTML)', errorCase('no-current-leader')],
  ['a time-out inside Marathon (503 JSON)', errorCase('futures-timed-out')],
  [
    'a page instead of an answer',
    { body: '<html><title>Welcome</title></html>', headers: { 'Content-Type': 'text/html' } },
  ],
];
for (const [name, canned] of UNKNOWN) {
  test(`a change that ends in ${name} has an unknown outcome and goes to no other master`, async (t) => {
    const marathon = await startCannedMarathon(t, [canned]);
    const other = await startCannedMarathon(t, [{ body: RESULT }]);
    const asking = client([marathon.url, other.url], { timeoutMs: 300 });
    const error = await failure(asking.putEnv(readApp(LB), { A: 'b' }, never));
    assert.deepEqual([error.outcomeUnknown, error.retryable], [true, true], error.message);
    assert.deepEqual([marathon.asked.length, other.asked.length], [1, 0]);
  });
}

test('a change whose connection is refused goes to the next master', async (t) => {
  const gone = await startCannedMarathon(t, []);
  await gone.close();
  const other = await startCannedMarathon(t, [{ body: RESULT }]);
  assert.deepEqual(await client([gone.url, other.url]).putEnv(readApp(LB), {}, never), RESULT);
});

// Refusals

const SENTENCES: Readonly<Record<string, RegExp>> = {
  'app-unknown':
    /404 App '\/nope' does not exist; wrong id \(MARATHON_LB_ID, MARATHON_APP_ID\), or the account may not view this app$/,
  'app-locked':
    /409 App is locked .*; locked by deployment 97c136bf-5a28-4821-9d94-480d9fbb01c8; .* when that deployment has ended$/,
  'json-syntax': /400 Invalid JSON; see in the log of Marathon what it objects to/, // its details would quote what we sent
  validation:
    /422 Object is not valid; \/upgradeStrategy\/minimumHealthCapacity is greater than 1; correct the definition of that app/,
  'undefined-secret': /422 .*; \/env\/DCOS_SERVICE_ACCOUNT_CREDENTIAL\/secret references an undefined secret; correct/,
  'too-many-deployments': /403 Max number \(100\)(?!.*dcos:service)/,
  'adminrouter-403': /403 Forbidden; the account needs read and update on dcos:service:marathon/,
  'adminrouter-404':
    /404 404 Not Found: service not found.; this is not Marathon's own answer: is the path in MARATHON_URL right\?/,
  'adminrouter-503': /503 .*invalid Mesos state cache; this is not Marathon's own answer/,
  'route-unknown': /500 URI not found; is the path in MARATHON_URL right\?$/,
  'basic-auth-missing': /401 Error 401 Unauthorized; check MARATHON_USER/,
  'plugin-503-empty': /503 without a reason; this is not Marathon's own answer/,
};
const RETRYABLE = new Set(['too-many-deployments', 'adminrouter-404', 'app-locked', 'app-locked-no-ids', 'app-exists']);
for (const canned of ERRORS) {
  test(`a refusal is told in a sentence: ${canned.name}`, async (t) => {
    const marathon = await startCannedMarathon(t, [canned]);
    const error = await failure(client(marathon.url).putEnv(readApp(LB), { A: 'b' }, never));
    assert.ok(error.message.startsWith(`Marathon: PUT /v2/apps/marathon-lb: ${canned.status}`), error.message);
    assert.match(error.message, SENTENCES[canned.name] ?? /./);
    assert.equal(error.status, canned.status);
    assert.equal(error.retryable, canned.status >= 500 || RETRYABLE.has(canned.name));
    assert.equal(error.outcomeUnknown, canned.status >= 500);
    assert.equal(marathon.asked.length, 1);
  });
}

test('a message that quotes a PEM is withheld', async (t) => {
  const body = { message: 'bad: -----BEGIN PRIVATE KEY-----', details: [{ path: '/env', errors: ['-----BEGIN X'] }] };
  const marathon = await startCannedMarathon(t, [{ status: 422, body }]);
  await failure(client(marathon.url).app('/x', never));
});

const NOT_JSON: [string, Canned, RegExp][] = [
  [
    'a login page',
    { body: '<title>Sign in</title>', headers: { 'Content-Type': 'text/html' } },
    /200 with text\/html \("Sign in"\), not the JSON/,
  ],
  [
    'half an app that claims to be whole',
    { body: '{"app":{"env":{"K":"open sesame', headers: { 'Content-Type': 'application/json' } },
    /not the JSON/,
  ],
  [
    'an app sent as text',
    { body: '{"app":{"env":{"K":"open sesame"}}}', headers: { 'Content-Type': 'text/plain' } },
    /not the JSON/,
  ],
  ['something else in JSON', { body: { name: 'marathon' } }, /not an app/],
];
for (const [name, canned, sentence] of NOT_JSON) {
  test(`status 200 with ${name} is an error that may pass`, async (t) => {
    const marathon = await startCannedMarathon(t, [canned]);
    const error = await failure(client(marathon.url).app('/x', never));
    assert.match(error.message, sentence);
    assert.ok(error.retryable);
  });
}

test('a list that is no list is an error', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: {} }]);
  await failure(client(marathon.url).deployments(never));
  await failure(client(marathon.url).queue(never));
});

test('an answer beyond 4 MiB is not read to its end', async (t) => {
  const piece = Buffer.alloc(1024 * 1024, 'x');
  const serve: Canned['serve'] = (response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
      response.once('drain', more);
    };
    more();
  };
  const marathon = await startCannedMarathon(t, [{ serve }]);
  assert.match((await failure(client(marathon.url).app('/x', never))).message, /larger than 4194304 bytes/);
});

// Several masters

test('reads go on to the next master, and stay with the good one', async (t) => {
  const gone = await startCannedMarathon(t, []);
  await gone.close();
  const electing = await startCannedMarathon(t, [errorCase('no-current-leader')]);
  const good = await startCannedMarathon(t, [{ body: LB }]);
  const asking = client([gone.url, electing.url, good.url]);
  await asking.app('/marathon-lb', never);
  await asking.app('/marathon-lb', never);
  assert.deepEqual([electing.asked.length, good.asked.length], [1, 2]);
});

test("a 5xx in Marathon's own JSON is its answer: no other master is asked", async (t) => {
  const marathon = await startCannedMarathon(t, [errorCase('futures-timed-out')]);
  const other = await startCannedMarathon(t, [{ body: LB }]);
  await failure(client([marathon.url, other.url]).app('/x', never));
  assert.deepEqual([marathon.asked.length, other.asked.length], [1, 0]);
});

test('when no master answers, each is named with its reason', async (t) => {
  const gone = await startCannedMarathon(t, []);
  await gone.close();
  const silent = await startCannedMarathon(t, [{ fault: 'silence' }]);
  const error = await failure(client([gone.url, silent.url], { timeoutMs: 1_000 }).app('/x', never));
  assert.match(
    error.message,
    new RegExp(
      `${gone.url}: connect ECONNREFUSED.* | .*${silent.url}: no answer within 1 s; it is tried again by itself`,
    ),
  );
  assert.ok(error.retryable);
});

test('an only master that is silent is asked twice', async (t) => {
  const marathon = await startCannedMarathon(t, [{ fault: 'silence' }, { body: LB }]);
  await client(marathon.url, { timeoutMs: 1_000 }).app('/x', never);
  assert.equal(marathon.asked.length, 2);
});

test('an abort ends a request at once, as an abort', async (t) => {
  const marathon = await startCannedMarathon(t, [{ fault: 'silence' }]);
  const stop = new AbortController();
  const call = client(marathon.url).app('/x', stop.signal);
  call.catch(() => undefined);
  await until(() => marathon.asked.length === 1, 'the request');
  stop.abort();
  await assert.rejects(call, { name: 'AbortError' });
});

// Credentials

const TOKEN: MarathonAuth = { kind: 'token', token: 'sesame' };
const BASIC = `Basic ${Buffer.from('ali:open sesame').toString('base64')}`;

test('each kind of credentials has its header', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: LB }]);
  const withUserinfo = marathon.url.replace('//', '//ali:open%20sesame@');
  await client(marathon.url, { auth: TOKEN }).app('/x', never);
  await client(marathon.url, { auth: { kind: 'basic', user: 'ali', password: 'open sesame' } }).app('/x', never);
  await client(withUserinfo).app('/x', never);
  assert.deepEqual(
    marathon.asked.map(({ headers }) => headers.authorization),
    ['token=sesame', BASIC, BASIC],
  );
});

test('a password in the URL is in no message', async (t) => {
  const gone = await startCannedMarathon(t, []);
  await gone.close();
  await failure(client(gone.url.replace('//', '//ali:sesame@')).app('/x', never));
});

test('a token never goes to another origin, whatever redirects there', async (t) => {
  const foreign = await startCannedMarathon(t, [{ body: LB }]);
  for (const status of [301, 302, 303, 307, 308]) {
    const marathon = await startCannedMarathon(t, [{ status, headers: { Location: `${foreign.url}/v2/apps/x` } }]);
    const error = await failure(client(marathon.url, { auth: TOKEN }).app('/x', never));
    assert.match(error.message, new RegExp(`redirects to ${foreign.url}, which gets no credentials`));
    await failure(client(marathon.url, { auth: TOKEN }).putEnv(readApp(LB), {}, never));
  }
  assert.equal(foreign.asked.length, 0);
});

test('a redirect to a configured master is followed, with credentials', async (t) => {
  const leader = await startCannedMarathon(t, [{ body: LB }, { body: RESULT }]);
  const standby = await startCannedMarathon(t, ({ path }) => ({
    status: 307,
    headers: { Location: leader.url + path },
  }));
  const asking = client([standby.url, leader.url], { auth: TOKEN });
  const app = await asking.app('/marathon-lb', never);
  await asking.putEnv(app, { A: 'b' }, never);
  assert.deepEqual(
    leader.asked.map(({ method, headers }) => [method, headers.authorization]),
    [
      ['GET', 'token=sesame'],
      ['PUT', 'token=sesame'],
    ],
  );
});

test('a redirect to the leader that a master has named is followed; a masters own loop ends', async (t) => {
  const leader = await startCannedMarathon(t, [{ body: [] }]);
  const standby = await startCannedMarathon(t, ({ path }) => {
    if (path === '/v2/queue') return { status: 302, headers: { Location: '/v2/queue' } };
    if (path === '/v2/deployments') return { status: 302, headers: { Location: leader.url + path } };
    return { body: LB, headers: { 'X-Marathon-Leader': leader.url } };
  });
  const asking = client(standby.url, { auth: TOKEN });
  await failure(asking.deployments(never)); // not named yet
  await asking.app('/marathon-lb', never);
  assert.deepEqual(await asking.deployments(never), []);
  assert.equal(leader.asked[0]?.headers.authorization, 'token=sesame');
  assert.match((await failure(asking.queue(never))).message, /more than 3 redirects/);
});

// DC/OS service account

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

async function dcos(t: TestContext, marathon: (authorization: string | undefined) => Canned, login?: Canned) {
  let logins = 0;
  const cluster = await startCannedMarathon(t, ({ path, headers }) => {
    if (path !== '/acs/api/v1/auth/login') return marathon(headers.authorization);
    return login ?? { body: { token: `sesame${++logins}` } };
  });
  const loginEndpoint = `${cluster.url}/acs/api/v1/auth/login`;
  const credential = { uid: 'us', loginEndpoint, privateKey: KEY, scheme: 'RS256' };
  const asking = client(`${cluster.url}/service/marathon`, { auth: { kind: 'service-account', credential } });
  const paths = () => cluster.asked.map(({ method, path }) => `${method} ${path}`);
  return { cluster, asking, paths };
}

const LOGIN = 'POST /acs/api/v1/auth/login';
const GET_LB = 'GET /service/marathon/v2/apps/marathon-lb';

test('a service account logs in once and carries its token', async (t) => {
  const { cluster, asking, paths } = await dcos(t, () => ({ body: LB }));
  await Promise.all([asking.app('marathon-lb', never), asking.app('marathon-lb', never)]);
  assert.deepEqual(paths(), [LOGIN, GET_LB, GET_LB]);
  assert.equal(cluster.asked[2]?.headers.authorization, 'token=sesame1');
  assert.equal(cluster.asked[0]?.headers.authorization, undefined);
});

test('a token that Marathon refuses is renewed once, also for a change', async (t) => {
  let refused = 'token=sesame1';
  const { asking, paths } = await dcos(t, (header) =>
    header === refused ? errorCase('adminrouter-401') : { body: RESULT },
  );
  assert.deepEqual(await asking.putEnv(readApp(LB), {}, never), RESULT);
  const PUT = GET_LB.replace('GET', 'PUT');
  assert.deepEqual(paths(), [LOGIN, PUT, LOGIN, PUT]);
  refused = 'token=sesame2';
  await asking.putEnv(readApp(LB), {}, never);
  assert.equal(paths().length, 7);
});

test('a second 401 is an error, not a loop', async (t) => {
  const { asking, paths } = await dcos(t, () => errorCase('adminrouter-401'));
  const error = await failure(asking.app('marathon-lb', never));
  assert.deepEqual([error.status, error.retryable, paths()], [401, false, [LOGIN, GET_LB, LOGIN, GET_LB]]);
});

test('a refused login says what to check, and one that fails below may pass', async (t) => {
  const refused = await dcos(t, () => ({ body: LB }), { status: 401, body: '' });
  const error = await failure(refused.asking.app('marathon-lb', never));
  assert.match(error.message, /POST http.*\/login: 401 login gave no token; check uid and key .*clock/);
  const down = await dcos(t, () => ({ body: LB }), { fault: 'reset' });
  const other = await failure(down.asking.putEnv(readApp(LB), {}, never));
  assert.deepEqual([other.retryable, other.outcomeUnknown], [true, false], 'nothing was sent');
});

// TLS

test('an unknown CA is refused with a hint, and accepted once it is named', async (t) => {
  const own = issue({ domains: ['localhost'] });
  const marathon = await startCannedMarathon(t, [{ body: LB }], own);
  const error = await failure(client(marathon.url).putEnv(readApp(LB), {}, never));
  assert.match(error.message, /name the file in MARATHON_CA_FILE/);
  assert.equal(error.outcomeUnknown, false);
  assert.equal(marathon.asked.length, 0);
  await client(marathon.url, { caPem: own.rootPem }).app('/x', never);
  assert.equal(marathon.asked.length, 1);
});

test('a certificate for another name is refused, whatever its CA', async (t) => {
  const own = issue({ domains: ['elsewhere.example'] });
  const marathon = await startCannedMarathon(t, [{ body: LB }], own);
  const error = await failure(client(marathon.url, { caPem: own.rootPem }).app('/x', never));
  assert.match(error.message, /check https, the name in MARATHON_URL/);
});

test('https asked of an http port is told as such', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: LB }]);
  const error = await failure(client(marathon.url.replace('http:', 'https:')).app('/x', never));
  assert.match(error.message, /check https/);
});

// Events

const { response_head: HEAD, cases: TRANSCRIPTS } = fixture('sse-transcripts.json');

/** As Jetty sends it: no length, no chunked coding. Only in chunks, as a proxy may send it, does a reset differ from an end. */
function streaming(chunks: readonly string[], end: 'close' | 'reset' | 'open' = 'close'): Canned {
  return {
    serve: (response) => {
      response.useChunkedEncodingByDefault = end === 'reset';
      response.writeHead(200, HEAD.headers);
      response.flushHeaders();
      for (const chunk of chunks) response.write(chunk);
      if (end === 'close') response.end();
      if (end === 'reset') setImmediate(() => response.socket?.resetAndDestroy());
    },
  };
}

async function collect(events: AsyncIterable<MarathonEvent>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return types;
}

for (const { name, chunks, expect } of TRANSCRIPTS) {
  test(`events over a socket: ${name}`, async (t) => {
    const marathon = await startCannedMarathon(t, [streaming(chunks)]);
    assert.deepEqual(await collect(client(marathon.url, { auth: TOKEN }).events(never)), expect);
    const [asked] = marathon.asked;
    assert.equal(asked?.headers.accept, 'text/event-stream');
    assert.equal(asked?.headers.authorization, 'token=sesame');
    assert.match(asked?.path ?? '', /^\/v2\/events\?plan-format=light&event_type=event_stream_attached&/);
  });
}

test('an abort ends the events, in the stream as well as before it', async (t) => {
  const marathon = await startCannedMarathon(t, [streaming(TRANSCRIPTS[0].chunks, 'open'), { fault: 'silence' }]);
  const asking = client(marathon.url, { timeoutMs: 10_000 });
  const inStream = new AbortController();
  const seen: string[] = [];
  for await (const { type } of asking.events(inStream.signal)) {
    seen.push(type);
    if (type === 'deployment_success') inStream.abort();
  }
  assert.deepEqual(seen, ['event_stream_attached', 'deployment_success']);
  const before = new AbortController();
  const none = collect(asking.events(before.signal));
  await until(() => marathon.asked.length === 2, 'the second stream');
  before.abort();
  assert.deepEqual(await none, []);
});

test('the time-out of a request does not end a stream that has begun', async (t) => {
  let send: (chunk: string) => void = () => undefined;
  const serve: Canned['serve'] = (response) => {
    response.writeHead(200, HEAD.headers).flushHeaders();
    send = (chunk) => void response.write(chunk);
  };
  const marathon = await startCannedMarathon(t, [{ serve }]);
  const events = client(marathon.url, { timeoutMs: 1_000 }).events(never)[Symbol.asyncIterator]();
  const first = events.next();
  await until(() => marathon.asked.length === 1, 'the stream');
  setTimeout(() => send('event: late\r\ndata: {}\r\n\r\n'), 1_500);
  assert.equal((await first).value?.type, 'late');
  await events.return?.(undefined);
});

test("after other apps' events the stream rests for two seconds, after ours it does not", async (t) => {
  let send: (appId: string) => void = () => undefined;
  const serve: Canned['serve'] = (response) => {
    response.writeHead(200, HEAD.headers).flushHeaders();
    send = (appId) => void response.write(`event: status_update_event\r\ndata: ${JSON.stringify({ appId })}\r\n\r\n`);
  };
  const marathon = await startCannedMarathon(t, [{ serve }]);
  const events = client(marathon.url)
    .events(never, ({ appId }) => appId === '/ours')
    [Symbol.asyncIterator]();
  const tookMs = async (appId: string): Promise<number> => {
    send(appId);
    const began = performance.now();
    assert.equal((await events.next()).value?.appId, appId);
    return performance.now() - began;
  };
  const first = events.next();
  await until(() => marathon.asked.length === 1, 'the stream');
  send('/ours');
  await first;
  const [other, afterOther, afterOurs] = [await tookMs('/other'), await tookMs('/ours'), await tookMs('/ours')];
  assert.ok(afterOther > 1_900 && other < afterOther && afterOurs < afterOther, `${[other, afterOther, afterOurs]} ms`);
  await events.return?.(undefined);
});

const NO_EVENTS: [string, Canned, RegExp][] = [
  ['breaks', streaming(TRANSCRIPTS[0].chunks.slice(0, 1), 'reset'), /GET \/v2\/events: /],
  ['is refused for its Accept', errorCase('events-wrong-accept'), /GET \/v2\/events: 405 Error 405/],
  [
    'is a page',
    { body: '<title>x</title>', headers: { 'Content-Type': 'text/html' } },
    /200 with text\/html, not events/,
  ],
  [
    'leads to an unknown leader',
    { status: 302, headers: { Location: 'http://10.0.0.4:8080/v2/events' } },
    /redirects to http:\/\/10.0.0.4:8080/,
  ],
];
for (const [name, canned, sentence] of NO_EVENTS) {
  test(`a stream that ${name} throws a MarathonError`, async (t) => {
    const marathon = await startCannedMarathon(t, [canned]);
    assert.match((await failure(collect(client(marathon.url).events(never)))).message, sentence);
    assert.equal(marathon.asked.length, 1, 'the caller reconnects, not we');
  });
}
