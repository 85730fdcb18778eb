/**
 * Waiting in tests: for a state, never for a time.
 *
 * A fixed sleep is either too short on a busy machine or too long on every other one. `until` looks again and
 * again and, when the limit is passed, says what it was waiting for and how the last look ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';

type Look<T> = () => T | undefined | false | null | Promise<T | undefined | false | null>;

/** Resolves with the first look that is neither undefined, null nor false. A look that throws counts as "not yet". */
export async function until<T>(look: Look<T>, why: string, timeoutMs = 30_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    const seen = await attempt(look).catch((error: unknown) => {
      last = error;
      return undefined;
    });
    if (seen !== undefined && seen !== false && seen !== null) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${why}`, { cause: last });
    await sleep(pauseMs);
  }
}

async function attempt<T>(look: Look<T>): Promise<T | undefined | false | null> {
  return look();
}
