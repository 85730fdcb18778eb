/** Tokens stay up as long as the CA may be asking for them, also where we have lost sight of it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('the reply to a poll is lost: the CA, which asks some seconds later, still finds its answer; then nobody does', async (t) => {
  mockTime(t);
  const { challenges, job } = outOfSight();
  const failure = validate(job, ORDER).catch((error: Error) => error.message);
  for (let second = 0; second < 14; second += 1) {
    await settle();
    t.mock.timers.tick(1_000);
    assert.equal(challenges.answerTo(TOKEN), ANSWER, `${second + 1} s later`);
  }
  t.mock.timers.tick(2_000);
  await settle();
  assert.equal(await failure, 'socket hang up');
  assert.equal(challenges.answerTo(TOKEN), undefined);
});

test('asked to end meanwhile: it ends at once', async () => {
  const { challenges, job, stop } = outOfSight();
  const failure = validate(job, ORDER).catch((error: Error) => error.message);
  stop.abort();
  await failure;
  assert.equal(challenges.answerTo(TOKEN), undefined);
});
