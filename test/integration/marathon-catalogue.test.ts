/**
 * The catalogue of what goes wrong with Marathon: 27 failures, each asked of the simulator (or, where it cannot say such a
 * thing, of a server with canned answers), each with what the program does and the sentence that its operator reads.
 *
 * The program's loop runs in this process, its certificate is in the state folder, and the load balancer is a small TLS
 * server that serves what its environment says. Real HAProxys, a real CA and whole clusters are in test/e2e.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ConfigError, type Environment, parseConfig } from '../../src/config.ts';
import type { State } from '../../src/plan/verdict.ts';
import { processExecutor } from '../marathon-simulator/executor.ts';
import type { Simulator, SimulatorOptions } from '../marathon-simulator/simulator.ts';
import { startCannedMarathon } from '../support/canned-marathon.ts';
import { issue } from '../support/certificates.ts';
import { type Program, type Saying, startProgram, withCertificate } from '../support/in-process.ts';
import { simulated, WEB } from '../support/simulated.ts';
import { until } from '../support/until.ts';

const NAME = 'www.example.com';
const OURS = issue({ domains: [NAME] });
const LB = '/v2/apps/marathon-lb';
const HTTPS_PORT = 31_443;

/** A load balancer: TLS with what is in its environment; plain TCP while that is empty. Its health is that it listens. */
const LOAD_BALANCER = processExecutor({
  argv: [
    process.execPath,
    '-e',
    `const { HOST: host, HAPROXY_SSL_CERT: pem = '' } = process.env;
     const server = pem.trim() === '' ? require('node:net').createServer() : require('node:tls').createServer({ cert: pem, key: pem });
     server.on('error', () => process.exit(1)).on('tlsClientError', () => {}).listen(${HTTPS_PORT}, host);`,
  ],
});

const KILL_FIRST = { minimumHealthCapacity: 0, maximumOverCapacity: 0 };
const START_FIRST = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };

function loadBalancer(differing: object): Readonly<Record<string, unknown>> {
  return {
    id: '/marathon-lb',
    instances: 1,
    container: { type: 'DOCKER', docker: { image: 'lb' } },
    networks: [{ mode: 'host' }],
    portDefinitions: [{ port: HTTPS_PORT }],
    requirePorts: true,
    env: { HAPROXY_SSL_CERT: '', THEIRS: 'kept' },
    healthChecks: [
      { protocol: 'TCP', portIndex: 0, gracePeriodSeconds: 1_000, intervalSeconds: 1, timeoutSeconds: 20 },
    ],
    upgradeStrategy: KILL_FIRST,
    ...differing,
  };
}

const SELF = {
  id: '/letsencrypt-dcos',
  instances: 0,
  container: { type: 'DOCKER', docker: { image: 'web' } },
  labels: { HAPROXY_0_VHOST: NAME },
};

interface Stage {
  readonly marathon: Simulator;
  readonly faults: Simulator['faults'];
  readonly program: Program;
  /** Starts the program once more, on the same folder. */
  again(): Promise<Program>;
}

interface Row {
  readonly nth: number;
  readonly name: string;
  readonly simulator?: Partial<SimulatorOptions>;
  readonly agentCount?: number;
  /** Of the load balancer's definition. */
  readonly lb?: object;
  readonly env?: Environment;
  /** Before the program starts. */
  readonly fault?: (marathon: Simulator) => unknown;
  /** What the operator reads: in the status, or in the log. */
  readonly says?: Saying;
  readonly logs?: RegExp;
  /** When that has been read: what mends it, and what else has to be so. */
  readonly after?: (stage: Stage) => unknown;
  /** In the end; `live` unless told. */
  readonly ends?: State;
  /** PUTs of ours that reached Marathon; 1 unless told. */
  readonly puts?: number;
  /** What the simulator has to complain of; nothing unless told. */
  readonly violations?: readonly RegExp[];
}

const HTML = { 'Content-Type': 'text/html' };
const put = (what: object) => (marathon: Simulator) => marathon.faults.failNext({ method: 'PUT', path: LB, ...what });
const get = (what: object) => (marathon: Simulator) => marathon.faults.failNext({ method: 'GET', path: LB, ...what });

/** What somebody does who has mended something: another version of the load balancer, and its events, wake the program. */
const restart = ({ marathon }: Stage) => marathon.api('POST', `${LB}/restart`);

async function changeEnv(marathon: Simulator, change: object, force = ''): Promise<void> {
  const { body } = await marathon.api('GET', LB);
  const { env } = (body as { app: { env: object } }).app;
  await marathon.api('PUT', `${LB}${force}`, { env: { ...env, ...change } });
}

function ourDeployment(marathon: Simulator): string | undefined {
  return marathon.deploymentsOf('/marathon-lb').find(({ state }, nth) => nth > 0 && state === 'running')?.id;
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PUBLIC_KEY = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const DCOS = { kind: 'dcos', uid: 'us', publicKeyPem: PUBLIC_KEY } as const;
/** Its login endpoint is the simulator's, which is known when it has started. */
const account = (uid: string, url: string) =>
  JSON.stringify({
    scheme: 'RS256',
    uid,
    login_endpoint: `${url}/acs/api/v1/auth/login`,
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });

const ROWS: readonly Row[] = [
  {
    nth: 1,
    name: 'locked by a deployment: waited for, then the environment is read again and theirs is in it',
    fault: (marathon) => put({ before: () => changeEnv(marathon, { NEW: 'theirs' }) })(marathon),
    logs: /409 App is locked by one or more deployments.*locked by deployment [-0-9a-f]+/,
    puts: 2,
    violations: [/env loses NEW/], // of the PUT that was refused
    after: async ({ marathon, program }) => {
      await program.saysNow({ state: 'live' });
      const { body } = await marathon.api('GET', LB);
      assert.equal((body as { app: { env: { NEW: string } } }).app.env.NEW, 'theirs');
    },
  },
  {
    nth: 1,
    name: 'locked, and Marathon names no deployment',
    fault: put({ status: 409, body: { message: 'App is locked by one or more deployments.', deployments: [] } }),
    logs: /409 App is locked/,
    puts: 2,
  },
  {
    nth: 2,
    name: 'somebody overwrites ours after our PUT, and nobody is told (last write wins): posted once more, and said',
    says: { state: 'live' },
    after: async ({ marathon, program }) => {
      await changeEnv(marathon, { HAPROXY_SSL_CERT: '' }, '?force=true');
      await program.says({
        state: 'installing',
        why: /somebody replaced it, or rolled our deployment back; it is posted once more/,
      });
    },
    puts: 2,
  },
  {
    nth: 3,
    name: '401: what to check is said, and it is not repeated by itself',
    fault: put({ status: 401, body: '<html><title>Unauthorized</title></html>', headers: HTML }),
    says: { state: 'backing-off', why: /401 Unauthorized; check MARATHON_USER and MARATHON_PASSWORD/ },
    after: restart,
    puts: 2,
  },
  {
    nth: 3,
    name: 'a token that has expired: logged in again, once, and nobody needs to know',
    simulator: { auth: DCOS },
    fault: (marathon) =>
      put({ before: () => marathon.faults.expireTokens(), status: 401, body: '', headers: HTML })(marathon),
    says: { state: 'live' },
    after: ({ marathon }) => assert.ok(marathon.logins() >= 2, `${marathon.logins()} logins`),
    puts: 2,
  },
  {
    nth: 4,
    name: '403: the grants that are needed are said',
    fault: put({ status: 403, body: { message: 'Not Authorized to perform this action!' } }),
    says: {
      state: 'backing-off',
      why: /403 Not Authorized .* the account needs read and update on dcos:service:marathon/,
    },
    after: restart,
    puts: 2,
  },
  {
    nth: 4,
    name: '403 for too many deployments: that passes, so it is tried again, and no grant is asked for',
    simulator: { profile: '1.9' },
    fault: put({ status: 403, body: { message: 'Max number (100) of running deployments is achieved.' } }),
    says: {
      state: 'backing-off',
      why: /403 Max number \(100\) of running deployments is achieved\.; it is tried again by itself: .* end deployments that hang; next try/,
    },
    puts: 2,
  },
  {
    nth: 5,
    name: '404: wrong id, or not to be seen: both are said, and challenges are answered',
    fault: (marathon) => marathon.faults.hide('/marathon-lb'),
    says: {
      state: 'blind',
      why: /404 App '\/marathon-lb' does not exist; wrong id \(MARATHON_LB_ID, MARATHON_APP_ID\), or the account may not view this app/,
    },
    after: (stage) => {
      stage.faults.hide('/marathon-lb', false);
      return restart(stage);
    },
  },
  {
    nth: 6,
    name: "404 from Admin Router, which is not Marathon's",
    fault: get({
      status: 404,
      body: '404 Not Found: service not found.',
      headers: { 'Content-Type': 'text/plain' },
    }),
    says: {
      state: 'blind',
      why: /404 .*service not found.*not Marathon's own answer: is the path in MARATHON_URL right\?/,
    },
    after: restart,
  },
  {
    nth: 6,
    name: 'a path that Marathon does not know',
    fault: get({ status: 500, body: { message: 'URI not found' } }),
    says: { state: 'blind', why: /500 URI not found; is the path in MARATHON_URL right\?/ },
    after: restart,
  },
  {
    nth: 7,
    name: '422: path and rule are said, and the same body is not sent again',
    fault: put({
      status: 422,
      body: { message: 'Object is not valid', details: [{ path: '/env', errors: ['must not be so long'] }] },
    }),
    says: { state: 'backing-off', why: /422 Object is not valid; \/env must not be so long/ },
    after: restart,
    puts: 2,
  },
  {
    nth: 8,
    name: '500, and nothing was changed: tried again',
    fault: put({ status: 500, body: { message: 'Internal server error' } }),
    logs: /500 Internal server error/,
    puts: 2,
  },
  {
    nth: 8,
    name: '500, but the change was made: the state decides, not the reply',
    fault: put({ status: 500, body: { message: 'Internal server error' }, applied: true }),
    logs: /500 Internal server error/,
  },
  {
    nth: 8,
    name: '502 in HTML, and nothing was changed',
    fault: put({ status: 502, body: '<html><title>Error 502 Bad Gateway</title></html>', headers: HTML }),
    logs: /502 Error 502 Bad Gateway/,
    puts: 2,
  },
  {
    nth: 8,
    name: 'the connection breaks, and nothing was changed',
    fault: put({ status: 500, reset: true }),
    logs: /the change may have been made all the same/,
    puts: 2,
  },
  {
    nth: 8,
    name: 'the answer to the PUT never comes',
    fault: put({ applied: true, delayMs: 3_000 }),
    env: { MARATHON_TIMEOUT: '1' },
    logs: /the change may have been made all the same/,
  },
  {
    nth: 9,
    name: 'the leader changes while we wait: the same deployment goes on, and nothing is posted twice',
    fault: (marathon) => marathon.faults.delayStart('/marathon-lb', 2_500),
    says: { state: 'deploying', why: /deployment [-0-9a-f]+ of \/marathon-lb is running/ },
    after: ({ faults }) => faults.leaderFailover(3),
  },
  {
    nth: 10,
    name: 'the deployment never ends: looked into after its deadline, said with the cure, never forced, and seen when it ends',
    lb: { upgradeStrategy: START_FIRST },
    env: { DEPLOYMENT_TIMEOUT: '1' },
    says: {
      state: 'stuck',
      why: /has not ended: no second agent has its ports free/,
      cure: /set upgradeStrategy\.minimumHealthCapacity of \/marathon-lb to 0/,
    },
    after: async ({ marathon, program }) => {
      const foretold = program.plans
        .flatMap(({ notes }) => notes)
        .find((note) => note.startsWith('before the certificate'));
      assert.match(foretold ?? '', /needs port 31443: .* waits for ever/, 'it was foretold');
      await until(async () => (await marathon.api('GET', '/v2/deployments')).body, 'no hurry');
    },
    ends: 'stuck',
  },
  {
    nth: 11,
    name: 'somebody cancels our deployment: the old tasks stay, which is said with the cure',
    lb: { upgradeStrategy: START_FIRST },
    says: { state: 'deploying', why: /is running/ },
    after: async ({ marathon, program }) => {
      await marathon.api('DELETE', `/v2/deployments/${ourDeployment(marathon)}?force=true`);
      await program.says({
        state: 'deploying',
        why: /no deployment of it runs: somebody may have cancelled it/,
        cure: /dcos marathon app restart \/marathon-lb/,
      });
    },
    ends: 'deploying',
  },
  {
    nth: 11,
    name: 'somebody rolls our deployment back: said, and posted once more, not for ever',
    fault: (marathon) => marathon.faults.delayStart('/marathon-lb', 500),
    after: async ({ marathon, faults, program }) => {
      const id = await until(() => ourDeployment(marathon), 'our deployment');
      await marathon.api('DELETE', `/v2/deployments/${id}`);
      faults.delayStart('/marathon-lb', 0);
      await program.says({ state: 'installing', why: /or rolled our deployment back; it is posted once more/ });
    },
    puts: 2,
  },
  {
    nth: 12,
    name: 'ours is there already, written down otherwise: nothing is posted, and nothing is waited for',
    lb: { env: { HAPROXY_SSL_CERT: OURS.pem.replaceAll('\n', '\r\n') } },
    puts: 0,
  },
  {
    nth: 13,
    name: 'the list of deployments lags behind: done when the new tasks are there, not when the list is empty',
    simulator: { profile: '1.5' },
    fault: (marathon) => {
      marathon.faults.listLagMs = 60_000;
      marathon.faults.delayStart('/marathon-lb', 2_500);
    },
    says: { state: 'live' },
    after: ({ marathon, program }) => {
      const states = program.plans.map(({ certificate }) => certificate.state);
      assert.ok(states.includes('deploying'), states.join(' '));
      assert.equal(ourDeployment(marathon), undefined, 'not before it had ended');
    },
  },
  {
    nth: 14,
    name: 'the new tasks crash: said with their last words, taken back, and the same certificate is not posted again',
    fault: (marathon) => put({ before: () => marathon.faults.crashOnLaunch('/marathon-lb') })(marathon),
    says: {
      state: 'stuck',
      why: /\d new ones have failed since our certificate .* \(the last on 127\.41\.\d+\.2: TASK_FAILED /,
    },
    after: ({ program, faults }) => {
      faults.crashOnLaunch('/marathon-lb', 0);
      return program.says({ state: 'not-installable', why: /never posted again/, cure: /KEY_TYPE/ });
    },
    puts: 2, // ours, and what was there before
    ends: 'not-installable',
  },
  {
    nth: 15,
    name: 'the event stream ends at once, says things twice, says nothing, says garbage: polling is enough',
    fault: ({ faults }) => {
      faults.sse.closeAtOnce = 3;
      faults.sse.duplicate = true;
      faults.sse.missing = ['deployment_success', 'status_update_event'];
      faults.dropEventStreams();
      faults.sendRawToEventStreams('data: {half an eve');
    },
  },
  {
    nth: 16,
    name: 'huge clusters: one app is asked for, never the list of all',
    after: ({ marathon }) => {
      const lists = marathon.requests.filter(({ operator, path }) => !operator && path === '/v2/apps');
      assert.deepEqual(lists, []);
    },
  },
  {
    nth: 16,
    name: 'an answer of more than Marathon would give is not read to its end: said, and asked again',
    fault: get({ status: 200, body: { message: 'x'.repeat(20 * 1024 * 1024) } }),
    says: { state: 'blind', why: /the answer is larger than \d+ bytes/ },
    after: restart,
  },
  {
    nth: 17,
    name: 'a captive portal: a page of HTML with status 200',
    fault: get({ status: 200, body: '<html><title>Please log in</title></html>', headers: HTML }),
    says: { state: 'blind', why: /200 with text\/html \("Please log in"\), not the JSON of Marathon/ },
    after: restart,
  },
  { nth: 18, name: 'half an app: asked again at once', fault: get({ truncateAt: 20 }) },
  { nth: 18, name: 'half an answer to the PUT: the state decides', fault: put({ truncateAt: 10 }) },
  ...(['0.15', '1.4', '1.11'] as const).map((profile) => ({
    nth: 19,
    name: `an app that has no environment, as Marathon ${profile} writes it`,
    simulator: { profile },
    lb: {
      env: {},
      ...(profile === '1.11' ? {} : { networks: undefined, portDefinitions: undefined, ports: [HTTPS_PORT] }),
    },
  })),
  {
    nth: 19,
    name: 'a value that is a secret reference goes back as it came',
    simulator: { profile: '1.5.0', secrets: { 'lb/account': 'word' } },
    lb: { env: { ACCOUNT: { secret: 'account' } }, secrets: { account: { source: 'lb/account' } } },
    after: async ({ marathon, program }) => {
      await program.saysNow({ state: 'live' });
      const { body } = await marathon.api('GET', LB);
      assert.deepEqual((body as { app: { env: { ACCOUNT: object } } }).app.env.ACCOUNT, { secret: 'account' });
    },
  },
  {
    nth: 21,
    name: 'the login is refused: said with the two things to check, one of them the clock',
    simulator: { auth: DCOS },
    env: { DCOS_SERVICE_ACCOUNT_CREDENTIAL: 'nobody' },
    says: { state: 'blind', why: /401 login gave no token; check uid and key .* and this machine's clock/ },
    ends: 'blind',
    puts: 0,
  },
  {
    nth: 23,
    name: 'a redirect to somewhere else: no credentials go there, and what to do is said',
    fault: get({
      status: 302,
      body: '',
      headers: { Location: 'http://elsewhere.example/v2/apps/marathon-lb' },
    }),
    says: {
      state: 'blind',
      why: /redirects to http:\/\/elsewhere\.example, which gets no credentials from us; if .* add it to MARATHON_URL/,
    },
    after: restart,
  },
  {
    nth: 24,
    name: 'scaled to none: posted all the same, and said that nobody can serve it yet',
    lb: { instances: 0 },
    says: { state: 'unproven', why: /marathon-lb has no task that could serve/ },
    ends: 'unproven',
  },
  {
    nth: 25,
    name: 'one load balancer is stuck: the program goes on to look, answers challenges and says so plainly',
    lb: { upgradeStrategy: START_FIRST },
    env: { DEPLOYMENT_TIMEOUT: '1' },
    says: { state: 'stuck', why: /deployment [-0-9a-f]+ of \/marathon-lb has not ended/ },
    after: async ({ program, marathon }) => {
      const looks = program.plans.length;
      await marathon.api('PUT', '/v2/apps/letsencrypt-dcos', { labels: { ...SELF.labels, EDITED: 'yes' } });
      await until(() => program.plans.length > looks, 'another look');
      const [{ host } = { host: '' }] = marathon.tasksOf('/marathon-lb');
      const ping = await fetch(`http://${host}:31080/.well-known/acme-challenge/ping`);
      assert.equal(ping.status, 200);
    },
    ends: 'stuck',
  },
  {
    nth: 26,
    name: 'stopped while it waits: gone at once, the deployment goes on, and the next start posts nothing',
    fault: (marathon) => marathon.faults.delayStart('/marathon-lb', 5_000),
    says: { state: 'deploying', why: /is running/ },
    after: async ({ program, marathon, again }) => {
      await program.stop();
      assert.ok(ourDeployment(marathon), 'it did not wait for its end');
      await (await again()).saysNow({ state: 'live' });
    },
    ends: 'deploying', // the last word of the first
  },
];

test('the catalogue', { concurrency: 4 }, async (t) => {
  await Promise.all(ROWS.map((row, index) => t.test(`${row.nth}. ${row.name}`, (one) => tell(one, row, 100 + index))));
});

async function tell(t: TestContext, row: Row, net: number): Promise<void> {
  const images = { lb: LOAD_BALANCER, web: WEB };
  const marathon = await simulated(t, net, { images, ...row.simulator });
  await marathon.deployed(await marathon.add(loadBalancer(row.lb ?? {})));
  await marathon.add(SELF);
  const stateDir = await mkdtemp(join(tmpdir(), 'catalogue-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  await withCertificate(stateDir, OURS.pem);
  row.fault?.(marathon);
  const start = (): Promise<Program> => startProgram(t, `127.41.${net}.2`, environment(row, marathon, stateDir));
  const program = await start();
  if (row.says) await program.says(row.says);
  const stage = { marathon, faults: marathon.faults, program, again: start };
  if (row.logs) await until(() => row.logs?.test(program.log.join('')), `the log to say ${row.logs}`);
  await row.after?.(stage);
  await program.saysNow({ state: row.ends ?? 'live' });
  const puts = () => marathon.requests.filter(({ operator, method }) => !operator && method === 'PUT').length;
  const wanted = row.puts ?? 1;
  await until(() => puts() >= wanted, 'the PUTs to be recorded, which they are when they have been answered');
  assert.equal(puts(), wanted, 'PUTs');
  const { violations } = marathon;
  assert.equal(violations.length, row.violations?.length ?? 0, violations.join('\n'));
  for (const [nth, pattern] of (row.violations ?? []).entries()) assert.match(violations[nth] ?? '', pattern);
  assert.doesNotMatch(program.log.join(''), /PRIVATE KEY/);
}

function environment({ simulator, env }: Row, { url }: Simulator, stateDir: string): Environment {
  const uid = env?.DCOS_SERVICE_ACCOUNT_CREDENTIAL ?? 'us';
  return {
    MARATHON_URL: url,
    STATE_DIR: stateDir,
    KEY_TYPE: 'ec256',
    MARATHON_LB_HTTPS_PORT: String(HTTPS_PORT),
    ...env,
    ...(simulator?.auth && { DCOS_SERVICE_ACCOUNT_CREDENTIAL: account(uid, url) }),
  };
}

test('20. fields and values that nobody has heard of are passed over', async (t) => {
  const task = {
    id: 'lb.1',
    host: '127.0.0.1',
    ports: [443],
    state: 'TASK_TELEPORTING',
    version: '2026-01-01T00:00:00Z',
  };
  const app = {
    id: '/x',
    version: '2026-01-01T00:00:00Z',
    unheardOf: { deep: [1] },
    tasks: [task, 7, null],
    networks: [{ mode: 'quantum' }],
  };
  const marathon = await startCannedMarathon(t, [{ body: { app } }]);
  const stateDir = await mkdtemp(join(tmpdir(), 'catalogue-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const program = await startProgram(t, '127.41.99.2', {
    MARATHON_URL: marathon.url,
    STATE_DIR: stateDir,
    DOMAINS: NAME,
  });
  const { certificate } = await program.says({ state: 'waiting-for-route' });
  assert.match(certificate.why, /^\/x has no running task/);
});

test('22. a CA that nobody knows: told which setting names its file; verification stays on', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: {} }], issue({ domains: ['localhost'] }));
  const stateDir = await mkdtemp(join(tmpdir(), 'catalogue-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const program = await startProgram(t, '127.41.98.2', { MARATHON_URL: marathon.url, STATE_DIR: stateDir });
  await program.says({ state: 'blind', why: /if its CA is your own, name the file in MARATHON_CA_FILE/ });
  assert.equal(marathon.asked.length, 0);
});

test('27. a load balancer that is our own app is refused at the start, however it is written', () => {
  for (const [own, lb] of [
    ['/x', '/x'],
    ['/x', 'x'],
    ['x', '/x/'],
    [' /a/b', 'a/b'],
    ['//x', 'x'],
  ] as const) {
    assert.throws(
      () => parseConfig({ MARATHON_APP_ID: own, MARATHON_LB_ID: lb }),
      (error: ConfigError) =>
        error instanceof ConfigError && /^MARATHON_LB_ID is '\/.*', our own app;/.test(error.message),
      `${own} and ${lb}`,
    );
  }
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const env = { ...process.env, MARATHON_APP_ID: '/letsencrypt-dcos', MARATHON_LB_ID: 'letsencrypt-dcos' };
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, 'run'], {
    env,
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(status, 2, stdout);
  assert.match(stderr + stdout, /MARATHON_LB_ID is '\/letsencrypt-dcos', our own app/);
});

test('the table has every one of the 27', () => {
  const alone = [20, 22, 27];
  const told = new Set([...ROWS.map(({ nth }) => nth), ...alone]);
  assert.deepEqual(
    [...told].sort((a, b) => a - b),
    Array.from({ length: 27 }, (_, nth) => nth + 1),
  );
});
