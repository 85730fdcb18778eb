/**
 * Marathon refusing, failing, lying and going away, a row a way: each ends with the certificate served after one order,
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

const HTML = '<html><head><title>Error 502 Bad Gateway</title></head><body>-----BEGIN nothing</body></html>';
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
    name: 'locked, and the answer names no deployment',
    fault: ({ faults, path }) => {
      faults.failNext({
        method: 'PUT',
        path,
        status: 409,
        body: { message: 'App is locked by one or more deployments.' },
      });
    },
    changes: 2,
    told: { msg: NOT_POSTED, says: /409 App is locked/ },
  },
  {
    name: '500, and nothing was changed',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, status: 500, body: { message: 'Internal server error' } });
    },
    changes: 2,
    told: { msg: NOT_POSTED, says: /500 Internal server error/ },
  },
  {
    name: '500, but the change was made: the state decides, not the reply',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, status: 500, body: { message: 'Internal server error' }, applied: true });
    },
    told: { msg: NOT_POSTED, says: /500 Internal server error/ },
  },
  {
    name: 'a page of HTML instead of an answer, and nothing was changed',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, status: 502, body: HTML });
    },
    changes: 2,
    told: { msg: NOT_POSTED, says: /502 Error 502 Bad Gateway/ },
  },
  {
    name: 'the answer to the PUT is cut off',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, truncateAt: 10 });
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
    name: 'the connection breaks, and nothing was changed',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, status: 500, reset: true });
    },
    changes: 2,
    told: { msg: NOT_POSTED, says: /the change may have been made all the same/ },
  },
  {
    name: 'GET answers with half a JSON, then with a captive portal',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'GET', path, times: 2, truncateAt: 20 });
      faults.failNext({
        method: 'GET',
        path,
        times: 2,
        status: 200,
        body: '<html><title>Please log in</title></html>',
      });
    },
    told: { msg: 'state changed', says: /Please log in/ },
  },
  {
    name: '401 on the PUT: what to check is said, and it is not repeated',
    fault: ({ faults, path }) => {
      faults.failNext({ method: 'PUT', path, status: 401, body: '<html><title>Unauthorized</title></html>' });
    },
    stays: { state: 'backing-off', why: /401 Unauthorized; check MARATHON_USER and MARATHON_PASSWORD/ },
    changes: 2,
  },
  {
    name: '403 on the PUT: the grants that are needed are said',
    fault: ({ faults, path }) => {
      faults.failNext({
        method: 'PUT',
        path,
        status: 403,
        body: { message: 'Not Authorized to perform this action!' },
      });
    },
    stays: {
      state: 'backing-off',
      why: /403 Not Authorized .* the account needs read and update on dcos:service:marathon/,
    },
    changes: 2,
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
    name: 'the account may not see the load balancer',
    fault: ({ faults, loadBalancer }) => {
      faults.hide(loadBalancer);
    },
    stays: {
      state: 'blind',
      why: /404 App '\/lb-\d+' does not exist; wrong id, or the account may not view this app/,
      mend: ({ faults, loadBalancer }) => faults.hide(loadBalancer, false),
    },
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
