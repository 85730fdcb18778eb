/**
 * Marathon refusing, failing, lying and going away, on real processes (every way there is, in process, is a row of
 * test/integration/marathon-catalogue.test.ts): each ends with the certificate served after one order,
 * or in a sentence that says what to do, and heals when that is done.
 *
 * Every row is a lane of its own in one cluster: a load balancer on its own agent and a keeper, so that rows run side by
 * side and do not disturb each other.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startStandby } from '../marathon-simulator/standby.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { shipped } from '../support/definitions.ts';
import {
  assertDoneOnce,
  changes,
  keeper,
  QUICK,
  redeployments,
  restart,
  shown,
  untilSaid,
  untilServed,
} from '../support/operator.ts';
import { until } from '../support/until.ts';

interface Lane {
  readonly cluster: Cluster;
  readonly faults: Cluster['marathon']['faults'];
  readonly loadBalancer: string;
  readonly keeper: string;
  readonly host: string;
  /** The load balancer's path in the API, and nobody else's. */
  readonly path: RegExp;
}

interface Row {
  readonly name: string;
  /** Before the keeper is posted. What it gives is more for the keeper's env. */
  readonly fault: (
    lane: Lane,
  ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> | undefined;
  /** PUTs of ours that reached Marathon; 1 unless told. */
  readonly changes?: number;
  /** Of the load balancer, others' included; 1 unless told. */
  readonly redeployments?: number;
  /** What is in the log in the end. */
  readonly told?: { readonly msg: string; readonly says: RegExp };
  /** What is in the status until the operator has done something about it. */
  readonly stays?: { readonly state: string; readonly why: RegExp; readonly mend?: (lane: Lane) => void };
  readonly check?: (lane: Lane) => Promise<void>;
}

const NOT_POSTED = 'certificate not posted';

const ROWS: readonly Row[] = [
  {
    name: 'locked: somebody else changes the load balancer between our GET and our PUT, and loses nothing',
    fault: ({ cluster, faults, path, loadBalancer }) => {
      const before = async (): Promise<void> => {
        const { env } = await shown(cluster, loadBalancer);
        await cluster.marathon.api('PUT', `/v2/apps${loadBalancer}`, { env: { ...env, THEIRS: 'kept' } });
      };
      faults.failNext({ method: 'PUT', path, before });
    },
    changes: 2,
    redeployments: 2,
    told: { msg: NOT_POSTED, says: /409 App is locked by one or more deployments/ },
    check: async ({ cluster, loadBalancer }) => {
      assert.equal((await shown(cluster, loadBalancer)).env.THEIRS, 'kept');
    },
  },
  {
    name: 'the answer to the PUT never comes',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, applied: true, delayMs: 3_000 });
      return { MARATHON_TIMEOUT: '1' };
    },
    told: { msg: NOT_POSTED, says: /the change may have been made all the same/ },
  },
  {
    name: '422 on the PUT: the path and the rule are said, and the same body is not sent again',
    fault: ({ faults, path }) => {
      const details = [{ path: '/env', errors: ['must not be so long'] }];
      faults.failNext({ method: 'PUT', path, status: 422, body: { message: 'Object is not valid', details } });
    },
    stays: { state: 'backing-off', why: /422 Object is not valid; \/env must not be so long/ },
    changes: 2,
  },
  {
    name: 'two masters, the first one dead, the second a standby that redirects the event stream',
    fault: async ({ cluster, host }) => {
      const standby = await startStandby({ url: cluster.marathon.url, host });
      standbys.push(standby);
      return { MARATHON_URL: `http://${host}:1,${standby.url}` };
    },
  },
  {
    name: 'the event stream ends at once, again and again, and events come twice or never',
    fault: ({ faults }) => {
      faults.sse.closeAtOnce = 3;
      faults.sse.duplicate = true;
      faults.sse.missing = ['deployment_success'];
      faults.dropEventStreams();
      faults.sendRawToEventStreams('data: {half an eve');
    },
  },
];

const standbys: { close(): Promise<void> }[] = [];

test('Marathon refuses', { concurrency: 4 }, async (t) => {
  const cluster = await startCluster(t, { simulator: QUICK, publicAgents: ROWS.length, loadBalancers: 0 });
  t.after(async () => void (await Promise.all(standbys.map((standby) => standby.close()))));
  await Promise.all(ROWS.map((row, nth) => t.test(row.name, (lane) => tell(lane, row, cluster, nth))));
  assert.equal(cluster.pebble.orders(), ROWS.length, 'one order each');
  // The PUT of the first row, which was refused: nothing was lost, as the row itself shows.
  assert.deepEqual(cluster.marathon.violations, ['PUT /v2/apps/lb-0: env loses THEIRS']);
});

async function tell(_: TestContext, row: Row, cluster: Cluster, nth: number): Promise<void> {
  const lane = await laneOf(cluster, nth);
  const env = (await row.fault(lane)) ?? {};
  await post(lane, env);
  if (row.stays) await untilMended(lane, row, row.stays);
  await served(lane);
  // A request is recorded when it has been answered, which may be long after the certificate is served.
  await until(() => changes(cluster, lane.loadBalancer).length >= (row.changes ?? 1), `${row.name}: PUTs`);
  assert.equal(changes(cluster, lane.loadBalancer).length, row.changes ?? 1, 'PUTs');
  assert.equal(redeployments(cluster, lane.loadBalancer).length, row.redeployments ?? 1, 'deployments');
  if (row.told) await wasTold(lane, row.told);
  await row.check?.(lane);
  // Every keeper looks up at every deployment: those that are through would slow the others down.
  for (const app of [lane.keeper, lane.loadBalancer]) await cluster.marathon.api('DELETE', `/v2/apps${app}`);
}

async function laneOf(cluster: Cluster, nth: number): Promise<Lane> {
  const host = cluster.publicHosts[nth] ?? '';
  const loadBalancer = `/lb-${nth}`;
  await cluster.pebble.resolve(nameOf(nth), host);
  const fields = {
    id: loadBalancer,
    instances: 1,
    args: ['sse', '--group', `lane-${nth}`],
    constraints: [['hostname', 'CLUSTER', host]],
    upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 0 },
  };
  await cluster.deploy(await shipped('marathon-lb', { fields }));
  const path = new RegExp(`^/v2/apps${loadBalancer}$`);
  return { cluster, faults: cluster.marathon.faults, loadBalancer, keeper: `/keeper-${nth}`, host, path };
}

function nameOf(nth: number | string): string {
  return `lane-${nth}.example.com`;
}

async function post({ cluster, loadBalancer, keeper: id }: Lane, env: Readonly<Record<string, string>>): Promise<void> {
  const lane = loadBalancer.replace('/lb-', '');
  const labels = { HAPROXY_GROUP: `lane-${lane}`, HAPROXY_0_VHOST: nameOf(lane) };
  const definition = { fields: { id }, env: { MARATHON_LB_ID: loadBalancer, ...env }, labels };
  await cluster.addSidecar(await keeper('letsencrypt-dcos', definition));
}

async function served({ cluster, loadBalancer, keeper: appId }: Lane): Promise<void> {
  await untilServed(cluster, [nameOf(loadBalancer.replace('/lb-', ''))], { loadBalancer });
  await untilSaid(cluster, { appId, state: 'live' });
}

async function untilMended(lane: Lane, row: Row, { state, why, mend }: NonNullable<Row['stays']>): Promise<void> {
  const { cluster, keeper: appId, loadBalancer } = lane;
  await untilSaid(cluster, { appId, state, why });
  assert.equal(changes(cluster, loadBalancer).length, (row.changes ?? 1) - 1, 'PUTs before it is mended');
  mend?.(lane);
  await restart(cluster, appId);
}

async function wasTold({ cluster, keeper: appId }: Lane, { msg, says }: NonNullable<Row['told']>): Promise<void> {
  const lines = (await cluster.log(appId)).filter((line) => line.msg === msg);
  assert.ok(
    lines.some((line) => says.test(JSON.stringify(line))),
    JSON.stringify(lines),
  );
}

test('the leader changes in the middle of our deployment, and again', async (t) => {
  const cluster = await startCluster(t, { simulator: QUICK });
  const { marathon } = cluster;
  const name = 'www.example.com';
  await cluster.addSidecar(await keeper('letsencrypt-dcos', { labels: { HAPROXY_0_VHOST: name } }));
  for (const election of [3, 5]) {
    await until(() => redeployments(cluster).some(({ state }) => state === 'running'), 'our deployment', 40_000);
    marathon.faults.leaderFailover(election);
  }
  await untilServed(cluster, [name]);
  await untilSaid(cluster, { state: 'live' });
  assertDoneOnce(cluster);
});
