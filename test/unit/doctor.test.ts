/** The doctor: a row for each check, good and bad, in a world that is handed in; and that no check stops another. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { PreflightParts, PreflightVerdict } from '../../src/acme/preflight.ts';
import { diagnosesAsText } from '../../src/commands/doctor-text.ts';
import { parseConfig } from '../../src/config.ts';
import type { Diagnosis, Health } from '../../src/doctor/diagnosis.ts';
import { examine } from '../../src/doctor/examine.ts';
import type { Senses } from '../../src/doctor/senses.ts';
import { NobodyAnswers } from '../../src/instance/find.ts';
import { readTold } from '../../src/instance/told.ts';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import type { RouteVerdict } from '../../src/route.ts';
import type { ServedVerdict } from '../../src/served.ts';
import { widthOf } from '../../src/terminal/layout.ts';
import { styleOf } from '../../src/terminal/style.ts';
import {
  ahead,
  BAD,
  CURRENT,
  DAY,
  deploying,
  empty,
  FOREIGN,
  GOOD,
  HOUR,
  holding,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  observation,
  ourApp,
  policy,
  stored,
  task,
  UNKNOWN,
  vhost,
} from '../support/observation.ts';
import { statusIn, type WorldName } from '../support/page-worlds.ts';

/** When its certificates are alive. */
mock.timers.enable({ apis: ['Date'], now: NOW });

interface World {
  readonly seen?: Partial<Observation>;
  readonly policy?: Partial<Policy>;
  readonly env?: Readonly<Record<string, string>>;
  readonly senses?: Partial<Senses>;
  /** What the keeper says of itself; null: nobody answers. */
  readonly keeper?: WorldName | null;
  readonly keeperAlive?: boolean;
  readonly answer?: Readonly<Record<string, PreflightVerdict>>;
  readonly caa?: Readonly<Record<string, PreflightVerdict>>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  readonly route?: Readonly<Record<string, RouteVerdict>>;
  readonly served?: Readonly<Record<string, ServedVerdict>>;
}

const PRIVATE_CA = 'https://ca.example.internal/dir';
const never = new AbortController().signal;
const found = (records: readonly string[]) => ({
  records,
  missing: records.length === 0 ? ('NXDOMAIN' as const) : undefined,
  failed: undefined,
});

function sensesIn(world: World): Senses {
  const our = policy({ taskId: 'us.1', preflight: 'auto', ...world.policy });
  const seen = observation({ at: new Date(), ...world.seen });
  return {
    config: parseConfig({ MESOS_TASK_ID: 'us.1', ...world.env }),
    glance: async () => ({ seen, policy: our, planned: plan(seen, our) }),
    marathonInfo: async () => ({ version: '1.11.24', date: new Date() }),
    neighbours: async () => [],
    keeper: async () => {
      if (world.keeper === null) throw new NobodyAnswers(['http://127.0.0.1:9000 does not answer: ECONNREFUSED']);
      const status = statusIn(world.keeper ?? 'live', { alive: world.keeperAlive ?? true });
      const told = readTold(JSON.parse(JSON.stringify(status)));
      assert.ok(told);
      return { at: 'http://127.0.0.1:9000', told, json: {} };
    },
    directory: async () => ({ isDirectory: true, date: new Date() }),
    routes: async (instances, names) =>
      instances.flatMap((instance) =>
        names.map((domain) => ({ instance, domain, verdict: world.route?.[domain] ?? { kind: 'ours' as const } })),
      ),
    preflight: async (names) =>
      names.map((domain): PreflightParts => {
        const v4 = world.addresses?.[domain] ?? ['203.0.113.7'];
        return {
          domain,
          addresses: { v4: found(v4), v6: found([]) },
          answer: world.answer?.[domain] ?? GOOD,
          caa: world.caa?.[domain] ?? GOOD,
        };
      }),
    served: async (endpoints, names) =>
      endpoints.flatMap(({ host, port, taskId }) =>
        names.map((domain) => ({
          endpoint: `${host}:${port}`,
          taskId,
          domain,
          verdict: world.served?.[host] ?? { kind: 'served' as const },
        })),
      ),
    freeBytes: async () => 2 ** 30,
    ...world.senses,
  };
}

function examined(world: World, names: readonly string[] = []): Promise<readonly Diagnosis[]> {
  return examine({ senses: sensesIn(world), names, signal: never, wholeMs: 60_000, onWait: () => undefined });
}

const blind = { ok: false, problem: 'Marathon: GET /v2/apps/x: 403 not yours' } as const;
const fails = (message: string) => () => Promise.reject(new Error(message));
const lb = (differing: Parameters<typeof loadBalancer>[0]) => ({ seen: { loadBalancer: loadBalancer(differing) } });

interface Row {
  readonly name: string;
  readonly world?: World;
  readonly names?: readonly string[];
  readonly check: string;
  readonly verdict: Health;
  readonly says: RegExp;
  readonly cure?: RegExp;
}

const rows: readonly Row[] = [
  { name: 'settings are understood', check: 'settings', verdict: 'good', says: /all are understood/ },
  {
    name: 'a setting is odd',
    world: { env: { LETSENCRYPT_EMAIL: 'nobody' } },
    check: 'settings',
    verdict: 'warning',
    says: /LETSENCRYPT_EMAIL/,
  },
  { name: 'Marathon answers', check: 'marathon', verdict: 'good', says: /Marathon 1\.11\.24 answers/ },
  {
    name: 'Marathon does not tell its version, and shows our app',
    world: { senses: { marathonInfo: fails('403') } },
    check: 'marathon',
    verdict: 'good',
    says: /answers; its version cannot be read/,
  },
  {
    name: 'Marathon is away',
    world: { seen: { self: blind, loadBalancer: blind }, senses: { marathonInfo: fails('ECONNREFUSED') } },
    check: 'marathon',
    verdict: 'wrong',
    says: /ECONNREFUSED/,
  },
  {
    name: 'Marathon is away: of our app nothing is known',
    world: { seen: { self: blind, loadBalancer: blind }, senses: { marathonInfo: fails('ECONNREFUSED') } },
    check: 'app',
    verdict: 'unknown',
    says: /is not seen, because Marathon does not answer/,
  },
  { name: 'our task keeps the certificate', check: 'app', verdict: 'good', says: /task us\.1 on 10\.0\.0\.1 keeps/ },
  {
    name: 'our app is not shown to us',
    world: { seen: { self: blind } },
    check: 'app',
    verdict: 'wrong',
    says: /403/,
    cure: /MARATHON_APP_ID/,
  },
  {
    name: 'no task of ours runs',
    world: { seen: { self: ourApp({ tasks: [] }) } },
    check: 'app',
    verdict: 'wrong',
    says: /no task of it is running/,
    cure: /dcos task log letsencrypt-dcos/,
  },
  {
    name: 'our app is scaled to nothing',
    world: { seen: { self: ourApp({ tasks: [], instances: 0 }) } },
    check: 'app',
    verdict: 'wrong',
    says: /no task/,
    cure: /Scale it to one/,
  },
  {
    name: 'our task is not healthy',
    world: { seen: { self: ourApp({ tasks: [task('us.1', { alive: false })] }) } },
    check: 'app',
    verdict: 'wrong',
    says: /none is healthy/,
    cure: /ping/,
  },
  { name: 'names are wanted', check: 'names', verdict: 'good', says: /2 wanted by the HAPROXY_n_VHOST labels/ },
  {
    name: 'no name is wanted',
    world: { seen: { self: ourApp({ labels: {} }) } },
    check: 'names',
    verdict: 'wrong',
    says: /names nothing/,
    cure: /public DNS name/,
  },
  {
    name: 'a name that no CA takes',
    world: { seen: { self: ourApp({ labels: vhost('a.net', '*.net') }) } },
    check: 'name',
    verdict: 'warning',
    says: /left out: it is a wildcard/,
    cure: /Take \*\.net out of/,
  },
  { name: 'both apps may be read', check: 'rights', verdict: 'good', says: /may be read/ },
  {
    name: "the load balancer's app may not be read",
    world: { seen: { loadBalancer: blind } },
    check: 'rights',
    verdict: 'wrong',
    says: /403/,
    cure: /right to read/,
  },
  { name: 'it was updated by us before', check: 'rights', verdict: 'good', says: /could be updated before/ },
  {
    name: 'nobody knows whether it may be updated',
    world: { seen: { stored: empty(), loadBalancer: loadBalancer({ env: {} }) } },
    check: 'rights',
    verdict: 'unknown',
    says: /cannot be asked without a change/,
    cure: /update on dcos:service:marathon:marathon:services:\/marathon-lb/,
  },
  { name: 'all load balancers are healthy', check: 'balancer', verdict: 'good', says: /2 of 2 instances are healthy/ },
  {
    name: 'one is missing',
    world: lb({ tasks: [task('lb.1')] }),
    check: 'balancer',
    verdict: 'warning',
    says: /1 of 2/,
  },
  {
    name: 'none is there',
    world: lb({ tasks: [] }),
    check: 'balancer',
    verdict: 'wrong',
    says: /none of its 2/,
    cure: /log of marathon-lb/,
  },
  {
    name: 'it is being deployed',
    world: { seen: { loadBalancer: deploying() } },
    check: 'balancer',
    verdict: 'warning',
    says: /deployment d-17 runs/,
  },
  {
    name: 'it is not to be found',
    world: { seen: { loadBalancer: blind } },
    check: 'balancer',
    verdict: 'wrong',
    says: /403/,
    cure: /MARATHON_LB_ID/,
  },
  { name: 'its ports are shown', check: 'ports', verdict: 'good', says: /80 at 10\.0\.0\.1:80, 443 at/ },
  {
    name: 'a port is not',
    world: { env: { MARATHON_LB_HTTPS_PORT: '8443' } },
    check: 'ports',
    verdict: 'wrong',
    says: /no host port for its port 8443/,
    cure: /MARATHON_LB_HTTPS_PORT/,
  },
  { name: 'it can be rolled', check: 'redeploy', verdict: 'good', says: /without a gap/ },
  {
    name: 'a redeploy costs a gap',
    world: lb({
      instances: 1,
      tasks: [task('lb.1')],
      upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 0 },
    }),
    check: 'redeploy',
    verdict: 'warning',
    says: /nothing is served/,
    cure: /two instances/,
  },
  {
    name: 'a redeploy would hang',
    world: lb({ upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 } }),
    check: 'redeploy',
    verdict: 'warning',
    says: /waits for ever/,
    cure: /upgradeStrategy/,
  },
  { name: 'there is a variable for it', check: 'variable', verdict: 'good', says: /HAPROXY_SSL_CERT holds our/ },
  {
    name: 'all variables are taken',
    world: {
      seen: {
        loadBalancer: loadBalancer({ env: holding(...Array.from({ length: 30 }, () => FOREIGN)) }),
        stored: empty(),
      },
    },
    check: 'variable',
    verdict: 'wrong',
    says: /all 30 certificate variables/,
    cure: /empty one of/,
  },
  {
    name: "no neighbour's label hurts",
    world: lb({ args: ['sse', '--haproxy-map'] }),
    check: 'labels',
    verdict: 'good',
    says: /no label of its 0 apps/,
  },
  {
    name: "a neighbour's label hurts",
    world: {
      ...lb({ args: ['sse', '--haproxy-map'] }),
      senses: { neighbours: async () => [{ id: '/shop', labels: { HAPROXY_0_VHOST: 'a\nb' }, isRunning: true }] },
    },
    check: 'labels',
    verdict: 'warning',
    says: /HAPROXY_0_VHOST of \/shop has a line break/,
  },
  { name: 'the keeper is live', check: 'instance', verdict: 'good', says: /letsencrypt-dcos 2\.0\.0: live/ },
  {
    name: 'the keeper is not',
    world: { keeper: 'not-served' },
    check: 'instance',
    verdict: 'wrong',
    says: /not-served, /,
    cure: /another certificate variable/,
  },
  {
    name: 'the keeper hangs',
    world: { keeperAlive: false },
    check: 'instance',
    verdict: 'wrong',
    says: /has looked at nothing for more than 15 minutes/,
  },
  {
    name: 'the keeper is not to be seen',
    world: { keeper: null },
    check: 'instance',
    verdict: 'unknown',
    says: /no running instance answers: .*ECONNREFUSED/,
    cure: /dcos task exec/,
  },
  { name: 'the CA answers', check: 'ca', verdict: 'good', says: /its directory answers/ },
  {
    name: 'the CA does not',
    world: { senses: { directory: fails('connect ETIMEDOUT') } },
    check: 'ca',
    verdict: 'wrong',
    says: /ETIMEDOUT/,
    cure: /HTTPS_PROXY/,
  },
  {
    name: 'what answers is no CA',
    world: { senses: { directory: async () => ({ isDirectory: false, date: undefined }) } },
    check: 'ca',
    verdict: 'wrong',
    says: /no ACME directory/,
    cure: /LETSENCRYPT_SERVER_URL/,
  },
  { name: 'the clock is right', check: 'clock', verdict: 'good', says: /agrees/ },
  {
    name: 'the clock is two minutes behind',
    world: { senses: { directory: async () => ({ isDirectory: true, date: new Date(Date.now() + 2 * MINUTE) }) } },
    check: 'clock',
    verdict: 'warning',
    says: /our clock is 120 s behind/,
    cure: /NTP/,
  },
  {
    name: 'the clock is a day ahead',
    world: { senses: { marathonInfo: async () => ({ version: '1.11.24', date: new Date(Date.now() - DAY) }) } },
    check: 'clock',
    verdict: 'wrong',
    says: /8640\d s ahead of/,
  },
  { name: 'the folder is well', check: 'folder', verdict: 'good', says: /can be written, .* 1024 MiB are free/ },
  {
    name: 'the folder is read-only',
    world: { seen: { stored: stored({ writable: false, problems: ['/etc/letsencrypt cannot be written (EROFS)'] }) } },
    check: 'folder',
    verdict: 'wrong',
    says: /EROFS/,
  },
  {
    name: 'the folder ends with the task',
    world: {
      seen: { stored: stored({ problems: ['/etc/letsencrypt ends with this task: give the app a volume there'] }) },
    },
    check: 'folder',
    verdict: 'warning',
    says: /ends with this task/,
  },
  {
    name: 'its disk is all but full',
    world: { senses: { freeBytes: async () => 4 * 2 ** 20 } },
    check: 'folder',
    verdict: 'warning',
    says: /4 MiB are free/,
    cure: /Make room/,
  },
  {
    name: 'on a laptop there is no folder',
    world: { policy: { taskId: undefined }, keeper: null, seen: { stored: empty() } },
    check: 'folder',
    verdict: 'unknown',
    says: /not on this machine/,
    cure: /dcos task exec/,
  },
  {
    name: 'limits are told as the keeper counts them',
    check: 'limits',
    verdict: 'good',
    says: /1 of 20 orders in 3 hours/,
  },
  {
    name: 'without a keeper they are counted by the folder',
    world: { keeper: null },
    check: 'limits',
    verdict: 'good',
    says: /0 of 20 orders/,
  },
  {
    name: 'a limit is reached',
    world: {
      keeper: null,
      seen: {
        stored: stored({
          ledger: {
            ...stored().ledger,
            orders: Array.from({ length: 20 }, () => ({
              at: new Date(Date.now() - HOUR),
              directory: policy().directoryUrl,
            })),
          },
        }),
      },
    },
    check: 'limits',
    verdict: 'warning',
    says: /20 of 20 orders .* the next one is free/,
  },
  {
    name: 'nobody here has counted',
    world: { keeper: null, seen: { stored: empty() } },
    check: 'limits',
    verdict: 'unknown',
    says: /not seen from here/,
  },
  { name: 'a name has an address', check: 'dns', verdict: 'good', says: /A 203\.0\.113\.7, AAAA none/ },
  {
    name: 'a name has none',
    world: { addresses: { 'a.net': [] }, answer: { 'a.net': BAD } },
    check: 'dns',
    verdict: 'wrong',
    says: /A none \(NXDOMAIN\)/,
    cure: /create one/,
  },
  { name: 'a name is answered for as a CA would ask', check: 'reach', verdict: 'good', says: /we answer/ },
  {
    name: 'a name leads elsewhere',
    world: { answer: { 'a.net': { kind: 'bad', why: 'a.net: HTTP 404, not our answer', cure: 'Let it lead here.' } } },
    check: 'reach',
    verdict: 'wrong',
    says: /^HTTP 404/,
    cure: /Let it lead here/,
  },
  {
    name: 'the same, where PREFLIGHT=off says that it cannot be seen from here',
    world: { policy: { preflight: 'off' }, answer: { 'a.net': BAD } },
    check: 'reach',
    verdict: 'unknown',
    says: /no A record/,
  },
  {
    name: 'the way out and back in is closed',
    world: { answer: { 'a.net': UNKNOWN } },
    check: 'reach',
    verdict: 'unknown',
    says: /hairpin/,
  },
  {
    name: 'nobody runs who could answer',
    world: { seen: { self: ourApp({ tasks: [] }) }, answer: { 'a.net': BAD } },
    check: 'reach',
    verdict: 'unknown',
    says: /no task of ours runs/,
  },
  {
    name: 'a name before it is added, and its address is right',
    names: ['new.net'],
    check: 'reach',
    verdict: 'good',
    says: /leads to this load balancer \(asked there for a\.net\): it can be added/,
  },
  {
    name: 'a name before it is added, and its address is another one',
    names: ['new.net'],
    world: { answer: { 'new.net': BAD } },
    check: 'reach',
    verdict: 'warning',
    says: /no A record/,
  },
  {
    name: 'a name on the command line that no CA takes',
    names: ['10.0.0.1'],
    check: 'name',
    verdict: 'wrong',
    says: /it is an IP address/,
  },
  { name: 'CAA lets the CA issue', check: 'caa', verdict: 'good', says: /lets this CA issue/ },
  {
    name: 'CAA forbids it',
    world: {
      caa: { 'a.net': { kind: 'bad', why: 'a.net: CAA of net: only buypass.com', cure: 'Add the CAA record.' } },
    },
    check: 'caa',
    verdict: 'wrong',
    says: /^CAA of net: only buypass\.com/,
    cure: /Add the CAA/,
  },
  { name: 'a name leads to us through each load balancer', check: 'route', verdict: 'good', says: /leads to us/ },
  {
    name: 'it is answered by nobody',
    world: { route: { 'a.net': { kind: 'answered', status: 503, note: 'HAProxy' } } },
    check: 'route',
    verdict: 'wrong',
    says: /503/,
    cure: /HAPROXY_0_VHOST/,
  },
  {
    name: 'a load balancer is away',
    world: { route: { 'a.net': { kind: 'unreachable', note: 'cannot connect to 10.0.0.1:80: ECONNREFUSED' } } },
    check: 'route',
    verdict: 'wrong',
    says: /ECONNREFUSED/,
  },
  {
    name: 'a name that is not in the labels does not lead here yet',
    names: ['new.net'],
    world: { route: { 'new.net': { kind: 'answered', status: 503, note: 'HAProxy' } } },
    check: 'route',
    verdict: 'unknown',
    says: /not in the labels/,
  },
  { name: 'our certificate is served', check: 'served', verdict: 'good', says: /our certificate/ },
  {
    name: 'another one is',
    world: { served: { '10.0.0.2': { kind: 'other', fingerprint: 'AB:CD:EF:01', domains: [], notAfter: ahead(DAY) } } },
    check: 'served',
    verdict: 'wrong',
    says: /AB:CD:EF:01/,
    cure: /another certificate variable/,
  },
  {
    name: 'nobody can tell what is served',
    world: { served: { '10.0.0.2': { kind: 'unreachable', note: 'ECONNREFUSED' } } },
    check: 'served',
    verdict: 'warning',
    says: /ECONNREFUSED/,
  },
  {
    name: 'there is no certificate yet',
    world: { seen: { stored: empty(), loadBalancer: loadBalancer({ env: {} }) } },
    check: 'served',
    verdict: 'unknown',
    says: /no certificate yet/,
  },
];
for (const { name, world = {}, names = [], check, verdict, says, cure } of rows) {
  test(`${check}: ${name}: ${verdict}`, async () => {
    const all = (await examined(world, names)).filter((one) => one.check === check);
    const fits = all.find(
      (one) => one.verdict === verdict && says.test(one.says) && (cure?.test(one.cure ?? '') ?? true),
    );
    assert.ok(fits, JSON.stringify(all, null, 1));
  });
}

test('where all is well, nothing is wrong, and nothing is left out', async () => {
  const all = await examined({});
  assert.deepEqual(
    all.filter(({ verdict }) => verdict !== 'good'),
    [],
  );
  const checks = [...new Set(all.map(({ check }) => check))];
  assert.deepEqual(checks, [
    ...['settings', 'marathon', 'app', 'names', 'rights', 'balancer', 'ports', 'redeploy', 'variable'],
    ...['instance', 'ca', 'clock', 'folder', 'limits', 'dns', 'reach', 'caa', 'route', 'served'],
  ]);
});

const SENSES = [
  'marathonInfo',
  'neighbours',
  'keeper',
  'directory',
  'routes',
  'preflight',
  'served',
  'freeBytes',
] as const;
for (const sense of SENSES) {
  test(`${sense} fails: it is told, and all other checks are made`, async () => {
    const well = await examined(lb({ args: ['--haproxy-map'] }));
    const all = await examined({ ...lb({ args: ['--haproxy-map'] }), senses: { [sense]: fails('out of order') } });
    assert.ok(
      all.some(({ says }) => says.includes('out of order')),
      JSON.stringify(all),
    );
    assert.ok(all.length > well.length / 2);
  });
}

for (const sense of ['glance', ...SENSES] as const) {
  test(`${sense} hangs, whatever it is told: the others are told all the same, in time`, async () => {
    const { promise: forever } = Promise.withResolvers<never>();
    const senses = sensesIn({ ...lb({ args: ['--haproxy-map'] }), senses: { [sense]: () => forever } });
    const all = await examine({ senses, names: [], signal: never, wholeMs: 30, onWait: () => undefined });
    assert.ok(
      all.some(({ says }) => says.includes('took more than 0.03 s')),
      JSON.stringify(all),
    );
    assert.ok(all.some(({ verdict }) => verdict === 'good'));
  });
}

test('what is waited for is told, until nothing is', async () => {
  const told: (readonly string[])[] = [];
  await examine({
    senses: sensesIn({}),
    names: [],
    signal: never,
    wholeMs: 60_000,
    onWait: (checks) => told.push(checks),
  });
  assert.ok(told.some((checks) => checks.includes('dns') && checks.includes('route')));
  assert.deepEqual(told.at(-1), []);
});

test('it is stopped: it ends, and blames nobody', async () => {
  const stop = new AbortController();
  const hangs = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const senses = sensesIn({ senses: { directory: hangs } });
  const ended = examine({ senses, names: [], signal: stop.signal, wholeMs: 60_000, onWait: () => undefined });
  stop.abort(new Error('SIGINT received'));
  await assert.rejects(ended, /SIGINT received/);
});

test('only the names on the command line are looked at', async () => {
  const subjects = (await examined({}, ['b.net'])).map(({ subject }) => subject);
  assert.ok(subjects.some((subject) => subject.startsWith('b.net')));
  assert.ok(!subjects.some((subject) => subject.startsWith('a.net')));
});

test('a private CA has no limits that we know', async () => {
  const world = { policy: { directoryUrl: PRIVATE_CA }, env: { LETSENCRYPT_SERVER_URL: PRIVATE_CA } };
  assert.deepEqual(
    (await examined(world)).filter(({ check }) => check === 'limits'),
    [],
  );
});

const view = (columns: number, env: Readonly<Record<string, string>>) => ({
  now: NOW,
  style: styleOf({ env, terminal: { out: Number.isFinite(columns), columns } }),
});

test('as text: names that are well are told together, what is wrong has its cure, and the end counts', async () => {
  const many = Array.from({ length: 12 }, (_, index) => `n${index}.net`);
  const seen = { self: ourApp({ labels: vhost(...NAMES, ...many) }) };
  const all = await examined({ seen, route: { 'n3.net': { kind: 'answered', status: 401, note: 'x' } } });
  const text = diagnosesAsText(all, view(Number.POSITIVE_INFINITY, { LANG: 'C.UTF-8' }));
  assert.match(text, /^✓ dns +all 14: has an address$/m);
  assert.match(text, /^✓ route +26 others: the challenge path leads to us$/m);
  assert.match(
    text,
    /^✗ route +n3\.net via 10\.0\.0\.1: .*401.*\n +→ the app that serves n3\.net asks for a password/m,
  );
  assert.match(text, /^\? served +n0\.net, n1\.net, n2\.net and 9 more: it is not on the certificate yet$/m);
  assert.match(text, /\nwrong: 2 \(route\); not to be told from here: 12 \(served\); of \d+ checks\n$/);
  assert.ok(text.split('\n').length < 60);
});

for (const columns of [40, 80, 120]) {
  test(`as text in ${columns} columns, without UTF-8: no line is wider, signs are ASCII, words stand beside`, async () => {
    const all = await examined({ keeper: null, route: { 'a.net': { kind: 'answered', status: 503, note: 'x' } } });
    const lines = diagnosesAsText(all, view(columns, {})).split('\n');
    const mayBeBroken = (line: string): boolean => line.split(' ').every((word) => widthOf(word) <= columns - 16);
    assert.deepEqual(
      lines.filter((line) => widthOf(line) > columns && mayBeBroken(line)),
      [],
    );
    assert.ok(
      lines.some((line) => line.startsWith('\x1b[31mx route')),
      lines.join('\n'),
    );
  });
}

test('the certificate that is held is the one that is looked for', async () => {
  const asked: string[] = [];
  const served: Senses['served'] = async (_endpoints, _names, expected) => {
    asked.push(expected);
    return [];
  };
  await examined({ senses: { served } });
  assert.deepEqual(asked, [CURRENT.fingerprint]);
});
