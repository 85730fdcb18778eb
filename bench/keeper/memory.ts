/**
 * Memory: at the peak of an order of 100 names, after an hour of ticks, and over a thousand renewals.
 *
 * An hour of ticks is compressed: the loop looks by itself four times an hour, and here twelve times at everything (SIGHUP),
 * routes and handshakes included, which it does four times a day; then it is left alone for half a minute. Renewals: see
 * renewals.ts. The slope counts as none when it is within twice its own standard error, or below 1 KiB a renewal.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sidecarFor } from '../../test/support/episode.ts';
import { freePort } from '../../test/support/free-port.ts';
import { imageFlags } from '../../test/support/image-flags.ts';
import { type Disposer, startPebble } from '../../test/support/pebble.ts';
import { until } from '../../test/support/until.ts';
import { median, type Row, type ScenarioOptions } from './row.ts';
import { type Keeper, keeperCluster, type Memory, MIB, memoryOf, namesOf, staged, untilLive } from './stage.ts';

const PEAK = { target: 110, stretch: 96 };
const IDLE = 72;
const LOOKS = 12;
const PATIENCE_MS = 120_000;
const NOTHING_BYTES = 1024;
/** Until then the ledger's lists fill up to their bounds (certificates/ledger.ts), and code is compiled. */
const FILLING = 500;

export async function memory({ quick }: ScenarioOptions): Promise<readonly Row[]> {
  // Bytes do not depend on who else is at work.
  const large = (async () => {
    const runs: { peak: number; later: Memory }[] = [];
    for (let nth = 0; nth < (quick ? 1 : 5); nth += 1) runs.push(await kept(100, 'rsa4096', 1_000));
    return runs;
  })();
  const [runs, small, slopeRow] = await Promise.all([large, kept(2, 'rsa4096', quick ? 10_000 : 30_000), slope(quick)]);
  return [...peakRows(runs.map(({ peak }) => peak / MIB)), idleRow(small.later, runs.at(-1)?.later), slopeRow];
}

/** From the start to a proven certificate, then the looks of an hour. */
function kept(names: number, keyType: string, calmMs: number): Promise<{ peak: number; later: Memory }> {
  return staged(async (t) => {
    const keeper = await keeperCluster(t, { simulator: { secondMs: 100 } });
    await keeper.cluster.addSidecar(await sidecarFor(namesOf(names), { env: { KEY_TYPE: keyType } }));
    await untilLive(keeper, PATIENCE_MS);
    const { peak } = memoryOf(keeper.pid());
    for (let nth = 0; nth < LOOKS; nth += 1) await look(keeper);
    await sleep(calmMs);
    return { peak, later: memoryOf(keeper.pid()) };
  });
}

async function look(keeper: Keeper): Promise<void> {
  const { requests } = keeper.cluster.marathon;
  const before = requests.length;
  process.kill(keeper.pid(), 'SIGHUP');
  await until(() => requests.slice(before).some(({ operator }) => !operator), 'another look', PATIENCE_MS);
  await sleep(500);
}

function peakRows(peaks: readonly number[]): readonly Row[] {
  const [middle, most] = [median(peaks), Math.max(...peaks)];
  const measured = `${middle.toFixed(1)} MiB (most ${most.toFixed(1)}, ${peaks.length} runs)`;
  const what = 'peak RSS, 100 names rsa4096, two load balancer instances';
  return [
    { target: `${what} ≤ ${PEAK.target} MiB`, measured, met: most <= PEAK.target, figures: { middle, most } },
    {
      target: `stretch: ${what} ≤ ${PEAK.stretch} MiB`,
      measured,
      met: most <= PEAK.stretch,
      figures: { middle, most },
    },
  ];
}

function idleRow({ rss, anonymous }: Memory, large: Memory | undefined): Row {
  const [resident, own, after100] = [rss / MIB, anonymous / MIB, (large?.rss ?? Number.NaN) / MIB];
  return {
    target: `idle RSS after an hour of ticks ≤ ${IDLE} MiB`,
    measured:
      `${resident.toFixed(1)} MiB after an order of 2 names, ${own.toFixed(1)} of them its own and the rest pages of Node's ` +
      `binary; ${after100.toFixed(1)} after one of 100 (rsa4096)`,
    met: resident <= IDLE,
    figures: { residentMib: resident, anonymousMib: own, after100Mib: after100 },
  };
}

// Renewals

interface Point {
  readonly renewals: number;
  readonly heapUsed: number;
  readonly rss: number;
}

function slope(quick: boolean): Promise<Row> {
  return staged(async (t) => {
    const wanted = FILLING + (quick ? 300 : 1_000);
    const points = await renew(t, wanted);
    const settled = points.filter(({ renewals }) => renewals > FILLING);
    const heap = line(settled.map(({ renewals, heapUsed }) => [renewals, heapUsed]));
    const rss = line(settled.map((point) => [point.renewals, point.rss]));
    const isNone = (one: Line): boolean => one.slope <= Math.max(2 * one.error, NOTHING_BYTES);
    return {
      target: 'slope of memory over 1,000 renewals: none',
      measured: `${wanted - FILLING} renewals after ${FILLING}: heap ${told(heap)}, RSS ${told(rss)} a renewal`,
      met: isNone(heap) && isNone(rss) && points.length > 0,
      figures: { heapBytes: heap.slope, heapError: heap.error, rssBytes: rss.slope, rssError: rss.error, wanted },
    };
  });
}

const told = ({ slope: bytes, error }: Line): string => `${bytes.toFixed(0)} ± ${(2 * error).toFixed(0)} bytes`;

async function renew(t: Disposer, wanted: number): Promise<readonly Point[]> {
  const httpPort = await freePort('127.0.0.1');
  const pebble = await startPebble(t, { httpPort });
  const stateDir = mkdtempSync(join(tmpdir(), 'renewals-'));
  t.after(async () => rmSync(stateDir, { recursive: true, force: true }));
  const script = fileURLToPath(new URL('renewals.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', ...imageFlags(), script, String(wanted)], {
    env: {
      ...{ PATH: process.env.PATH, STATE_DIR: stateDir, LISTEN_ADDRESS: '127.0.0.1', HTTP_PORT: String(httpPort) },
      ...{ LETSENCRYPT_SERVER_URL: pebble.directoryUrl, ACME_CA_FILE: pebble.caFile, KEY_TYPE: 'ec256' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk));
  const code = await new Promise((ended) => child.once('close', ended));
  if (code !== 0) throw new Error(`the renewals ended with ${code}`);
  return said
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as Point);
}

interface Line {
  readonly slope: number;
  /** Standard error of the slope. */
  readonly error: number;
}

/** By least squares. */
function line(points: readonly (readonly [number, number])[]): Line {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const slope = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
  const rest = points.reduce((sum, [at, value]) => sum + (value - y - slope * (at - x)) ** 2, 0);
  return { slope, error: Math.sqrt(rest / (points.length - 2) / spread) };
}
