/** The planner's table, part four: load balancers that do not start with our certificate. And how failed ones are counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import { FailedLaunches } from '../../src/launches.ts';
import type { App, Task, TaskFailure } from '../../src/marathon/app.ts';
import type { FailedInstall } from '../../src/plan/observation.ts';
import {
  ago,
  CURRENT,
  certificate,
  DAY,
  deploying,
  HOUR,
  holding,
  loadBalancer,
  MINUTE,
  NOW,
  placeholder,
  remembering,
  routes,
  SECOND,
  SLOT,
  stored,
  task,
  VERSION,
} from '../support/observation.ts';
import { type Row, runRows } from '../support/plan-table.ts';

const before = placeholder('a.net');
const kept = { fingerprint: CURRENT.fingerprint, values: { [SLOT]: before.pem }, at: ago(MINUTE) };
const sick = [task('lb.3', { alive: false }), task('lb.4', { alive: undefined, state: 'TASK_STAGING' })];
const failedLaunches = ['lb.1', 'lb.2'];
/** Ours is in place, two new ones have failed, and none is healthy. */
const down = {
  loadBalancer: deploying({ tasks: sick }),
  stored: stored({ kept }),
  unsettledSince: ago(MINUTE),
  failedLaunches,
};
const refused = (count: number): FailedInstall => ({
  at: count === 0 ? ago(MINUTE) : NOW,
  fingerprint: CURRENT.fingerprint,
  loadBalancerVersion: VERSION,
  problem: 'Marathon: PUT /v2/apps/marathon-lb: 503',
  retryable: true,
  count,
});
const blocked = { ...remembering(CURRENT), posted: {}, blocked: [CURRENT.fingerprint] };

/** HAProxy refused the newer one; what was there before serves again. */
const putBack = (serving: CertificateBundle, refusedOne = CURRENT) => ({
  loadBalancer: loadBalancer({ env: holding(serving) }),
  stored: stored({
    bundle: refusedOne,
    previous: serving,
    ledger: { ...remembering(refusedOne), posted: {}, blocked: [refusedOne.fingerprint] },
  }),
  routes: routes(),
});

const ROWS: readonly Row[] = [
  {
    name: 'none is healthy and two new ones have failed: what was before is put back',
    seen: down,
    state: 'stuck',
    actions: ['restore'],
    why: /^no task of \/marathon-lb is healthy, and 2 new ones have failed since our certificate [0-9A-F:]+ was put into HAPROXY_SSL_CERT; what was in HAPROXY_SSL_CERT before is put back, once$/,
  },
  {
    name: 'the deployment was cancelled meanwhile: put back all the same',
    seen: { ...down, loadBalancer: loadBalancer({ tasks: sick }) },
    state: 'stuck',
    actions: ['restore'],
  },
  {
    name: 'one has failed: it may have met a sick agent',
    seen: { ...down, failedLaunches: ['lb.1'] },
    state: 'deploying',
  },
  {
    name: 'an old one still serves: nothing is put back',
    seen: { ...down, loadBalancer: deploying({ tasks: [task('lb.0', { version: '2026-01-01T00:00:00Z' }), ...sick] }) },
    state: 'deploying',
  },
  {
    name: 'without health checks one that runs counts as one that serves',
    seen: { ...down, loadBalancer: deploying({ tasks: sick, hasHealthChecks: false }) },
    state: 'deploying',
  },
  {
    name: 'scaled to none: none need be healthy',
    seen: { ...down, loadBalancer: deploying({ tasks: [], instances: 0 }) },
    state: 'deploying',
  },
  {
    name: 'somebody has put another certificate there: theirs stays',
    seen: { ...down, loadBalancer: deploying({ tasks: sick, env: holding(placeholder('x.net')) }) },
    state: 'installing',
    why: /waiting for deployment/,
  },
  {
    name: 'RESTORE=off',
    seen: down,
    policy: { restore: false },
    state: 'stuck',
    why: /RESTORE=off, so nothing is put back/,
    cure: /put back what HAPROXY_SSL_CERT held before, or empty it, with force/,
  },
  {
    name: 'the folder could not be written before the PUT: nothing to put back, and said so',
    seen: { ...down, stored: stored() },
    state: 'stuck',
    why: /was not kept, because the state folder could not be written/,
  },
  {
    name: 'what was kept is of an older certificate: not for this one',
    seen: { ...down, stored: stored({ kept: { ...kept, fingerprint: before.fingerprint } }) },
    state: 'stuck',
    why: /was not kept/,
  },
  {
    name: 'long after a deployment the load balancers are down for other reasons',
    seen: { ...down, loadBalancer: loadBalancer({ tasks: sick }), stored: stored() },
    state: 'deploying',
    why: /has fewer than 2 current, healthy tasks/,
  },
  {
    name: 'Marathon refused to put it back a moment ago: asked again when its time comes, not with every look',
    seen: { ...down, failedInstall: refused(4) },
    state: 'stuck',
    why: /is put back, once: Marathon: PUT .* 503; next try 2026-11-22T12:00:16/,
    againIn: 16 * SECOND,
  },
  { name: 'that time has come', seen: { ...down, failedInstall: refused(0) }, state: 'stuck', actions: ['restore'] },
  {
    name: 'the answer to our PUT was lost, or we were killed before we could note it: what was kept before it tells',
    seen: { ...down, stored: stored({ kept, ledger: { ...remembering(CURRENT), posted: {} } }) },
    state: 'stuck',
    actions: ['restore'],
  },
  {
    name: 'paused: told, not done',
    seen: down,
    policy: { pause: true },
    state: 'stuck',
    actions: [],
    cure: /^set PAUSE to false, and what was in HAPROXY_SSL_CERT before is put back/,
  },

  {
    name: 'they are up with ours: what was before is forgotten',
    seen: { stored: stored({ kept }) },
    state: 'live',
    actions: ['forget'],
  },
  {
    name: 'the answer to the PUT was lost a moment ago, and all is as before: kept, for it may still come through',
    seen: {
      loadBalancer: loadBalancer({ env: holding(before) }),
      stored: stored({ kept, ledger: { ...remembering(CURRENT), posted: {} } }),
    },
    state: 'installing',
    actions: ['install'],
  },

  {
    name: 'taken back: never posted again, told what to do',
    seen: { loadBalancer: loadBalancer({ env: holding(before) }), stored: stored({ ledger: blocked }) },
    policy: { keyType: 'ec256' },
    state: 'not-installable',
    why: /no task of \/marathon-lb became healthy with our certificate [0-9A-F:]+: .* never posted again/,
    cure: /another certificate is ordered at once when KEY_TYPE is changed, else on 20/,
  },
  {
    name: 'taken back, and the operator wants another kind of key: as if there were none',
    seen: { loadBalancer: loadBalancer({ env: holding(before) }), stored: stored({ ledger: blocked }) },
    policy: { keyType: 'rsa3072' },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'taken back, and what serves meanwhile lives long: the next one has time',
    seen: putBack(certificate({ notBefore: ago(60 * DAY) })),
    policy: { keyType: 'ec256' },
    state: 'not-installable',
    cure: /else on 2026-12-07T12:00/,
  },
  {
    name: 'taken back, and what serves meanwhile nears its end: another one is ordered, for why it failed may be over',
    seen: putBack(certificate({ notBefore: ago(76 * DAY) })),
    policy: { keyType: 'ec256' },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'and that one was taken back yesterday: not every day, for each try closes the load balancers for a while',
    seen: putBack(certificate({ notBefore: ago(76 * DAY) }), certificate({ notBefore: ago(DAY) })),
    policy: { keyType: 'ec256' },
    state: 'not-installable',
    cure: /else on 2026-11-29T00:00/,
  },
  {
    name: 'taken back, another kind of key, and one name has no route: it stays on the one that serves meanwhile',
    seen: {
      ...putBack(certificate({ notBefore: ago(60 * DAY) })),
      routes: routes(
        { 'b.net': { kind: 'answered', status: 503, note: '' } },
        { waitingSince: ago(HOUR), lackingSince: { 'b.net': ago(HOUR) } },
      ),
    },
    policy: { keyType: 'rsa3072' },
    state: 'waiting-for-route',
    why: /^b\.net through marathon-lb/,
  },
  {
    name: 'taken back, and put there again by hand, where it runs: all is well',
    seen: { stored: stored({ ledger: blocked }) },
    policy: { keyType: 'ec256' },
    state: 'live',
  },
];

runRows(ROWS);

// Counting

const NEW = '2026-11-22T11:00:00.000Z';
const app = (tasks: readonly Task[], lastTaskFailure?: TaskFailure): App => {
  const seen = deploying({ tasks, version: NEW, lastConfigChangeAt: NEW, lastTaskFailure });
  assert.ok(seen.ok);
  return seen.value;
};
const fresh = (id: string, differing: Partial<Task> = {}) => task(id, { version: NEW, alive: false, ...differing });
const old = task('lb.1');
const failure = (taskId: string, version: string): TaskFailure => {
  return { state: 'TASK_FAILED', message: 'exited 1', at: NOW, taskId, host: '10.0.0.1', version };
};

test('a new task that is not there any more has failed; an old one has been replaced', () => {
  const launches = new FailedLaunches();
  assert.deepEqual(launches.note(app([old, fresh('lb.5')])), []);
  assert.deepEqual(launches.note(app([fresh('lb.6')])), ['lb.5']);
  assert.deepEqual(launches.note(app([])), ['lb.5', 'lb.6']);
});

test("Marathon's one remembered failure counts when it is of the new configuration, and once", () => {
  const launches = new FailedLaunches();
  assert.deepEqual(launches.note(app([fresh('lb.5')], failure('lb.1', VERSION))), []);
  assert.deepEqual(launches.note(app([fresh('lb.6')], failure('lb.5', NEW))), ['lb.5']);
});

test('with another configuration the count begins anew', () => {
  const launches = new FailedLaunches();
  launches.note(app([fresh('lb.5')]));
  launches.note(app([]));
  const later = '2026-11-22T11:30:00.000Z';
  assert.deepEqual(launches.note({ ...app([]), version: later, lastConfigChangeAt: later }), []);
});

test('once all have been healthy, tasks that end later tell nothing of the certificate', () => {
  const launches = new FailedLaunches();
  const up = { ...app([fresh('lb.5', { alive: true }), fresh('lb.6', { alive: true })]), deployments: [] };
  launches.note(up);
  assert.deepEqual(launches.note({ ...up, tasks: [] }), []);
});
