/** Seeds over all cores: each thread gets the next one when it has done the last. One that hangs fails, and is replaced. */
import { Worker } from 'node:worker_threads';
import type { Result } from './run.ts';

export interface Work {
  readonly seeds: readonly number[];
  readonly days: number;
  readonly threads: number;
  readonly mutation?: string | undefined;
  /** Return false to stop early. */
  readonly onResult: (result: Result) => boolean;
}

/** A run takes some seconds; a loop without end takes longer than any busy machine makes it. */
const LONGEST_MS = 300_000;

export async function runAll(work: Work): Promise<void> {
  const queue = work.seeds.values();
  let goesOn = true;
  const lane = async (): Promise<void> => {
    let worker = newWorker(work);
    for (const seed of queue) {
      if (!goesOn) break;
      const result = await ask(worker, seed, work.days);
      if (result.digest === '') {
        await worker.terminate();
        worker = newWorker(work);
      }
      if (!work.onResult(result)) goesOn = false;
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: Math.min(work.threads, work.seeds.length) }, lane));
}

function newWorker({ mutation }: Work): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData: { mutation } });
}

function ask(worker: Worker, seed: number, days: number): Promise<Result> {
  return new Promise((done) => {
    const onError = (error: Error): void => end(broken(seed, error.stack ?? error.message));
    const onExit = (code: number): void => end(broken(seed, `its thread ended with ${code}`));
    const timer = setTimeout(() => end(broken(seed, `hangs: no end after ${LONGEST_MS / 1000} s`)), LONGEST_MS);
    const end = (result: Result): void => {
      clearTimeout(timer);
      worker.off('message', end).off('error', onError).off('exit', onExit);
      done(result);
    };
    worker.on('message', end).on('error', onError).on('exit', onExit);
    worker.postMessage({ seed, days });
  });
}

function broken(seed: number, what: string): Result {
  const counts = { days: 0, passes: 0, checks: 0, orders: 0, certificates: 0, deployments: 0, starts: 0, cpuMs: 0 };
  const revoked = { inPeace: 0, all: 0 };
  return {
    seed,
    violations: [what],
    digest: '',
    kinds: [],
    fired: {},
    excused: {},
    told: {},
    revoked,
    tail: [],
    counts,
  };
}
