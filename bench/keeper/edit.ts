/**
 * Label edit → served: two names, two load balancer instances, no limit of CPU. How much of it is ours?
 *
 * The clock starts when Marathon has accepted the PUT of the label and stops when the keeper has seen the new certificate
 * on every instance. Not ours are: the time in which Marathon takes the old task down and starts the new one, the time from
 * when the keeper has asked Marathon for the first time until the load balancers lead to it, and the deployment of the load
 * balancers. The CA's time is part of what is told as ours: Pebble without its sleeps takes some milliseconds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LOAD_BALANCER, SIDECAR } from '../../test/support/cluster.ts';
import { sidecarFor } from '../../test/support/episode.ts';
import { until } from '../../test/support/until.ts';
import { isAnswered } from './answered.ts';
import { median, type Row, type ScenarioOptions } from './row.ts';
import { type Keeper, keeperCluster, namesOf, staged } from './stage.ts';

/** Marathon's second: health checks and delays are not what is measured. */
const SECOND_MS = 100;
const LOOK_EVERY_MS = 2;
const PATIENCE_MS = 60_000;
const LIMIT_MS = 1_000;

/** In milliseconds. */
interface Edit {
  readonly all: number;
  /** Marathon took the old task down and started the new one. */
  readonly relaunch: number;
  /** Of the new process: to its first question to Marathon. */
  readonly start: number;
  /** Until the load balancers lead to it, beyond that. */
  readonly route: number;
  /** From there to the PUT of the new certificate: routes, order, CA. */
  readonly order: number;
  readonly deployment: number;
  /** From the end of the deployment to the proof. */
  readonly proof: number;
}

export async function edit({ quick }: ScenarioOptions): Promise<readonly Row[]> {
  const edits = await staged(async (t) => {
    const keeper = await keeperCluster(t, { simulator: { secondMs: SECOND_MS } });
    await keeper.cluster.addSidecar(await sidecarFor(namesOf(2)));
    await untilProven(keeper, 0);
    const done: Edit[] = [];
    for (let nth = 0; nth < (quick ? 3 : 10); nth += 1) {
      done.push(await once(keeper, [`www1.shop.example`, `edit${nth}.shop.example`]));
    }
    return done;
  });
  return [rowOf(edits)];
}

async function once(keeper: Keeper, names: readonly string[]): Promise<Edit> {
  const { cluster } = keeper;
  const { marathon } = cluster;
  const [before] = cluster.tasks(SIDECAR);
  const started = keeper.startedAt();
  const puts = (): number => marathon.requests.filter(({ method, operator }) => method === 'PUT' && !operator).length;
  const putsBefore = puts();
  const looks = (): number => marathon.requests.filter(({ operator }) => !operator).length;
  const labels = { ...(before?.id === undefined ? {} : (await sidecarFor(names)).labels) };
  const answer = await marathon.api('PUT', `/v2/apps${SIDECAR}`, { labels });
  if (answer.status >= 300) throw new Error(`the edit was refused: ${JSON.stringify(answer.body)}`);
  const accepted = performance.now();
  await seen(() => keeper.startedAt() !== started);
  const looksBefore = looks();
  const ready = await seen(() => looks() > looksBefore);
  const [led, put] = await Promise.all([
    seen(async () => {
      const ways = cluster.publicHosts.map((host) => isAnswered(host, cluster.httpPort, names[1]));
      return (await Promise.all(ways)).every((is) => is);
    }),
    seen(() => puts() > putsBefore),
  ]);
  const deployed = await seen(() => !marathon.deploymentsOf(LOAD_BALANCER).some(({ state }) => state === 'running'));
  await untilProven(keeper, put);
  const proven = performance.now();
  const free = Math.max(ready, led);
  return {
    all: proven - accepted,
    relaunch: keeper.startedAt() - accepted,
    start: ready - keeper.startedAt(),
    route: free - ready,
    order: put - free,
    deployment: deployed - put,
    proof: proven - deployed,
  };
}

/** The keeper says that its certificate is served everywhere, and a client of ours sees it too. */
async function untilProven({ cluster }: Keeper, since: number): Promise<void> {
  const after = new Date(performance.timeOrigin + since).toISOString();
  await until(
    async () => {
      const change = (await cluster.log()).findLast(({ msg }) => msg === 'state changed');
      return change?.to === 'live' && String(change.time) > after;
    },
    'the certificate is proven',
    PATIENCE_MS,
  );
}

async function seen(look: () => boolean | Promise<boolean>): Promise<number> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited in vain: ${look}`);
    await sleep(LOOK_EVERY_MS);
  }
  return performance.now();
}

function rowOf(edits: readonly Edit[]): Row {
  const of = (part: (one: Edit) => number): number => median(edits.map(part));
  const own = edits.map(({ start, order, proof }) => start + order + proof);
  const figures = {
    ownMs: median(own),
    worstOwnMs: Math.max(...own),
    allMs: of(({ all }) => all),
    relaunchMs: of(({ relaunch }) => relaunch),
    startMs: of(({ start }) => start),
    routeMs: of(({ route }) => route),
    orderMs: of(({ order }) => order),
    deploymentMs: of(({ deployment }) => deployment),
    proofMs: of(({ proof }) => proof),
    edits: edits.length,
  };
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  return {
    target: 'label edit → served, 2 names, 2 instances, ec256: own time ≤ 1 s',
    measured:
      `${ms(figures.ownMs)} (worst ${ms(figures.worstOwnMs)}): start ${ms(figures.startMs)}, order ${ms(figures.orderMs)}, ` +
      `proof ${ms(figures.proofMs)}; with Marathon's relaunch ${ms(figures.relaunchMs)}, routes ${ms(figures.routeMs)} and ` +
      `deployment ${ms(figures.deploymentMs)} ${ms(figures.allMs)} in all`,
    met: figures.ownMs <= LIMIT_MS,
    figures,
  };
}
