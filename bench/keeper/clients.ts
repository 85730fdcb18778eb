/**
 * One certificate in the CPU and memory of our definition, by `obtain` and by the bare client: start of the process,
 * order, files. The bare client is the yardstick for what the machine makes of 0.05 CPU just then, and when it listens
 * tells what a Node that does nothing else needs for that.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyType } from '../../src/certificates/spec.ts';
import { freePort } from '../../test/support/free-port.ts';
import { startPebble } from '../../test/support/pebble.ts';
import { until } from '../../test/support/until.ts';
import { measured } from '../measure.ts';
import type { Peer } from '../peers.ts';
import { isAnswered } from './answered.ts';
import { LIMITS, makeCgroup, type Spent } from './cgroup.ts';
import { namesOf, staged } from './stage.ts';

export interface Certificate {
  readonly names: number;
  readonly keyType: KeyType;
}

/** Seconds since the process started. */
export interface ClientRun extends Spent {
  /** Undefined: it was never seen to. */
  readonly listening: number | undefined;
  readonly issued: number;
  readonly ok: boolean;
}

const TIMEOUT_MS = 300_000;

export async function throttledClient(client: Peer, { names, keyType }: Certificate): Promise<ClientRun> {
  const cgroup = makeCgroup(LIMITS);
  const dir = mkdtempSync(join(tmpdir(), 'client-'));
  try {
    return await staged(async (t) => {
      const httpPort = await freePort('127.0.0.1');
      const { directoryUrl, caFile } = await startPebble(t, { httpPort });
      const { argv, env } = client.command({ names: namesOf(names), keyType, directoryUrl, caFile, httpPort, dir });
      const began = performance.now();
      const run = measured({
        ...{ argv: ['sh', '-c', `${cgroup.enter} && exec "$@"`, 'sh', ...argv], env, timeoutMs: TIMEOUT_MS },
      });
      let over = false;
      void run.then(() => (over = true));
      const listening = await until(
        async () => over || (await isAnswered('127.0.0.1', httpPort)),
        'it listens, or ends',
        TIMEOUT_MS,
      ).then(() => (over ? undefined : (performance.now() - began) / 1000));
      const { ok, wallSeconds } = await run;
      return { listening, issued: wallSeconds, ok, ...cgroup.spent() };
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
    await until(() => cgroup.remove() ?? true, 'the cgroup is empty');
  }
}
