/**
 * Where the keeper is measured: the bundle as the image starts it, in a cluster of its own with a real CA and real load
 * balancers, and what the kernel knows of the process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, type ClusterOptions, SIDECAR, startCluster } from '../../test/support/cluster.ts';
import { imageFlags } from '../../test/support/image-flags.ts';
import type { Disposer } from '../../test/support/pebble.ts';
import { until } from '../../test/support/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const MIB = 1024 * 1024;

let shipped: Promise<string> | undefined;

/** Built once, and copied: who builds meanwhile takes the parts away that are not read yet. */
function bundle(): Promise<string> {
  shipped ??= build();
  return shipped;
}

async function build(): Promise<string> {
  const built = process.env.BENCH_PROGRAM ?? join(ROOT, 'dist', 'main.mjs');
  if (process.env.BENCH_PROGRAM === undefined) {
    const child = spawn(process.execPath, [join(ROOT, 'test/support/bootstrap.mjs'), 'build'], { stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error('the bundle could not be built');
  }
  const folder = mkdtempSync(join(tmpdir(), 'keeper-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  cpSync(dirname(built), folder, { recursive: true });
  return join(folder, 'main.mjs');
}

/** As the image's entry point has it. */
export async function program(): Promise<readonly string[]> {
  return [process.execPath, ...imageFlags(), await bundle()];
}

/** Runs it with a place for what has to be cleaned up, and cleans up in reverse whatever comes of it. */
export async function staged<T>(work: (t: Disposer) => Promise<T>): Promise<T> {
  const ends: (() => Promise<void>)[] = [];
  try {
    return await work({ after: (end) => void ends.push(end) });
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

export interface Keeper {
  readonly cluster: Cluster;
  /** When the task was started last, by performance.now(). */
  startedAt(): number;
  /** Of the running task. */
  pid(): number;
}

/** A cluster in which our image is the bundle; `enter` is what the shell does before it becomes the program. */
export async function keeperCluster(t: Disposer, options: ClusterOptions = {}, enter = ':'): Promise<Keeper> {
  let started = 0;
  const cluster = await startCluster(t, {
    ...options,
    images: {
      argv: ['/bin/sh', '-c', `${enter} && exec "$@"`, 'sh', ...(await program())],
      ...options.images,
      taskEnv: ({ app }) => {
        if (app.id === SIDECAR) started = performance.now();
        return {};
      },
    },
  });
  return {
    cluster,
    startedAt: () => started,
    pid: () => {
      const pid = cluster.tasks(SIDECAR)[0]?.pid;
      if (pid === undefined) throw new Error('the keeper does not run');
      return pid;
    },
  };
}

export const namesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, nth) => `www${nth + 1}.shop.example`);

/** Resolves when the keeper says that its certificate is live. */
export async function untilLive({ cluster }: Keeper, patienceMs: number): Promise<void> {
  await until(
    async () => (await cluster.log()).findLast(({ msg }) => msg === 'state changed')?.to === 'live',
    'live',
    patienceMs,
  );
}

// What the kernel knows

export interface Memory {
  readonly rss: number;
  /** Its high-water mark. */
  readonly peak: number;
  /** Without the pages of files, such as the node binary's, which the kernel may drop. */
  readonly anonymous: number;
}

/** In bytes. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { rss: of('VmRSS'), peak: of('VmHWM'), anonymous: of('RssAnon') };
}

/** User and system, in seconds, of all its threads: to the nanosecond, where /proc/PID/stat has hundredths. */
export function cpuSecondsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const spent = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]));
  return spent.reduce((sum, one) => sum + one, 0) / 1e9;
}
