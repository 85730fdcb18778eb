/**
 * Waiting for the CA: short at first, since most answers are there in a second; never without an end or a signal.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { AcmeError } from './problem.ts';
import type { AcmeOrder, Session } from './session.ts';

const FIRST_MS = 10;
const GROWTH = 1.6;
/** Let's Encrypt needs seconds for names that are well, and what lasts longer is a queue at the CA or somebody's DNS. */
const LONGEST_MS = { soon: 250, later: 2_000 };
const SOON_MS = 10_000;
/** What we follow of a Retry-After here: less is impolite, more is the plan's business. */
const HINT_MS = { least: 250, most: 30_000 };

export async function poll(
  order: AcmeOrder,
  isDone: (order: AcmeOrder) => boolean,
  { session, signal }: { readonly session: Session; readonly signal: AbortSignal },
  deadlineMs: number,
): Promise<AcmeOrder> {
  const began = performance.now();
  let seen = order;
  for (let waitMs = FIRST_MS; !isDone(seen); waitMs *= GROWTH) {
    const waitedMs = performance.now() - began;
    if (waitedMs > deadlineMs) throw tooLong(seen, deadlineMs);
    const longestMs = waitedMs < SOON_MS ? LONGEST_MS.soon : LONGEST_MS.later;
    await sleep(hinted(seen) ?? Math.min(waitMs, longestMs), undefined, { signal });
    seen = await session.order(seen.url);
  }
  return seen;
}

function hinted({ retryAfter }: AcmeOrder): number | undefined {
  if (retryAfter === undefined) return undefined;
  return Math.min(Math.max(retryAfter.getTime() - Date.now(), HINT_MS.least), HINT_MS.most);
}

function tooLong({ status }: AcmeOrder, deadlineMs: number): AcmeError {
  const detail = `the order is still ${status} after ${Math.round(deadlineMs / 1000)} s. It is kept and goes on with the next try`;
  return new AcmeError({ type: 'timeout', detail });
}
