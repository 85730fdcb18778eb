/** Waiting for an order: short at first, as the CA wants it within bounds, never without an end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poll } from '../../src/acme/poll.ts';
import type { AcmeOrder, Session } from '../../src/acme/session.ts';

const PENDING: AcmeOrder = {
  ...{ url: 'https://ca.example/1', status: 'pending', names: [], authorizations: [], finalize: '', problems: [] },
  ...{ certificate: undefined, expires: undefined, retryAfter: undefined },
};
const isReady = ({ status }: AcmeOrder): boolean => status === 'ready';

/** An order that is ready at the n-th look. */
function ready(n: number, retryAfterMs?: number) {
  const looks: number[] = [];
  const order = async (): Promise<AcmeOrder> => {
    looks.push(performance.now());
    const retryAfter = retryAfterMs === undefined ? undefined : new Date(Date.now() + retryAfterMs);
    return { ...PENDING, retryAfter, status: looks.length >= n ? 'ready' : 'pending' };
  };
  return { looks, session: { order } as unknown as Session };
}

const gap = (looks: readonly number[], n: number): number => (looks[n] ?? 0) - (looks[n - 1] ?? 0);
const never = new AbortController().signal;

test('an order that is done is not asked for again', async () => {
  const { looks, session } = ready(1);
  await poll({ ...PENDING, status: 'ready' }, isReady, { session, signal: never }, 1_000);
  assert.deepEqual(looks, []);
});

test('the first looks come soon, the next ones later', async () => {
  const { looks, session } = ready(10);
  const before = performance.now();
  assert.equal((await poll(PENDING, isReady, { session, signal: never }, 5_000)).status, 'ready');
  assert.ok((looks[0] ?? 0) - before < 5_000);
  assert.ok(gap(looks, 5) > 60 && gap(looks, 9) >= 245, `${looks}`);
});

test('the CA says when to come again, but not less than a quarter of a second', async () => {
  const late = ready(2, 600);
  await poll(PENDING, isReady, { session: late.session, signal: never }, 5_000);
  assert.ok(gap(late.looks, 1) >= 550, `${gap(late.looks, 1)} ms`);

  const greedy = ready(2, -60_000);
  await poll(PENDING, isReady, { session: greedy.session, signal: never }, 5_000);
  assert.ok(gap(greedy.looks, 1) >= 240, `${gap(greedy.looks, 1)} ms`);
});

test('an order that never gets ready ends the wait, and is not called lost', async () => {
  const { session } = ready(Number.POSITIVE_INFINITY);
  await assert.rejects(poll(PENDING, isReady, { session, signal: never }, 100), {
    type: 'timeout',
    message: /^ACME: timeout: the order is still pending after 0 s\. It is kept/,
  });
});

test('the end of the process ends a wait of any length', async () => {
  const { session } = ready(Number.POSITIVE_INFINITY, 60_000);
  const stop = new AbortController();
  const waiting = poll(
    { ...PENDING, retryAfter: new Date(Date.now() + 60_000) },
    isReady,
    { session, signal: stop.signal },
    90_000,
  );
  stop.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
});
