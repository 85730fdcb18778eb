/** The planner's table, part five: what waits for the install window, what breaks it, and what is told meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastCallAt } from '../../src/certificates/renewal.ts';
import { isLive } from '../../src/commands/status-text.ts';
import { installWindow } from '../../src/install-window/window.ts';
import type { Told } from '../../src/instance/told.ts';
import { plan } from '../../src/plan/plan.ts';
import { planAsJson, planAsText } from '../../src/status.ts';
import {
  ago,
  ahead,
  CURRENT,
  certificate,
  DAY,
  deploying,
  EXPIRED,
  FOREIGN,
  failure,
  HOUR,
  holding,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  observation,
  ourApp,
  placeholder,
  policy,
  remembering,
  SLOT,
  stored,
  task,
  vhost,
  wire,
} from '../support/observation.ts';
import { kinds, type Row, runRows } from '../support/plan-table.ts';

// NOW is Sunday, 22 November, 12:00 UTC.
const closed = { installWindow: installWindow('02:00-05:00') };
const weekly = { installWindow: installWindow('Sat 02:00-05:00 Europe/Berlin') };
const open = { installWindow: installWindow('Sun 13:00-13:30 Europe/Berlin') };

const older = certificate({ notBefore: ago(61 * DAY) });
/** Renewed; what is served has a month to live. */
const renewed = (served = older, differing: Parameters<typeof loadBalancer>[0] = {}) => ({
  loadBalancer: loadBalancer({ env: holding(served), ...differing }),
  stored: stored({
    previous: served,
    ledger: { ...remembering(served), installed: [served.fingerprint, CURRENT.fingerprint] },
  }),
  wire: wire({}, { expected: served.fingerprint }),
});
const WITH_MORE = certificate({ domains: [...NAMES, 'c.net'], notBefore: ago(61 * DAY) });
const other = { kind: 'other', fingerprint: 'AA:BB:CC:DD:EE', domains: [], notAfter: ahead(DAY) } as const;
const silent = { kind: 'unreachable', note: 'connection refused' } as const;
const failing = (verdict: typeof other | typeof silent, since: Date) =>
  wire({ 'lb.2': verdict }, { at: NOW, failingSince: since, expected: older.fingerprint });

const waits =
  /^the certificate is issued and waits for the install window, Mon 23 Nov 02:00–05:00 UTC; until then the one before it is served, which ends 2026-12-21T12:00:00\.000Z$/;
const breaks = (because: string): RegExp =>
  new RegExp(
    `; it does not wait for the install window, Mon 23 Nov 02:00–05:00 UTC, because ${because}; Marathon repl`,
  );

const rows: readonly (Row & { toBeServed?: typeof CURRENT })[] = [
  {
    name: 'renewed outside the window: it waits, and says until when, and what is served',
    ...{ seen: renewed(), policy: closed, state: 'waiting-for-window', why: waits },
    toBeServed: older,
  },
  {
    name: 'a window in another time zone is told in it',
    ...{ seen: renewed(), policy: weekly, state: 'waiting-for-window', why: /Sat 28 Nov 02:00–05:00 Europe\/Berlin;/ },
    toBeServed: older,
  },
  {
    name: 'the plan is made again when the window opens',
    seen: renewed(),
    policy: { installWindow: installWindow('12:07-13:00') },
    ...{ state: 'waiting-for-window', againIn: 7 * MINUTE },
    toBeServed: older,
  },
  {
    name: 'the window is open: installed',
    ...{ seen: renewed(), policy: open, state: 'installing', actions: ['install'] },
    why: /^HAPROXY_SSL_CERT holds another certificate of ours; Marathon replaces/,
  },
  {
    name: 'without a window: installed at any time',
    ...{ seen: renewed(), state: 'installing', actions: ['install'] },
  },
  {
    name: 'what is in place does not wait for anything',
    ...{ policy: closed, state: 'live' },
  },
  {
    name: 'orders are not held: issued early, installed in the window',
    seen: { ...renewed(), stored: stored({ bundle: older, ledger: remembering(older) }) },
    policy: closed,
    ...{ state: 'waiting-for-route', looks: ['routes'] },
    toBeServed: older,
  },

  {
    name: 'the first certificate breaks the window, and says so',
    seen: { loadBalancer: loadBalancer({ env: holding() }), stored: stored() },
    ...{ policy: closed, state: 'installing', actions: ['install'] },
    why: breaks('no valid certificate of ours is served for a\\.net, b\\.net'),
  },
  {
    name: 'so does one in the place of a placeholder',
    seen: { loadBalancer: loadBalancer({ env: holding(placeholder('a.net')) }) },
    ...{ policy: closed, state: 'installing', actions: ['install'] },
    why: breaks('no valid certificate of ours is served for a\\.net, b\\.net'),
  },
  {
    name: 'and beside one of somebody else',
    seen: { loadBalancer: loadBalancer({ env: holding(FOREIGN) }) },
    ...{ policy: closed, state: 'installing', actions: ['install'], slots: [`${SLOT}0`] },
    why: breaks('no valid certificate of ours is served for a\\.net, b\\.net'),
  },
  {
    name: 'and in the place of one that has expired',
    ...{ seen: renewed(EXPIRED), policy: closed, state: 'installing', actions: ['install'] },
    why: breaks('no valid certificate of ours is served for a\\.net, b\\.net'),
  },
  {
    name: 'a label with one name more breaks it: that name has none',
    seen: renewed(certificate({ domains: ['a.net'], notBefore: ago(20 * DAY) })),
    ...{ policy: closed, state: 'installing', actions: ['install'] },
    why: breaks('no valid certificate of ours is served for b\\.net'),
  },
  {
    name: 'a label with one name less does not',
    seen: renewed(WITH_MORE),
    ...{ policy: closed, state: 'waiting-for-window', why: /, Mon 23 Nov/ },
    toBeServed: WITH_MORE,
  },
  {
    name: 'one of a CA for tests is no certificate to wait with',
    seen: renewed(certificate({ issuerName: '(STAGING) Test CA', notBefore: ago(DAY) })),
    ...{ policy: closed, state: 'installing', actions: ['install'] },
    why: breaks('what is served is of a CA for tests, which no browser trusts'),
  },
  {
    name: 'a load balancer that has served another one for ten minutes breaks it, for the redeploy may mend that',
    seen: { ...renewed(), wire: failing(other, ago(10 * MINUTE)) },
    ...{ policy: closed, state: 'installing', actions: ['install'] },
    why: breaks('marathon-lb at 10\\.0\\.0\\.2:443 serves another certificate than ours for a\\.net'),
  },
  {
    name: 'for less than that, it is told and looked at again',
    seen: { ...renewed(), wire: failing(other, ago(MINUTE)) },
    ...{ policy: closed, state: 'not-served', againIn: 15_000 },
    why: /^marathon-lb at 10\.0\.0\.2:443 serves AA.* expected .*; besides, the certificate is issued and waits for/,
    toBeServed: older,
  },
  {
    name: 'one that cannot be asked is told, and breaks nothing',
    seen: { ...renewed(), wire: failing(silent, ago(HOUR)) },
    ...{ policy: closed, state: 'unproven', why: /could not be asked.*; besides, the certificate is issued and waits/ },
    toBeServed: older,
  },
  {
    name: 'what is served meanwhile is looked at as ever, every six hours',
    seen: { ...renewed(), wire: wire({}, { expected: older.fingerprint, at: ago(6 * HOUR) }) },
    ...{ policy: closed, state: 'unproven', looks: ['wire'] },
    toBeServed: older,
  },
  {
    name: "somebody's deployment meanwhile is watched",
    seen: { ...renewed(older, { deployments: ['d-17'] }), unsettledSince: ago(MINUTE) },
    ...{
      policy: closed,
      state: 'deploying',
      why: /deployment d-17 .* is running.*; besides, .* waits for the install/,
    },
    toBeServed: older,
  },
  {
    name: 'and told when it is stuck',
    seen: { ...renewed(), loadBalancer: deploying({ env: holding(older) }), unsettledSince: ago(HOUR) },
    ...{ policy: closed, state: 'stuck', looks: ['queue'] },
    toBeServed: older,
  },
  {
    name: 'a load balancer that is scaled to nothing is not interrupted: installed at once',
    seen: renewed(older, { instances: 0, tasks: [] }),
    ...{ policy: closed, state: 'installing', actions: ['install'], why: /ours; \/marathon-lb has no task/ },
  },
  {
    name: 'a name that cannot be ordered meanwhile is told: degraded, for it is served by nothing',
    seen: {
      ...renewed(),
      self: ourApp({ labels: vhost(...NAMES, 'c.net') }),
      stored: stored({
        previous: older,
        ledger: { ...remembering(older), failures: [failure({ scope: 'name', names: ['c.net'], pace: 'name' })] },
      }),
    },
    ...{
      policy: closed,
      state: 'degraded',
      why: /^the certificate is issued and waits .*; besides, it is without c\.net/,
    },
    toBeServed: older,
  },
  {
    name: 'a certificate that HAProxy refused does not wait: it is never posted',
    seen: {
      ...renewed(),
      stored: stored({ previous: older, ledger: { ...remembering(older), blocked: [CURRENT.fingerprint] } }),
    },
    ...{ policy: { ...closed, keyType: 'ec256' }, state: 'not-installable', why: /never posted again/ },
  },
  {
    name: 'restoring what was served never waits',
    seen: {
      loadBalancer: deploying({ tasks: [task('lb.3', { alive: false })] }),
      stored: stored({ kept: { fingerprint: CURRENT.fingerprint, at: ago(MINUTE), values: { [SLOT]: older.pem } } }),
      failedLaunches: ['lb.4', 'lb.5'],
    },
    ...{ policy: closed, state: 'stuck', actions: ['restore'] },
  },
  {
    name: 'a paused one says what it waits for, too',
    ...{ seen: renewed(), policy: { ...closed, pause: true }, state: 'waiting-for-window', why: waits },
    toBeServed: older,
  },
];
runRows(rows);
for (const { name, seen, policy: set, toBeServed = CURRENT } of rows) {
  test(`what should be on the wire: ${name}`, () => {
    const { certificate: held } = plan(observation(seen), policy(set));
    assert.equal(held.toBeServed?.fingerprint, toBeServed.fingerprint);
  });
}

test('the last call for what is served breaks the window, also when only the window after it would come too late', () => {
  const moment = lastCallAt(older).getTime();
  const at = (ms: number) => plan(observation({ ...renewed(), at: new Date(ms) }), policy(weekly));
  // Of the windows on Saturdays at 01:00 UTC the last before it: 12 December, and the last call is on the 13th or so.
  const lastWindow = new Date('2026-12-12T01:00:00Z').getTime();
  assert.ok(moment > lastWindow && moment < lastWindow + 7 * DAY, new Date(moment).toISOString());
  const before = at(lastWindow - 1);
  assert.equal(before.certificate.state, 'unproven', before.certificate.why); // only the wire is to be looked at
  assert.deepEqual(kinds(before), []);
  assert.deepEqual(kinds(at(lastWindow)), ['install']);
  const after = at(lastWindow + 3 * HOUR);
  assert.deepEqual(kinds(after), ['install']);
  assert.match(after.certificate.why, /because what is served ends 2026-12-21T.* and must be replaced by 2026-12-/);
});

test('the window is told in the JSON, in the text and among the next steps', () => {
  const waiting = plan(observation(renewed()), policy(closed));
  const json = planAsJson(waiting);
  const [opens, closes] = [new Date('2026-11-23T02:00:00Z'), new Date('2026-11-23T05:00:00Z')];
  const says = 'Mon 23 Nov 02:00–05:00 UTC';
  const window = { text: '02:00-05:00', isOpen: false, opens, closes, says: `closed, opens ${says}`, awaited: true };
  assert.deepEqual(json.installWindow, window);
  assert.deepEqual(
    json.next.find(({ at }) => at?.getTime() === opens.getTime()),
    { what: 'install the certificate, in the install window', at: opens },
  );
  assert.ok(isLive({ alive: true, plan: json } as unknown as Told), 'well, to `status`');
  assert.match(planAsText(waiting), /^window {5}02:00-05:00: closed, opens Mon 23 Nov 02:00–05:00 UTC$/m);
  const idle = plan(observation(), policy(open));
  assert.deepEqual([planAsJson(idle).installWindow?.isOpen, planAsJson(idle).installWindow?.awaited], [true, false]);
  assert.match(planAsText(idle), /^window {5}Sun 13:00-13:30 Europe\/Berlin: open until Sun 22 Nov 13:30 Europe/m);
  assert.equal(planAsJson(plan(observation(), policy())).installWindow, null);
});
