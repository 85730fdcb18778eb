/** The planner's table, part two: when the CA is asked, and what comes first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { App } from '../../src/marathon/app.ts';
import type { Seen } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import type { RouteVerdict } from '../../src/route.ts';
import type { OrderInFlight } from '../../src/store.ts';
import {
  ago,
  ahead,
  certificate,
  DAY,
  DUE,
  deploying,
  EXPIRED,
  empty,
  FOREIGN,
  failure,
  HOUR,
  holding,
  inFlight,
  ledger,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  observation,
  ourApp,
  policy,
  remembering,
  routes,
  SECOND,
  STAGING,
  stored,
  task,
  VERSION,
  vhost,
  wire,
} from '../support/observation.ts';
import { type Row, runRows } from '../support/plan-table.ts';

/** Nothing held anywhere: the first order of a life. */
const bare = loadBalancer({ env: holding() });
const first = { loadBalancer: bare, stored: empty(), wire: undefined };
/** Held, served, and past two thirds of its life. */
const due = {
  loadBalancer: loadBalancer({ env: holding(DUE) }),
  stored: stored({ bundle: DUE, ledger: remembering(DUE) }),
  wire: wire({}, { expected: DUE.fingerprint }),
};
/** Of its ninety days a week is left. */
const ENDING = certificate({ notBefore: ago(83 * DAY) });
const dueAfter = (...failures: ReturnType<typeof failure>[]) =>
  stored({ bundle: DUE, ledger: { ...remembering(DUE), failures } });
const crashed = (msAgo: number, version?: string): Seen<App> =>
  ourApp({
    lastTaskFailure: {
      state: 'TASK_FAILED',
      message: 'OOM',
      at: ago(msAgo),
      taskId: 'us.0',
      host: '10.0.0.9',
      version,
    },
  });
/** What is held, and served, is of another directory; one name has lost its route. */
const elsewhere = (bundleDirectory: string) => ({
  stored: stored({ bundleDirectory }),
  routes: routes(
    { 'b.net': { kind: 'answered', status: 503, note: '' } },
    { waitingSince: ago(HOUR), lackingSince: { 'b.net': ago(HOUR) } },
  ),
});
/** A task of the version before beside ours, which started this long ago. */
const upgradedAgo = (ms: number): Seen<App> =>
  ourApp({ tasks: [task('us.0', { version: '2026-11-01T00:00:00.000Z' }), task('us.1', { startedAt: ago(ms) })] });
/** Ours is of the version before; this long ago the labels were edited. */
const editedAgo = (ms: number): Seen<App> => ourApp({ lastConfigChangeAt: ago(ms).toISOString() });
const allNames = (verdict: RouteVerdict) => ({ 'a.net': verdict, 'b.net': verdict });

runRows([
  {
    name: 'the first time: the routes are looked at before the CA is asked',
    seen: first,
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'every name leads to us: order',
    seen: { ...first, routes: routes() },
    state: 'ordering',
    actions: ['issue'],
    why: /nothing covers a\.net, b\.net/,
  },
  {
    name: 'every name led to us, but that was a while ago: looked at again',
    seen: { ...first, routes: routes({}, { at: ago(MINUTE) }) },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'a label gained a name: order anew, for all of them',
    seen: { self: ourApp({ labels: vhost(...NAMES, 'c.net') }), routes: routes() },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  { name: 'a label lost a name: what there is covers the rest', policy: { domains: 'b.net' }, state: 'live' },
  {
    name: 'the names stand in another order: nothing changed',
    seen: { self: ourApp({ labels: vhost('b.net', 'a.net') }) },
    state: 'live',
  },
  {
    name: 'the certificate has expired: order',
    seen: {
      loadBalancer: loadBalancer({ env: holding(EXPIRED) }),
      stored: stored({ bundle: EXPIRED, ledger: remembering(EXPIRED) }),
      routes: routes(),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'the certificate has expired and the CA could not come: that is told, not what an expired one is good for',
    seen: {
      loadBalancer: loadBalancer({ env: holding(EXPIRED) }),
      stored: stored({ bundle: EXPIRED, ledger: remembering(EXPIRED) }),
      routes: routes({ 'a.net': { kind: 'answered', status: 503, note: 'no server' } }),
    },
    state: 'waiting-for-route',
    why: /503/,
  },
  {
    name: 'renewal is due: order, while the old one serves',
    seen: { ...due, routes: routes() },
    state: 'ordering',
    actions: ['issue'],
    why: /the certificate ends/,
  },
  {
    name: 'another directory is set, and one name has no route: it stays on the old certificate until that nears its end',
    seen: elsewhere('https://acme.zerossl.com/v2/DV90'),
    state: 'waiting-for-route',
    why: /^b\.net through marathon-lb/,
  },
  {
    name: 'the old directory was one for tests: nothing to save',
    seen: elsewhere(STAGING),
    state: 'ordering',
    actions: ['issue'],
    ordered: ['a.net'],
  },
  {
    name: 'another directory is set: what the old one issued is replaced',
    seen: { stored: stored({ bundleDirectory: STAGING }), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'the state folder has only a certificate for other names: order',
    seen: { ...first, stored: stored({ bundle: FOREIGN }), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },

  {
    name: 'the state folder cannot be written: no order, and why',
    seen: { ...first, routes: routes(), stored: empty({ writable: false, problems: ['/etc/letsencrypt: EROFS'] }) },
    state: 'not-writable',
    why: /EROFS/,
  },
  {
    name: 'the state folder cannot be written, but nothing is to be ordered: all is well',
    seen: { stored: stored({ writable: false }) },
    state: 'live',
  },

  {
    name: 'the last order failed a moment ago: its time comes',
    seen: {
      ...first,
      routes: routes(),
      stored: empty({ ledger: ledger({ failures: [failure({ at: ago(10 * SECOND) })] }) }),
    },
    state: 'backing-off',
    why: /unauthorized: 404; next try 2026-11-22T12:00:(4[4-9]|5\d)\.\d+Z; there is no certificate yet/,
    againInAbout: 50 * SECOND,
  },
  {
    name: 'three orders failed: the next one is about 100 minutes after the last',
    seen: { ...first, stored: empty({ ledger: ledger({ failures: [failure(), failure(), failure()] }) }) },
    state: 'backing-off',
    why: /404, 3 times in a row; next try 2026-11-22T13:[345]\d:/,
    againIn: 15 * MINUTE,
  },
  {
    name: 'the time has come: tried again',
    seen: {
      ...first,
      routes: routes(),
      stored: empty({ ledger: ledger({ failures: [failure({ at: ago(MINUTE) })] }) }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'the CA asked for ten minutes: it gets them',
    seen: { ...first, stored: empty({ ledger: ledger({ failures: [failure({ retryAfter: ahead(10 * MINUTE) })] }) }) },
    state: 'backing-off',
    againIn: 10 * MINUTE,
  },
  {
    name: 'the CA asked for a day: looked at in between all the same',
    seen: { ...first, stored: empty({ ledger: ledger({ failures: [failure({ retryAfter: ahead(DAY) })] }) }) },
    state: 'backing-off',
    againIn: 15 * MINUTE,
  },
  {
    name: 'the label was edited after a failure: tried at once',
    seen: {
      ...first,
      routes: routes(),
      stored: empty({ ledger: ledger({ failures: [failure({ names: ['a.net'] })] }) }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'the same names in another order are the same names: still backing off',
    seen: { ...first, stored: empty({ ledger: ledger({ failures: [failure({ names: ['b.net', 'a.net'] })] }) }) },
    state: 'backing-off',
  },
  {
    name: 'renewal is due and backing off, the old one serves: told with what failed',
    seen: { ...due, stored: dueAfter(failure({ at: NOW })) },
    state: 'backing-off',
    why: /unauthorized/,
    againInAbout: MINUTE,
  },
  {
    name: 'renewal is backing off, and what is held is not even installed: install it',
    seen: { ...due, stored: dueAfter(failure({ at: NOW })), loadBalancer: bare },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'renewal is backing off for hours while marathon-lb deploys: the deployment is watched all the same',
    seen: {
      ...due,
      stored: dueAfter(failure(), failure(), failure()),
      loadBalancer: deploying({ env: holding(DUE) }),
      unsettledSince: NOW,
    },
    state: 'deploying',
    why: /d-17 .* is running; besides, the renewal has to wait: .*unauthorized/,
    againIn: SECOND / 10,
  },
  {
    name: 'renewal is backing off and another certificate is served: both are told',
    seen: {
      ...due,
      stored: dueAfter(failure(), failure(), failure()),
      wire: wire(
        { 'lb.2': { kind: 'other', fingerprint: 'AA:BB:CC:DD', domains: [], notAfter: ahead(DAY) } },
        { expected: DUE.fingerprint, at: NOW },
      ),
    },
    state: 'not-served',
    why: /serves AA:BB:CC:DD.*besides, the renewal has to wait: .*unauthorized/,
    againIn: MINUTE,
  },
  {
    name: 'renewal waits for a route and nobody has asked the wire: asked',
    seen: { ...due, wire: undefined, routes: routes(allNames({ kind: 'answered', status: 503, note: 'none' })) },
    state: 'unproven',
    looks: ['wire'],
  },

  {
    name: 'crashed five minutes ago and the folder came up empty: no order yet, for a crash loop would spend the limits',
    seen: { ...first, self: crashed(5 * MINUTE), routes: routes() },
    state: 'backing-off',
    why: /us\.0 failed at .* the state folder came up empty/,
    cure: /volume/,
    againIn: 10 * MINUTE,
  },
  {
    name: 'a new version crashes on start: the old one, whose folder was empty, goes on',
    seen: { ...first, self: crashed(MINUTE, '2026-11-22T11:50:00.000Z'), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'another task of our own version crashes: it may be the order that kills it, so none is made',
    seen: { ...first, self: crashed(MINUTE, VERSION), routes: routes() },
    state: 'backing-off',
    why: /ordering waits until/,
  },
  {
    name: 'an upgrade without a volume: the task before may have an order in hand, so it is left to end',
    seen: { ...first, self: upgradedAgo(MINUTE), routes: routes() },
    state: 'following',
    why: /us\.0 of the version before still runs/,
  },
  {
    name: "the same, and our clock is hours behind Marathon's: looked at once a minute, not ten times a second",
    seen: { ...first, self: upgradedAgo(-5 * HOUR), routes: routes() },
    state: 'following',
    againIn: MINUTE,
  },
  {
    name: 'the task before has not ended for minutes: not waited for any longer',
    seen: { ...first, self: upgradedAgo(2 * MINUTE), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'an upgrade with its memory: the order is in the folder, nobody is waited for',
    seen: { ...first, stored: empty({ wasEmpty: false }), self: upgradedAgo(MINUTE), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'our labels were edited a minute ago: the task with the edit orders, not the one before it',
    seen: { ...first, self: editedAgo(MINUTE), routes: routes() },
    state: 'following',
    why: /was changed at .* starts a task with the change, which orders/,
  },
  {
    name: 'the same, and our clock is hours behind: once a minute, too',
    seen: { ...first, self: editedAgo(-5 * HOUR), routes: routes() },
    state: 'following',
    againIn: MINUTE,
  },
  {
    name: 'the task with the edit has not come up for ten minutes: ordered all the same',
    seen: { ...first, self: editedAgo(10 * MINUTE), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'our labels were edited a minute ago, and the certificate is due: the task with the edit renews it',
    seen: { ...due, self: editedAgo(MINUTE), routes: routes() },
    state: 'following',
    why: /starts a task with the change, which orders/,
  },
  {
    name: 'the same, and the certificate nears its end: renewed without waiting',
    seen: {
      self: editedAgo(MINUTE),
      loadBalancer: loadBalancer({ env: holding(ENDING) }),
      stored: stored({ bundle: ENDING, ledger: remembering(ENDING) }),
      wire: wire({}, { expected: ENDING.fingerprint }),
      routes: routes(),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'crashed a quarter of an hour ago: order',
    seen: { ...first, self: crashed(15 * MINUTE), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'crashed, but the folder kept its memory: order',
    seen: { ...first, stored: empty({ wasEmpty: false }), self: crashed(MINUTE), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'crashed, and marathon-lb has the certificate: nothing to order, so nothing to wait for',
    seen: { stored: empty(), self: crashed(MINUTE) },
    state: 'live',
    actions: ['adopt'],
  },

  {
    name: 'an order of ours waits at the CA, and the names lead to this task: gone on with',
    seen: { ...first, routes: routes(), stored: empty({ order: inFlight(), wasEmpty: false }) },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'an order of ours waits at the CA, but the route was to the task before: looked at anew',
    seen: { ...first, stored: empty({ order: inFlight(), wasEmpty: false }) },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'an order of ours waits at the CA, but marathon-lb is being deployed: so does it',
    seen: { ...first, loadBalancer: deploying({ env: {} }), stored: empty({ order: inFlight() }), unsettledSince: NOW },
    state: 'waiting-for-route',
    why: /being deployed/,
  },
  {
    name: 'we cannot connect to a load balancer for a day: the CA may, so it is asked',
    seen: { ...first, routes: routes({ 'a.net': { kind: 'unreachable', note: '' } }, { waitingSince: ago(DAY) }) },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'two of our own tasks run, and the other one was asked: that is said, not that an app is in the way',
    seen: {
      ...first,
      self: ourApp({ tasks: [task('us.1'), task('us.2', { startedAt: ago(SECOND) })] }),
      routes: routes({ 'a.net': { kind: 'answered', status: 404, note: 'Not Found' } }),
    },
    state: 'waiting-for-route',
    cure: /another instance of \/letsencrypt-dcos may have answered/,
  },
  {
    name: 'another app has answered for nearly a day: the CA would meet it too',
    seen: {
      ...first,
      routes: routes(allNames({ kind: 'answered', status: 404, note: '' }), { waitingSince: ago(DAY - 1) }),
    },
    state: 'waiting-for-route',
  },
  {
    name: 'another app has answered for a whole day: our view may be wrong, so the CA is asked',
    seen: {
      ...first,
      routes: routes(allNames({ kind: 'answered', status: 404, note: '' }), { waitingSince: ago(DAY) }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'the order at the CA is for other names: route first, as with any order',
    seen: { ...first, stored: empty({ order: inFlight({ domains: ['c.net'] }) }) },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'the order is at another CA: route first',
    seen: { ...first, stored: empty({ order: inFlight({ directory: STAGING }) }) },
    state: 'waiting-for-route',
    looks: ['routes'],
  },

  {
    name: 'marathon-lb is being deployed: the CA would meet closed ports, so no order',
    seen: { ...first, loadBalancer: deploying({ env: {} }), unsettledSince: ago(8 * SECOND), routes: routes() },
    state: 'waiting-for-route',
    why: /marathon-lb is being deployed \(d-17\)/,
    againIn: 2 * SECOND,
  },
  {
    name: 'marathon-lb is being deployed, and nobody knows since when: no order either',
    seen: { ...first, loadBalancer: deploying({ env: {} }), routes: routes() },
    state: 'waiting-for-route',
    why: /being deployed/,
  },
  {
    name: 'the deployment of marathon-lb is stuck: the renewal goes on through what runs',
    seen: { ...due, loadBalancer: deploying({ env: holding(DUE) }), unsettledSince: ago(HOUR), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'marathon-lb is scaled to 0: nothing could answer the CA',
    seen: { ...first, loadBalancer: loadBalancer({ instances: 0, tasks: [], env: {} }) },
    state: 'waiting-for-route',
    why: /no running task/,
    cure: /start \/marathon-lb/,
  },
  {
    name: 'no task of marathon-lb runs yet',
    seen: { ...first, loadBalancer: loadBalancer({ env: {}, tasks: [task('lb.1', { state: 'TASK_STAGING' })] }) },
    state: 'waiting-for-route',
    why: /no running task/,
  },
  {
    name: 'all 30 variables belong to others: a certificate that could go nowhere is not ordered',
    seen: { ...first, loadBalancer: loadBalancer({ env: holding(...Array(30).fill(FOREIGN)) }), routes: routes() },
    state: 'not-installable',
    why: /all 30/,
  },

  {
    name: 'redirected: to where, and which labels cure it',
    seen: { ...first, routes: routes({ 'a.net': { kind: 'redirected', to: 'https://a.net/x' } }) },
    state: 'waiting-for-route',
    why: /^a\.net through marathon-lb at 10\.0\.0\.1:80: .*redirected to https:\/\/a\.net\/x$/,
    cure: /letsencrypt-dcos-catch-all\.json/,
    againIn: SECOND / 4,
  },
  {
    name: '401: another app asks for a password first',
    seen: { ...first, routes: routes({ 'b.net': { kind: 'answered', status: 401, note: 'Unauthorized' } }) },
    state: 'waiting-for-route',
    why: /HTTP 401/,
    cure: /HAPROXY_n_AUTH.*catch-all/,
  },
  {
    name: '503: no rule of marathon-lb leads to us yet',
    seen: { ...first, routes: routes({ 'a.net': { kind: 'answered', status: 503, note: 'no server' } }) },
    state: 'waiting-for-route',
    cure: /HAPROXY_GROUP, and have a\.net in HAPROXY_0_VHOST/,
  },
  {
    name: '404: another app answers',
    seen: { ...first, routes: routes({ 'a.net': { kind: 'answered', status: 404, note: 'nginx' } }) },
    state: 'waiting-for-route',
    cure: /HAPROXY_0_BACKEND_WEIGHT=1000/,
  },
  {
    name: '404: it may be a second keeper, whose catch-all labels come first; ours being catch-all too is no cure then',
    seen: { ...first, routes: routes({ 'a.net': { kind: 'answered', status: 404, note: 'Not Found, text/plain' } }) },
    state: 'waiting-for-route',
    cure: /another letsencrypt-dcos with the catch-all labels, only one on a load balancer can have them: .* letsencrypt-dcos\.json/,
  },
  {
    name: 'a load balancer cannot be reached: the port that names it',
    seen: { ...first, routes: routes({ 'a.net': { kind: 'unreachable', note: 'connection refused' } }) },
    state: 'waiting-for-route',
    why: /connection refused/,
    cure: /MARATHON_LB_HTTP_PORT/,
  },
  {
    name: 'no route for an hour: looked at once a minute',
    seen: {
      ...first,
      routes: routes(allNames({ kind: 'unreachable', note: 'timed out' }), { waitingSince: ago(HOUR) }),
    },
    state: 'waiting-for-route',
    why: /and 1 more/,
    againIn: MINUTE,
  },
  {
    name: 'no route, and it is time to look again',
    seen: {
      ...first,
      routes: routes(allNames({ kind: 'unreachable', note: '' }), { at: ago(MINUTE), waitingSince: ago(HOUR) }),
    },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'a third name has no route and the certificate for two is not installed: install the two? no, it covers not all',
    seen: {
      self: ourApp({ labels: vhost(...NAMES, 'c.net') }),
      loadBalancer: bare,
      routes: routes({ 'a.net': { kind: 'answered', status: 503, note: '' } }),
    },
    state: 'waiting-for-route',
    looks: ['routes'],
  },
] satisfies Row[]);

const resumed = (order: OrderInFlight) => {
  const planned = plan(observation({ ...first, stored: empty({ order }), routes: routes() }), policy());
  const [action] = planned.actions;
  return action?.kind === 'issue' && action.resume !== undefined;
};

test('an order is only gone on with for the very names, at the very CA', () => {
  assert.equal(resumed(inFlight()), true);
  assert.equal(resumed(inFlight({ domains: ['b.net', 'a.net'] })), true);
  assert.equal(resumed(inFlight({ domains: ['a.net'] })), false);
  assert.equal(resumed(inFlight({ directory: STAGING })), false);
});

test('an order of more than a week ago is not gone on with: its address may lead nowhere any more', () => {
  assert.equal(resumed(inFlight({ createdAt: ago(7 * DAY - SECOND) })), true);
  assert.equal(resumed(inFlight({ createdAt: ago(7 * DAY) })), false);
});

test('what is ordered is all the names, with the key that is set', () => {
  const [action] = plan(observation({ ...first, routes: routes() }), policy({ keyType: 'ec256' })).actions;
  assert.ok(action?.kind === 'issue');
  assert.deepEqual(action.spec, { domains: NAMES, commonName: 'a.net', keyType: 'ec256' });
});
