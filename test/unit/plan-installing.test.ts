/** The planner's table, part three: from a certificate in hand to one seen on the wire. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ledger } from '../../src/certificates/ledger.ts';
import type { QueueItem } from '../../src/marathon/client.ts';
import type { FailedInstall } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import {
  ago,
  ahead,
  CURRENT,
  certificate,
  DAY,
  deploying,
  FOREIGN,
  HOUR,
  holding,
  ledger,
  loadBalancer,
  MINUTE,
  NOW,
  observation,
  policy,
  remembering,
  SECOND,
  SLOT,
  STAGING,
  stored,
  task,
  VERSION,
  wire,
} from '../support/observation.ts';
import { kinds, type Row, runRows } from '../support/plan-table.ts';

/** Issued, and not in marathon-lb yet. */
const issued = { loadBalancer: loadBalancer({ env: holding() }), stored: stored({ ledger: ledger() }) };
const older = certificate({ notBefore: ago(70 * DAY) });
const halfway = certificate({ notBefore: ago(40 * DAY) });

const refused = (differing: Partial<FailedInstall>): FailedInstall => ({
  at: NOW,
  fingerprint: CURRENT.fingerprint,
  loadBalancerVersion: VERSION,
  problem: 'Marathon: PUT /v2/apps/marathon-lb: 409 App is locked',
  retryable: true,
  count: 1,
  ...differing,
});
/** Ours was in the first variable; somebody emptied it, this long ago, and again now. */
const replacedBefore = (...msAgo: number[]): Ledger => ({
  ...remembering(CURRENT),
  replacements: msAgo.map((ms) => ({ at: ago(ms), slot: SLOT, fingerprint: CURRENT.fingerprint })),
});
const queued = (differing: Partial<QueueItem>) => ({
  ok: true as const,
  value: [{ appId: '/marathon-lb', count: 1, overdue: true, timeLeftSeconds: 0, declined: {}, ...differing }],
});
const stuckFor = (ms: number) => ({ loadBalancer: deploying(), unsettledSince: ago(ms) });
const other = { kind: 'other', fingerprint: 'AA:BB:CC:DD:EE', domains: [], notAfter: ahead(DAY) } as const;
const silent = { kind: 'unreachable', note: 'connection refused' } as const;
/** After a long life, so that the age of a failing look decides. */
const failing = (verdict: typeof other | typeof silent, differing = {}) =>
  wire({ 'lb.2': verdict }, { at: NOW, failingSince: ago(HOUR), ...differing });

const OLD = '2026-01-01T08:00:00.000Z';
const MAP = ['sse', '--haproxy-map', '--group', 'external'];
const among = (at: Date) => ({
  at,
  apps: {
    ok: true as const,
    value: [{ id: '/shop', labels: { HAPROXY_0_VHOST: 'shop.net,\nx.net' }, isRunning: true }],
  },
});

runRows([
  {
    name: 'issued but not installed: install',
    seen: issued,
    state: 'installing',
    actions: ['install'],
    slots: [SLOT],
    why: /HAPROXY_SSL_CERT is empty/,
  },
  {
    name: 'renewed: the older one of ours is replaced',
    seen: {
      loadBalancer: loadBalancer({ env: holding(older) }),
      stored: stored({ previous: older, ledger: remembering(older) }),
    },
    state: 'installing',
    actions: ['install'],
    why: /holds another certificate of ours/,
  },
  {
    name: 'the same, written down otherwise (CRLF, literal \\n): equal, so no PUT',
    seen: { loadBalancer: loadBalancer({ env: holding(CURRENT.pem.replaceAll('\n', '\\n')) }) },
    state: 'live',
  },
  {
    name: 'locked by a deployment: not on top of it',
    seen: { ...issued, loadBalancer: deploying({ env: holding() }), unsettledSince: NOW },
    state: 'installing',
    why: /waiting for deployment d-17 of \/marathon-lb/,
    againIn: SECOND / 10,
  },
  {
    name: "somebody's deployment has been stuck for an hour: still not on top of it, but told why it does not end",
    seen: { ...issued, loadBalancer: deploying({ env: holding() }), unsettledSince: ago(HOUR) },
    state: 'stuck',
    looks: ['queue'],
  },
  {
    name: 'one of two load balancers is down, without a deployment: posted, for Marathon keeps the healthy one up',
    seen: {
      ...issued,
      loadBalancer: loadBalancer({ env: holding(), tasks: [task('lb.1'), task('lb.2', { alive: false })] }),
      unsettledSince: ago(MINUTE),
    },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'marathon-lb is scaled to 0: posted, for whenever it is started',
    seen: { ...issued, loadBalancer: loadBalancer({ env: holding(), instances: 0, tasks: [] }) },
    state: 'installing',
    actions: ['install'],
  },

  {
    name: 'installed, and told how Marathon will replace the load balancers',
    seen: issued,
    state: 'installing',
    actions: ['install'],
    why: /is empty; Marathon replaces the tasks of \/marathon-lb without a gap$/,
    notes: [],
  },
  {
    name: 'one load balancer that needs a second agent: told before, and posted all the same',
    seen: { ...issued, loadBalancer: loadBalancer({ env: holding(), instances: 1, tasks: [task('lb.1')] }) },
    state: 'installing',
    actions: ['install'],
    why: /is empty; Marathon starts a new task of \/marathon-lb before an old one ends/,
    notes: [/^before the certificate is posted: Marathon starts .* waits for ever .*; set "upgradeStrategy"/],
  },
  {
    name: 'told as early as while the routes are waited for',
    seen: {
      stored: stored({ bundle: undefined, ledger: ledger() }),
      loadBalancer: loadBalancer({ env: holding(), instances: 1, tasks: [task('lb.1')] }),
    },
    state: 'waiting-for-route',
    looks: ['routes'],
    notes: [/^before the certificate is posted: /],
  },
  {
    name: 'posted, and the new task waits for its ports: said long before the deadline, with the change to make',
    seen: {
      loadBalancer: deploying({ instances: 1, tasks: [task('lb.1', { version: OLD })] }),
      unsettledSince: ago(SECOND),
    },
    state: 'deploying',
    why: /deployment d-17 of \/marathon-lb is running; Marathon starts a new task .* needs ports 80, 443/,
    cure: /"minimumHealthCapacity": 0, "maximumOverCapacity": 0/,
  },
  {
    name: 'one variable would be too large: refused with the numbers',
    seen: { ...issued, loadBalancer: loadBalancer({ env: { ...holding(), HAPROXY_HEAD: 'x'.repeat(121_000) } }) },
    state: 'not-installable',
    why: /^HAPROXY_HEAD of \/marathon-lb would have 1210\d\d bytes; above 120000 bytes no task could start with it$/,
    cure: /shorten HAPROXY_HEAD/,
  },
  {
    name: 'all of them would be too much for the Mesos containerizer',
    seen: {
      ...issued,
      loadBalancer: loadBalancer({ env: { ...holding(), A: 'x'.repeat(102_000) }, containerType: 'MESOS' }),
    },
    state: 'not-installable',
    why: /would have 10\d{4} bytes in all; above 102400 bytes no task could start with it in a container of type MESOS/,
    cure: /or run it in a container of type DOCKER/,
  },
  {
    name: 'all of them would be too much for anybody',
    seen: {
      ...issued,
      loadBalancer: loadBalancer({
        env: { ...holding(), ...Object.fromEntries([...'abcdefghi'].map((name) => [name, 'x'.repeat(103_000)])) },
      }),
    },
    state: 'not-installable',
    why: /would have 92\d{4} bytes in all; above 921600/,
    cure: /empty certificate variables of \/marathon-lb that nobody needs any more/,
  },
  {
    name: 'a load balancer with --haproxy-map: the labels of the other apps are looked at first',
    seen: { ...issued, loadBalancer: loadBalancer({ env: holding(), args: MAP }) },
    state: 'installing',
    looks: ['neighbours'],
  },
  {
    name: 'a label of another app would be an outage: told, and posted all the same',
    seen: { ...issued, loadBalancer: loadBalancer({ env: holding(), args: MAP }), neighbours: among(NOW) },
    state: 'installing',
    actions: ['install'],
    notes: [
      /^HAPROXY_0_VHOST of \/shop has a line break in it: .* take the line break out of HAPROXY_0_VHOST of \/shop$/,
    ],
  },
  {
    name: 'the others were looked at an hour ago: once more',
    seen: { ...issued, loadBalancer: loadBalancer({ env: holding(), args: MAP }), neighbours: among(ago(HOUR)) },
    state: 'installing',
    looks: ['neighbours'],
  },
  {
    name: 'the account may not see the other apps: said so, and posted',
    seen: {
      ...issued,
      loadBalancer: loadBalancer({ env: holding(), args: MAP }),
      neighbours: { at: NOW, apps: { ok: false, problem: 'Marathon: GET /v2/apps: 403 Forbidden' } },
    },
    state: 'installing',
    actions: ['install'],
    notes: [
      /^whether a label of another app keeps \/marathon-lb from starting well is not known: Marathon: GET \/v2\/apps: 403/,
    ],
  },
  {
    name: 'nothing is due: a single load balancer is no news',
    seen: { loadBalancer: loadBalancer({ instances: 1, tasks: [task('lb.1')] }), wire: wire() },
    state: 'live',
    notes: [],
  },
  {
    name: 'nothing is due: the other apps are none of our business',
    seen: { loadBalancer: loadBalancer({ args: MAP }) },
    state: 'live',
    notes: [],
  },

  {
    name: 'Marathon did not take it a moment ago: tried again soon',
    seen: { ...issued, failedInstall: refused({}) },
    state: 'backing-off',
    why: /409 App is locked; next try/,
    againIn: 2 * SECOND,
  },
  {
    name: 'Marathon did not take it ten times: every five minutes',
    seen: { ...issued, failedInstall: refused({ count: 10 }) },
    state: 'backing-off',
    againIn: 5 * MINUTE,
  },
  {
    name: 'Marathon did not take it two thousand times: still every five minutes',
    seen: { ...issued, failedInstall: refused({ count: 2_000 }) },
    state: 'backing-off',
    againIn: 5 * MINUTE,
  },
  {
    name: 'Marathon refused it for good: a quarter of an hour for somebody to change something',
    seen: { ...issued, failedInstall: refused({ retryable: false, problem: 'Marathon: PUT: 422 invalid' }) },
    state: 'backing-off',
    why: /422/,
    againIn: 15 * MINUTE,
  },
  {
    name: 'it was refused in the future: the clock was wrong, and is no reason to wait',
    seen: { ...issued, failedInstall: refused({ at: ahead(DAY) }) },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'the pause is over: tried again',
    seen: { ...issued, failedInstall: refused({ at: ago(2 * SECOND) }) },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'somebody has changed marathon-lb since it was refused: tried at once',
    seen: { ...issued, failedInstall: refused({ retryable: false, loadBalancerVersion: 'before' }) },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'what was refused was another certificate: this one is tried at once',
    seen: { ...issued, failedInstall: refused({ fingerprint: older.fingerprint }) },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'the reply to the PUT was lost, but our value is there: watched, not posted again',
    seen: { failedInstall: refused({ problem: 'Marathon: PUT: socket hang up' }) },
    state: 'live',
  },

  {
    name: 'somebody emptied our variable: posted once more, and remembered',
    seen: { ...issued, stored: stored() },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'and again within the day: contested, not posted',
    seen: { ...issued, stored: stored({ ledger: replacedBefore(HOUR) }) },
    state: 'contested',
    why: /HAPROXY_SSL_CERT twice within a day; it is not posted again before 2026-11-23T11:00/,
    cure: /stop one of the two/,
  },
  {
    name: 'nearly a day later: the next look is when the day is over',
    seen: { ...issued, stored: stored({ ledger: replacedBefore(DAY - MINUTE) }) },
    state: 'contested',
    againIn: MINUTE,
  },
  {
    name: 'a day later: posted again',
    seen: { ...issued, stored: stored({ ledger: replacedBefore(DAY) }) },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'replaced a while ago, and by now it is there: nothing is contested',
    seen: { stored: stored({ ledger: replacedBefore(2 * HOUR, HOUR) }) },
    state: 'live',
  },

  {
    name: 'a test certificate never takes the place of a real one',
    seen: {
      loadBalancer: loadBalancer({ env: holding(certificate({ notBefore: ago(80 * DAY) })) }),
      stored: stored({ bundle: certificate({ issuerName: '(STAGING) Test CA' }), bundleDirectory: STAGING }),
    },
    policy: { directoryUrl: STAGING },
    state: 'not-installable',
    why: /staging CA never replaces it/,
  },
  {
    name: 'a test certificate from a real CA is not posted at all',
    seen: { ...issued, stored: stored({ bundle: certificate({ issuerName: '(STAGING) Test CA' }) }) },
    state: 'not-installable',
    why: /no browser trusts it/,
  },
  {
    name: 'the clock is wrong: a certificate from the future is not posted',
    seen: { ...issued, stored: stored({ bundle: certificate({ notBefore: ahead(DAY) }) }) },
    state: 'not-installable',
    why: /is the clock right/,
  },

  {
    name: 'ours is in the environment, Marathon redeploys: waited for',
    seen: { loadBalancer: deploying(), unsettledSince: ago(MINUTE), wire: undefined },
    state: 'deploying',
    why: /deployment d-17 .* is running/,
    againIn: 15 * SECOND,
  },
  {
    name: 'the app looks settled, but Marathon still lists the deployment that our PUT began: not done',
    seen: { ourDeployment: 'd-17', unsettledSince: ago(SECOND) },
    state: 'deploying',
  },
  {
    name: 'the deployment has gone, but the tasks are still old ones: not done',
    seen: {
      loadBalancer: loadBalancer({ lastConfigChangeAt: '2026-11-22T11:59:00.000Z' }),
      unsettledSince: NOW,
    },
    state: 'deploying',
    why: /fewer than 2 current, healthy tasks/,
  },
  {
    name: 'past the deadline: the launch queue is asked',
    seen: stuckFor(10 * MINUTE),
    state: 'stuck',
    looks: ['queue'],
  },
  {
    name: 'no second agent has the ports free: the known trap, with its cure',
    seen: { ...stuckFor(HOUR), queue: queued({ declined: { UnfulfilledRole: 3, InsufficientPorts: 1 } }) },
    state: 'stuck',
    why: /since .*11:00.*: .*no second agent has its ports free/,
    cure: /minimumHealthCapacity of \/marathon-lb to 0.*public agent/,
    againIn: MINUTE,
  },
  {
    name: 'no offer fits: why, in the words of the queue',
    seen: { ...stuckFor(HOUR), queue: queued({ declined: { InsufficientCpus: 4, InsufficientMemory: 0 } }) },
    state: 'stuck',
    why: /InsufficientCpus 4\)/,
  },
  {
    name: 'no offer came at all',
    seen: { ...stuckFor(HOUR), queue: queued({}) },
    state: 'stuck',
    why: /none came yet/,
  },
  {
    name: 'the new task crashes: its last words',
    seen: {
      loadBalancer: deploying({
        lastTaskFailure: {
          state: 'TASK_FAILED',
          message: 'exited 1',
          at: NOW,
          taskId: 'lb.3',
          host: '10.0.0.3',
          version: VERSION,
        },
      }),
      unsettledSince: ago(HOUR),
      queue: queued({ overdue: false, timeLeftSeconds: 40 }),
    },
    state: 'stuck',
    why: /holds the next launch back for 40 s/,
    cure: /lb\.3 on 10\.0\.0\.3: TASK_FAILED exited 1/,
  },
  {
    name: 'nothing waits in the queue',
    seen: { ...stuckFor(HOUR), queue: { ok: true, value: [] } },
    state: 'stuck',
    why: /nothing of it waits/,
  },
  {
    name: 'the queue cannot be read: said so',
    seen: { ...stuckFor(HOUR), queue: { ok: false, problem: '403 not authorized' } },
    state: 'stuck',
    why: /cannot be read: 403/,
  },

  {
    name: 'just deployed: the wire is asked',
    seen: { wire: undefined },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'the wire was asked for the certificate before: asked again',
    seen: { wire: wire({}, { expected: older.fingerprint }) },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'marathon-lb has another version since: asked again',
    seen: { wire: wire({}, { loadBalancerVersion: 'before' }) },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'a load balancer was replaced by a new task, without a deployment: the new one is asked',
    seen: { loadBalancer: loadBalancer({ tasks: [task('lb.1'), task('lb.3')] }) },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'a load balancer has gone, the rest was asked: still proven',
    seen: { loadBalancer: loadBalancer({ instances: 1, tasks: [task('lb.1')] }) },
    state: 'live',
  },
  {
    name: 'six hours later: asked again',
    seen: { wire: wire({}, { at: ago(6 * HOUR) }) },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'one of two still serves the old certificate, though Marathon says done: not served, and no further PUT',
    seen: { wire: failing(other) },
    state: 'not-served',
    why: /marathon-lb at 10\.0\.0\.2:443 serves AA:BB:CC:DD….* for a\.net; expected .*\(and 1 more\)/,
    cure: /restart that marathon-lb task/,
    againIn: MINUTE,
  },
  {
    name: 'one of two cannot be asked: unproven, which is not the same as not served',
    seen: { wire: failing(silent) },
    state: 'unproven',
    why: /10\.0\.0\.2:443 could not be asked for a\.net: connection refused/,
    cure: /MARATHON_LB_HTTPS_PORT/,
  },
  {
    name: 'one serves another, one cannot be asked: the worse is told',
    seen: { wire: wire({ 'lb.1': silent, 'lb.2': other }, { at: NOW, failingSince: NOW }) },
    state: 'not-served',
    why: /AA:BB.*and 3 more/,
  },
  {
    name: 'not served, and it is time to look again',
    seen: { wire: failing(other, { at: ago(MINUTE) }) },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'the public address of SERVED_CHECK serves another certificate: not served',
    seen: {
      wire: failing(other, {
        looks: [...wire().looks, { endpoint: 'www.a.net:443', taskId: undefined, domain: 'a.net', verdict: other }],
      }),
    },
    state: 'not-served',
    why: /^www\.a\.net:443 serves AA/,
    cure: /SERVED_CHECK/,
  },
  {
    name: 'the public address of SERVED_CHECK cannot be reached from here',
    seen: {
      wire: failing(silent, {
        looks: [...wire().looks, { endpoint: 'www.a.net:443', taskId: undefined, domain: 'a.net', verdict: silent }],
      }),
    },
    state: 'unproven',
    cure: /SERVED_CHECK/,
  },
  {
    name: 'no task could be asked: unproven',
    seen: {
      loadBalancer: loadBalancer({ instances: 0, tasks: [] }),
      wire: wire({}, { looks: [], at: NOW, failingSince: NOW }),
    },
    state: 'unproven',
    why: /no task that could serve/,
  },
] satisfies Row[]);

test('what somebody replaced goes into the memory with the next PUT', () => {
  const [action] = plan(observation({ ...issued, stored: stored() }), policy()).actions;
  assert.ok(action?.kind === 'install');
  assert.deepEqual(action.replacement, { at: NOW, slot: SLOT, fingerprint: CURRENT.fingerprint });
});

test('a rollback to an older certificate of ours is a replacement, too', () => {
  const known = { ...remembering(CURRENT), installed: [older.fingerprint, CURRENT.fingerprint] };
  const seen = { stored: stored({ ledger: known }), loadBalancer: loadBalancer({ env: holding(older) }) };
  const [action] = plan(observation(seen), policy()).actions;
  assert.ok(action?.kind === 'install');
  assert.equal(action.replacement?.fingerprint, CURRENT.fingerprint);
});

test('one of ours that came after what we noted is no replacement: of its PUT only the answer was lost', () => {
  const known = { ...remembering(older), installed: [older.fingerprint, halfway.fingerprint, CURRENT.fingerprint] };
  const seen = { stored: stored({ ledger: known }), loadBalancer: loadBalancer({ env: holding(halfway) }) };
  const { actions, certificate: held } = plan(observation(seen), policy());
  assert.ok(actions[0]?.kind === 'install');
  assert.deepEqual([actions[0].replacement, /somebody/.test(held.why)], [undefined, false]);
});

test('two keepers of different names on one load balancer end without a war', () => {
  const theirs = policy({ appId: '/other', domains: 'shop.net' });
  const both = loadBalancer({ env: holding(FOREIGN, CURRENT) });
  const ours = plan(observation({ loadBalancer: both }), policy());
  const other = plan(
    observation({
      loadBalancer: both,
      stored: stored({ bundle: FOREIGN, ledger: remembering(FOREIGN) }),
      wire: wire({}, { expected: FOREIGN.fingerprint }),
    }),
    theirs,
  );
  assert.deepEqual([kinds(ours), kinds(other)], [[], []]);
});
