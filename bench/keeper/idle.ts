/**
 * What the keeper costs when there is nothing to do: CPU while Marathon's event stream brings ten events a second that
 * concern other apps.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sidecarFor } from '../../test/support/episode.ts';
import { until } from '../../test/support/until.ts';
import type { Row, ScenarioOptions } from './row.ts';
import { cpuSecondsOf, type Keeper, keeperCluster, namesOf, staged, untilLive } from './stage.ts';

const EVENTS_A_SECOND = 10;
/** The last looks after an installation, and the garbage of it. */
const SETTLE_MS = 10_000;
const LIMIT_PERCENT = 0.1;

/** Asked by nobody but us: what is left is the loop, its timers and the event stream. Then with its checks, as it is shipped. */
export async function idle({ quick }: ScenarioOptions): Promise<readonly Row[]> {
  const seconds = quick ? 20 : 60;
  const what = `idle with ${EVENTS_A_SECOND} events a second of other apps: CPU ≤ ${LIMIT_PERCENT} % of a core`;
  const [alone, asked] = await Promise.all([spent({ healthChecks: [] }, seconds), spent({}, seconds)]);
  return [
    rowOf(what, alone),
    rowOf(`${what}, while Marathon and two load balancers check its health every 2 s`, asked),
  ];
}

interface Spent {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly events: number;
}

function spent(fields: Readonly<Record<string, unknown>>, seconds: number): Promise<Spent> {
  return staged(async (t) => {
    const keeper = await keeperCluster(t);
    await keeper.cluster.addSidecar(await sidecarFor(namesOf(2), { fields }));
    await untilLive(keeper, 60_000);
    await until(() => keeper.cluster.marathon.openEventStreams() > 0, 'the event stream is open');
    await sleep(SETTLE_MS);
    return measure(keeper, seconds);
  });
}

async function measure(keeper: Keeper, seconds: number): Promise<Spent> {
  const pid = keeper.pid();
  const before = cpuSecondsOf(pid);
  const began = performance.now();
  let events = 0;
  while (performance.now() - began < seconds * 1000) {
    keeper.cluster.marathon.faults.sendRawToEventStreams(anEvent(events));
    events += 1;
    await sleep(Math.max(0, (events * 1000) / EVENTS_A_SECOND - (performance.now() - began)));
  }
  return { cpuSeconds: cpuSecondsOf(pid) - before, wallSeconds: (performance.now() - began) / 1000, events };
}

function rowOf(target: string, { cpuSeconds, wallSeconds, events }: Spent): Row {
  const percent = (100 * cpuSeconds) / wallSeconds;
  const spentMs = (cpuSeconds * 1000).toFixed(1);
  return {
    target,
    measured: `${percent.toFixed(3)} %: ${spentMs} ms in ${wallSeconds.toFixed(0)} s for ${events} events`,
    met: percent <= LIMIT_PERCENT,
    figures: { percent, cpuSeconds, wallSeconds, events },
  };
}

/** As Marathon frames a task's change of state: three of four events of a busy cluster are one. */
function anEvent(nth: number): string {
  const appId = `/shop/service-${nth % 40}`;
  const event = {
    ...{ slaveId: '33de5ac2-3b5f-4b5e-9a8d-1b2c3d4e5f60-S3', appId, taskStatus: 'TASK_RUNNING', message: '' },
    taskId: `${appId.slice(1).replaceAll('/', '_')}.0c36${nth}-bd60-11f0-8a2e-70b3d5800001`,
    ...{ host: '10.0.4.17', ipAddresses: [{ ipAddress: '172.17.0.5', protocol: 'IPv4' }], ports: [12_345] },
    ...{ version: '2026-11-22T10:00:00.000Z', eventType: 'status_update_event', timestamp: new Date().toISOString() },
  };
  return `event: status_update_event\r\ndata: ${JSON.stringify(event)}\r\n\r\n`;
}
