/** What an operator's "retry now" and "renew" change in the plan, and what they leave as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Failure, setOf, withFailures, withoutHolds } from '../../src/certificates/ledger.ts';
import { askObstacle } from '../../src/plan/asking.ts';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import { readLedger } from '../../src/state-files.ts';
import {
  ago,
  ahead,
  CURRENT,
  certificate,
  DAY,
  DIRECTORY,
  deploying,
  empty,
  failure,
  HOUR,
  holding,
  ledger,
  loadBalancer,
  MINUTE,
  NAMES,
  observation,
  policy,
  remembering,
  routes,
  SECOND,
  SLOT,
  stored,
  VERSION,
} from '../support/observation.ts';

const failedWith = (...failures: Partial<Failure>[]) =>
  failures.reduce((before, one) => withFailures(before, [failure(one)]), ledger());
/** No certificate yet, every name leads here. */
const first = (before: ReturnType<typeof ledger>) =>
  observation({
    stored: empty({ ledger: before, wasEmpty: false }),
    loadBalancer: loadBalancer({ env: {} }),
    wire: undefined,
    routes: routes(),
  });
const decided = (seen: Observation, our: Partial<Policy> = {}) => {
  const { certificate, actions } = plan(seen, policy(our));
  return { state: certificate.state, why: certificate.why, does: actions.map(({ kind }) => kind) };
};

const lifted: readonly { what: string; failures: Partial<Failure>[] }[] = [
  { what: 'an order that failed', failures: [{ scope: 'certificate', pace: 'order' }] },
  { what: 'a CA that was away', failures: [{ scope: 'directory', pace: 'outage' }] },
  { what: 'a refused account', failures: [{ scope: 'account', pace: 'week' }] },
  { what: 'a name that failed once', failures: [{ scope: 'name', names: ['a.net'], pace: 'name' }] },
  { what: 'a name whose CAA forbids it', failures: [{ scope: 'name', names: ['a.net'], pace: 'day' }] },
];
for (const { what, failures } of lifted) {
  test(`retry now: ${what} is tried at once`, () => {
    const before = failedWith(...failures.map((one) => ({ at: ago(5 * SECOND), ...one })));
    const names = (seen: Observation) =>
      plan(seen, policy()).actions.flatMap((action) => (action.kind === 'issue' ? action.spec.domains : []));
    assert.notDeepEqual(names(first(before)), ['a.net', 'b.net']);
    assert.deepEqual(names(first(withoutHolds(before, DIRECTORY))), ['a.net', 'b.net']);
  });
}

test("retry now: the CA's Retry-After is kept", () => {
  const before = failedWith({ scope: 'account', type: 'rateLimited', retryAfter: ahead(3 * HOUR) });
  const { state, why } = decided(first(withoutHolds(before, DIRECTORY)));
  assert.equal(state, 'backing-off');
  assert.match(why, new RegExp(`next try ${ahead(3 * HOUR).toISOString()}`));
});

test('retry now, pressed again and again: the failed validations that the CA counts are not used up', () => {
  let known = ledger();
  for (const at of [ago(20 * MINUTE), ago(10 * MINUTE)]) {
    known = withoutHolds(
      withFailures(known, [failure({ at, scope: 'name', names: ['a.net'], pace: 'name' })]),
      DIRECTORY,
    );
  }
  const { certificate, actions } = plan(first(known), policy());
  const [a, b] = certificate.names;
  assert.match(a?.obstacle?.why ?? '', /^2 failed validations of a\.net in an hour are as many as we allow ourselves/);
  assert.deepEqual([a?.obstacle?.until, b?.obstacle], [ahead(40 * MINUTE), undefined]);
  assert.deepEqual(
    actions.map((action) => action.kind === 'issue' && action.spec.domains),
    [['b.net']],
  );
});

test('retry now: another CA’s failures stay, and what fails again waits again, from the first step', () => {
  const other = failedWith({ directory: 'https://other.example/dir' });
  assert.deepEqual(withoutHolds(other, DIRECTORY), other);
  const again = withFailures(withoutHolds(failedWith({ at: ago(HOUR) }), DIRECTORY), [failure({ at: ago(SECOND) })]);
  assert.equal(decided(first(again)).state, 'backing-off');
});

test('what was lifted is still lifted after a restart', () => {
  const before = withoutHolds(failedWith({ at: ago(MINUTE) }), DIRECTORY);
  assert.deepEqual(readLedger(JSON.stringify({ formatVersion: 1, ...before })), before);
});

/** Issued, and not in marathon-lb yet. */
const issued = { loadBalancer: loadBalancer({ env: holding() }), stored: stored({ ledger: ledger() }) };
const live = (differing: Partial<Observation> = {}) => observation({ routes: routes(), ...differing });

test('renew: a new certificate is ordered although none is due', () => {
  assert.deepEqual(decided(live()).does, []);
  const asked = decided(live({ renewAskedAt: ago(SECOND) }));
  assert.deepEqual(
    [asked.state, asked.why, asked.does],
    ['ordering', 'an operator asked for a new certificate', ['issue']],
  );
});

test('renew: what could not be begun within ten minutes is given up', () => {
  assert.equal(decided(live({ renewAskedAt: ago(10 * MINUTE) })).state, 'live');
});

/** So many certificates for just these names in this week. */
const had = (count: number) => {
  const one = { at: ago(HOUR), directory: DIRECTORY, set: setOf(NAMES) };
  const issued = Array.from({ length: count }, (_, index) => ({ ...one, fingerprint: `${index}` }));
  return stored({ ledger: { ...remembering(CURRENT), issued } });
};

test('renew: never beyond the budgets of a public CA', () => {
  const seen = live({ stored: had(2), renewAskedAt: ago(SECOND) });
  assert.deepEqual(decided(seen).does, []);
  assert.match(decided(seen).why, /2 certificates for exactly these names in 7 days are used up/);
});

test('renew: not by a task that only watches, nor while paused', () => {
  const asked = live({ renewAskedAt: ago(SECOND) });
  assert.deepEqual(decided(asked, { taskId: 'other.2' }).does, []);
  assert.deepEqual(decided(asked, { pause: true }).does, []);
});

const obstacles: readonly {
  what: string;
  seen?: Observation;
  policy?: Partial<Policy>;
  retry?: RegExp;
  renew?: RegExp;
}[] = [
  { what: 'all is well' },
  {
    what: 'another task leads',
    policy: { taskId: 'other.2' },
    retry: /the one that leads, us\.1/,
    renew: /the one that leads/,
  },
  { what: 'paused', policy: { pause: true }, retry: /PAUSE=true/, renew: /PAUSE=true/ },
  { what: 'there is no certificate', seen: first(failedWith({ at: ago(SECOND) })), renew: /no certificate to renew/ },
  {
    what: 'an order is under way',
    seen: live({ order: { startedAt: ago(SECOND), domains: NAMES, progress: undefined } }),
    renew: /under way/,
  },
  {
    what: 'a new certificate is about to be posted',
    seen: live(issued),
    renew: /not in marathon-lb yet: HAPROXY_SSL_CERT is empty/,
  },
  {
    what: 'Marathon did not take the new certificate',
    seen: live({
      ...issued,
      failedInstall: {
        ...{ at: ago(SECOND), fingerprint: CURRENT.fingerprint, loadBalancerVersion: VERSION, count: 3 },
        ...{ problem: 'Marathon: PUT: 422 Object is not valid', retryable: false },
      },
    }),
    renew: /not in marathon-lb yet: Marathon: PUT: 422 Object is not valid/,
  },
  {
    what: 'the new certificate waits behind a deployment that hangs',
    seen: live({
      ...issued,
      loadBalancer: deploying({ env: holding() }),
      unsettledSince: ago(HOUR),
      queue: { ok: true, value: [] },
    }),
    renew: /not in marathon-lb yet: .*d-17/,
  },
  {
    what: 'somebody else replaces what is posted, again and again',
    seen: live({
      ...issued,
      stored: stored({
        ledger: {
          ...remembering(CURRENT),
          replacements: [{ at: ago(HOUR), slot: SLOT, fingerprint: CURRENT.fingerprint }],
        },
      }),
    }),
    renew: /not in marathon-lb yet: somebody else replaced our certificate in HAPROXY_SSL_CERT twice/,
  },
  {
    what: 'marathon-lb has another certificate of ours, and must not get the one in hand',
    seen: live({
      loadBalancer: loadBalancer({ env: holding(certificate({ notBefore: ago(40 * DAY) })) }),
      stored: stored({ ledger: { ...ledger(), blocked: [CURRENT.fingerprint] } }),
    }),
  },
  {
    what: 'the budget is used up',
    seen: live({ stored: had(2) }),
    renew: /2 certificates for exactly .* is free 2026-11-29T11/,
  },
];
for (const { what, seen = live(), policy: our = {}, ...says } of obstacles) {
  test(`whoever presses a button is told at once when it would come to nothing: ${what}`, () => {
    const planned = plan(seen, policy(our));
    for (const ask of ['retry', 'renew'] as const) {
      const answer = askObstacle(ask, planned);
      const expected = says[ask];
      if (expected === undefined) assert.equal(answer, undefined);
      else assert.match(answer ?? '', expected);
    }
  });
}

test('before the first look there is nothing to ask for', () => {
  assert.match(askObstacle('retry', undefined) ?? '', /first look/);
});

test('a new certificate that waits for the install window is not renewed once more', () => {
  const planned = plan(observation(), policy());
  const at = planned.at;
  const window = { text: 'Sat 01:00-06:00', isOpen: false, opens: at, closes: at, says: 'closed, opens Sat 28 Nov' };
  const waiting = { ...planned, installWindow: { ...window, awaited: true } };
  assert.match(askObstacle('renew', waiting) ?? '', /waits for the install window, closed, opens Sat 28 Nov/);
  assert.equal(askObstacle('renew', { ...planned, installWindow: { ...window, awaited: false } }), undefined);
});
