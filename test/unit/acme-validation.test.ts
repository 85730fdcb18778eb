/** Tokens stay up as long as the CA may be asking for them, also where we have lost sight of it. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import type { Job } from '../../src/acme/order.ts';
import type { AcmeOrder } from '../../src/acme/session.ts';
import { validate } from '../../src/acme/validation.ts';
import { mockTime, settle } from '../support/mock-loop.ts';

const [TOKEN, ANSWER] = [
  'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA',
  'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.x',
];
const ORDER: AcmeOrder = {
  ...{ url: 'https://ca.example/1', status: 'pending', names: [], authorizations: ['https://ca.example/a'] },
  ...{ finalize: '', problems: [], certificate: undefined, expires: undefined, retryAfter: undefined },
};

/** The challenge is triggered, and the CA is heard of no more. */
function outOfSight(): { challenges: Challenges; job: Job; stop: AbortController } {
  const [challenges, stop] = [new Challenges(), new AbortController()];
  const challenge = { url: '', status: 'pending', token: TOKEN, keyAuthorization: ANSWER };
  const session = {
    authorization: async (url: string) => ({ url, status: 'pending', domain: 'a.example', challenge }),
    trigger: async () => undefined,
    order: () => Promise.reject(new Error('socket hang up')),
  };
  const spec = { domains: ['a.example'] };
  const job = { session, challenges, spec, report: () => undefined, signal: stop.signal } as unknown as Job;
  return { challenges, job, stop };
}

async function seconds(t: TestContext, count: number): Promise<void> {
  for (let second = 0; second < count; second += 1) {
    t.mock.timers.tick(1_000);
    await settle();
  }
}

test('the reply to a poll is lost: the CA, which asks some seconds later, still finds its answer; then nobody does', async (t) => {
  mockTime(t);
  const { challenges, job } = outOfSight();
  const failure = validate(job, ORDER).catch((error: Error) => error.message);
  await settle();
  await seconds(t, 6);
  assert.equal(await failure, 'socket hang up', 'it goes on by then');
  await seconds(t, 8);
  assert.equal(challenges.answerTo(TOKEN), ANSWER);
  await seconds(t, 2);
  assert.equal(challenges.answerTo(TOKEN), undefined);
});

test('the order goes on meanwhile: its tokens do not go under the feet of the next try', async (t) => {
  mockTime(t);
  const { challenges, job } = outOfSight();
  const failure = validate(job, ORDER).catch(() => undefined);
  await settle();
  await seconds(t, 6);
  await failure;
  challenges.publish(TOKEN, ANSWER);
  await seconds(t, 20);
  assert.equal(challenges.answerTo(TOKEN), ANSWER);
});

test('asked to end meanwhile: it ends at once', async () => {
  const { challenges, job, stop } = outOfSight();
  const failure = validate(job, ORDER).catch((error: Error) => error.message);
  stop.abort();
  await failure;
  await settle();
  assert.equal(challenges.answerTo(TOKEN), undefined);
});
