/**
 * The certificate that passes our gate and that HAProxy refuses: the load balancer's OpenSSL is held to a higher level
 * than an RSA key of 2048 bits has (SECLEVEL 3 wants 128 bits of security), as on a hardened system.
 *
 * The program's own loop runs in this process, on a state folder that holds the certificate; Marathon is the simulator, the
 * load balancers are real HAProxys, which close every port when they refuse a PEM.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Environment } from '../../src/config.ts';
import { loadBalancerExecutor } from '../marathon-simulator/load-balancer/executor.ts';
import type { Simulator } from '../marathon-simulator/simulator.ts';
import { issue, selfSignedWith } from '../support/certificates.ts';
import { shipped } from '../support/definitions.ts';
import { LOAD_BALANCER_IMAGE, OUR_IMAGE } from '../support/images.ts';
import { type Program, startProgram, withCertificate } from '../support/in-process.ts';
import { sighted } from '../support/sighting.ts';
import { simulated, WEB } from '../support/simulated.ts';
import { until } from '../support/until.ts';

const NAME = 'www.example.com';
const HARDENED = `openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = level
[level]
CipherString = DEFAULT@SECLEVEL=3
`;

/** What is served before: a placeholder that this OpenSSL takes. And ours, which it does not. */
const BEFORE = selfSignedWith({ domains: [NAME], keyType: 'ec256' });
const OURS = issue({ domains: [NAME], keyType: 'rsa2048' });

const KILL_FIRST = { minimumHealthCapacity: 0, maximumOverCapacity: 0 };
const START_FIRST = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
const HEALTH = { protocol: 'MESOS_HTTP', path: '/_haproxy_health_check', portIndex: 2 };
const QUICK_HEALTH = {
  ...HEALTH,
  gracePeriodSeconds: 4,
  intervalSeconds: 2,
  timeoutSeconds: 20,
  maxConsecutiveFailures: 2,
};

interface Stage {
  readonly marathon: Simulator;
  readonly host: string;
  readonly stateDir: string;
  /** Changes of the load balancer by the program, oldest first: the URL. */
  puts(): readonly string[];
  /** What the load balancers serve: fingerprints, undefined where none answers. */
  served(): Promise<readonly (string | undefined)[]>;
}

async function stage(t: TestContext, net: number, upgradeStrategy: object, agentCount: number): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'restore-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const hardened = join(folder, 'openssl.cnf');
  await writeFile(hardened, HARDENED);
  const images = { [LOAD_BALANCER_IMAGE]: loadBalancerExecutor(), [OUR_IMAGE]: WEB };
  const marathon = await simulated(t, net, { images, agentCount, secondMs: 50 });
  const host = `127.41.${net}.2`;
  const fields = { instances: 1, upgradeStrategy, healthChecks: [QUICK_HEALTH], acceptedResourceRoles: ['*'] };
  const env = { HAPROXY_SSL_CERT: BEFORE.pem, OPENSSL_CONF: hardened };
  await marathon.deployed(await marathon.add(await shipped('marathon-lb', { fields, env })));
  const labels = { HAPROXY_0_VHOST: NAME };
  await marathon.deployed(await marathon.add(await shipped('letsencrypt-dcos', { fields: { instances: 0 }, labels })));
  const stateDir = join(folder, 'state');
  await withCertificate(stateDir, OURS.pem);
  return {
    marathon,
    host,
    stateDir,
    puts: () => marathon.requests.filter(({ operator, method }) => !operator && method !== 'GET').map(({ url }) => url),
    served: async () => {
      const running = marathon.tasksOf('/marathon-lb').filter(({ state }) => state === 'TASK_RUNNING');
      const seen = await sighted(
        running.map((task) => ({ host: task.host, port: 443 })),
        [NAME],
        OURS.rootPem,
      );
      return seen.map(({ fingerprint }) => fingerprint);
    },
  };
}

function start(t: TestContext, { marathon, host, stateDir }: Stage, env: Environment = {}): Promise<Program> {
  return startProgram(t, host, { MARATHON_URL: marathon.url, STATE_DIR: stateDir, KEY_TYPE: 'rsa2048', ...env });
}

const KEPT = 'replaced-values.json';

test('no load balancer starts with the certificate: what was served before is back, and it is not tried again', async (t) => {
  const at = await stage(t, 61, KILL_FIRST, 1);
  const first = await start(t, at);
  await first.says({ state: 'deploying', why: /is running/ });
  const { mode } = await stat(join(at.stateDir, KEPT));
  assert.equal(mode & 0o777, 0o600);
  await first.stop(); // what is kept outlives us

  const second = await start(t, at);
  const restoring = await second.says({
    state: 'stuck',
    why: /no task of \/marathon-lb is healthy, and \d new ones have failed since/,
  });
  assert.ok(restoring.certificate.why.includes(OURS.fingerprint), 'which certificate');
  assert.match(restoring.certificate.why, /what was in HAPROXY_SSL_CERT before is put back, once/);
  const told = await second.says({
    state: 'not-installable',
    why: /never posted again/,
    cure: /what HAProxy objects to .* KEY_TYPE is changed/,
  });
  assert.ok(told.certificate.why.includes(OURS.fingerprint), 'which certificate');
  await until(async () => (await at.served())[0] === BEFORE.fingerprint, 'the placeholder to be served again');
  assert.deepEqual(at.puts(), ['/v2/apps/marathon-lb', '/v2/apps/marathon-lb?force=true']);
  await assert.rejects(stat(join(at.stateDir, KEPT)), { code: 'ENOENT' }, 'no key is kept longer than needed');
  await second.stop();

  const third = await start(t, at);
  await third.says({ state: 'not-installable', why: /never posted again/ });
  assert.equal(at.puts().length, 2, 'once for each certificate');
  const said = [...first.log, ...second.log, ...third.log].join('');
  assert.match(said, /certificate taken back/);
  assert.doesNotMatch(said, /PRIVATE KEY/);
  assert.deepEqual(at.marathon.violations, []);
});

test('the old load balancer still serves beside those that do not start: nothing is taken back, the cure is told', async (t) => {
  const at = await stage(t, 62, START_FIRST, 2);
  const program = await start(t, at, { DEPLOYMENT_TIMEOUT: '2' });
  await program.says({
    state: 'stuck',
    why: /has not ended/,
    cure: /look at its last failed task .* health check failed/,
  });
  await until(
    () => at.marathon.tasksOf('/marathon-lb').filter(({ state }) => state === 'TASK_KILLED').length >= 2,
    'two failures',
  );
  assert.ok((await at.served()).includes(BEFORE.fingerprint));
  assert.deepEqual(at.puts(), ['/v2/apps/marathon-lb']);
});

test('RESTORE=off: nothing is kept and nothing is put back; what to do by hand is told', async (t) => {
  const at = await stage(t, 63, KILL_FIRST, 1);
  const program = await start(t, at, { RESTORE: 'off' });
  await program.says({
    state: 'stuck',
    why: /RESTORE=off, so nothing is put back/,
    cure: /put back what HAPROXY_SSL_CERT held before, .* with force/,
  });
  await assert.rejects(readFile(join(at.stateDir, KEPT)), { code: 'ENOENT' });
  assert.deepEqual(at.puts(), ['/v2/apps/marathon-lb']);
});
