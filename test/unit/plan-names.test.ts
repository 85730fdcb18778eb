/** The planner's table, part four: names that fail, and the others that go on without them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Failure, setOf } from '../../src/certificates/ledger.ts';
import { lastCallAt, mayShrinkAt, renewAt } from '../../src/certificates/renewal.ts';
import type { Observation, PreflightSeen } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import { planAsJson, planAsText } from '../../src/status.ts';
import {
  ago,
  ahead,
  BAD,
  CURRENT,
  certificate,
  DAY,
  DIRECTORY,
  DUE,
  deploying,
  empty,
  failure,
  GOOD,
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
  tried,
  UNKNOWN,
  vhost,
  wire,
} from '../support/observation.ts';
import { checkPace, namesOrdered, type Row, runRows } from '../support/plan-table.ts';

const ALL = [...NAMES, 'c.net'];
const FULL = certificate({ domains: ALL });
/** Past two thirds of its life, and weeks from its end. */
const FULL_DUE = certificate({ domains: ALL, notBefore: ago(70 * DAY) });
/** In the last sixth of its life. */
const FULL_LATE = certificate({ domains: ALL, notBefore: ago(76 * DAY) });
const PRIVATE = { directoryUrl: 'https://ca.internal/directory' };
const PRIVATE_CA = { directory: PRIVATE.directoryUrl };
/** Certificates for these names, so long ago. */
const had = (names: readonly string[], ...msAgo: readonly number[]) =>
  msAgo.map((ms) => ({ at: ago(ms), directory: DIRECTORY, set: setOf(names), fingerprint: `${names} ${ms}` }));

const three = { self: ourApp({ labels: vhost(...ALL) }), routes: routes({}, {}, ALL) };
const refused = (name: string, differing: Partial<Failure> = {}): Failure =>
  failure({
    scope: 'name',
    names: [name],
    pace: 'name',
    problem: `ACME: ${name}: connection: refused. Look at port 80`,
    at: ago(MINUTE),
    ...differing,
  });
const after = (...failures: Failure[]) => ledger({ failures });

/** Nothing held anywhere, and these failures. */
const first = (...failures: Failure[]): Partial<Observation> => ({
  ...three,
  loadBalancer: loadBalancer({ env: holding() }),
  stored: empty({ wasEmpty: false, ledger: after(...failures) }),
  wire: undefined,
});

/** This certificate is held and served, three names are wanted. */
const live = (bundle: ReturnType<typeof certificate>, ...failures: Failure[]): Partial<Observation> => ({
  ...three,
  loadBalancer: loadBalancer({ env: holding(bundle) }),
  stored: stored({ bundle, ledger: { ...remembering(bundle), failures } }),
  wire: wire({}, { expected: bundle.fingerprint }, bundle.domains),
});
const without = (name: string, waitingMs: number, at = NOW) => ({
  routes: routes(
    { [name]: { kind: 'answered', status: 503, note: 'no server' } },
    { waitingSince: ago(waitingMs), at },
    ALL,
  ),
});
const lookedAt = (...looks: PreflightSeen[]) => ({
  preflight: [
    ...ALL.filter((name) => !looks.some(({ domain }) => domain === name)).map((name) => tried(name, GOOD)),
    ...looks,
  ],
});
const auto = { preflight: 'auto' } as const;
const strict = { preflight: 'strict' } as const;

runRows([
  // The first certificate
  {
    name: 'the first order, and one of three names was refused: the other two are ordered at once',
    seen: first(refused('c.net', { at: ago(SECOND) })),
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'two of three were refused: the third is ordered at once',
    seen: first(refused('a.net'), refused('c.net')),
    state: 'ordering',
    actions: ['issue'],
    ordered: ['b.net'],
  },
  {
    name: 'all three were refused: nothing is left to order; each is tried again in its time',
    seen: first(...ALL.map((name) => refused(name))),
    state: 'backing-off',
    why: /a\.net: connection: refused.* \(and 2 more\); next try 2026-11-22T12:\d\d:.*there is no certificate yet/,
    againInAbout: 9 * MINUTE,
  },
  {
    name: 'the time of a name has come: it is ordered with the others, as if nothing had been',
    seen: first(refused('c.net', { at: ago(11 * MINUTE) })),
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'an order in flight for the two goes on, though three are wanted',
    seen: { ...first(refused('c.net')), stored: empty({ order: inFlight(), ledger: after(refused('c.net')) }) },
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },

  // What the CA's limits allow
  {
    name: 'two certificates for these names this week: the renewal waits until one may be had, and says how many are used',
    seen: {
      ...live(FULL_DUE),
      stored: stored({ bundle: FULL_DUE, ledger: { ...remembering(FULL_DUE), issued: had(ALL, 6 * DAY, 5 * DAY) } }),
    },
    state: 'backing-off',
    why: /^2 certificates for exactly these names in 7 days are used up, of 2 that we allow ourselves and 5 that the CA allows; next free 2026-11-23T12:00:00\.000Z; the present certificate ends/,
  },
  {
    name: 'a week after the first of the two: on',
    seen: {
      ...live(FULL_DUE),
      stored: stored({ bundle: FULL_DUE, ledger: { ...remembering(FULL_DUE), issued: had(ALL, 7 * DAY, 5 * DAY) } }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'two for other names, or at another CA: no matter',
    seen: {
      ...live(FULL_DUE),
      stored: stored({
        bundle: FULL_DUE,
        ledger: {
          ...remembering(FULL_DUE),
          issued: [...had(NAMES, DAY, HOUR), ...had(ALL, DAY, HOUR).map((one) => ({ ...one, directory: STAGING }))],
        },
      }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'two, and none is left: a third and a fourth to save what is lost',
    seen: { ...first(), stored: empty({ ledger: ledger({ issued: had(ALL, 3 * DAY, 2 * DAY, DAY) }) }) },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'never a fifth',
    seen: { ...first(), stored: empty({ ledger: ledger({ issued: had(ALL, 3 * DAY, 2 * DAY, DAY, HOUR) }) }) },
    state: 'backing-off',
    why: /^4 certificates .* of 4 that we allow ourselves and 5 that the CA allows; next free 2026-11-26T12:00:00/,
  },
  {
    name: 'two, and it ends within a week: a third',
    seen: {
      ...live(certificate({ domains: ALL, notBefore: ago(84 * DAY) })),
      stored: stored({
        bundle: certificate({ domains: ALL, notBefore: ago(84 * DAY) }),
        ledger: ledger({ issued: had(ALL, DAY, HOUR) }),
      }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'twenty orders in three hours: the next when the first is three hours old',
    seen: {
      ...first(),
      stored: empty({
        ledger: ledger({
          orders: Array.from({ length: 20 }, (_, nth) => ({ at: ago(2 * HOUR - nth), directory: DIRECTORY })),
        }),
      }),
    },
    state: 'backing-off',
    why: /^20 orders in 3 hours are used up, of 20 that we allow ourselves and 300/,
    againIn: 15 * MINUTE,
  },
  {
    name: 'the order that waits at the CA is counted already: it goes on',
    seen: {
      ...first(),
      self: ourApp(),
      routes: routes(),
      stored: empty({
        order: inFlight(),
        ledger: ledger({ orders: Array.from({ length: 20 }, () => ({ at: ago(HOUR), directory: DIRECTORY })) }),
      }),
    },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'a private CA has no such limits',
    seen: {
      ...first(),
      stored: empty({
        ledger: ledger({
          issued: had(ALL, 5, 4, 3, 2, 1).map((one) => ({ ...one, ...PRIVATE_CA })),
          orders: Array.from({ length: 50 }, () => ({ at: ago(HOUR), ...PRIVATE_CA })),
        }),
      }),
    },
    policy: PRIVATE,
    state: 'ordering',
    actions: ['issue'],
  },

  // Not more than three orders at once
  {
    name: 'three orders in a row failed by single names: the fourth waits',
    seen: first(
      refused('a.net', { at: ago(3 * MINUTE) }),
      refused('b.net', { at: ago(2 * MINUTE) }),
      refused('b.net', { at: ago(MINUTE) }),
    ),
    state: 'backing-off',
    why: /^3 orders in a row failed by single names, the last by ACME: b\.net/,
    againIn: 7 * MINUTE,
  },
  {
    name: 'ten minutes after the first of the three: on with those that are left',
    seen: first(
      refused('a.net', { at: ago(10 * MINUTE), pace: 'week' }),
      refused('b.net', { at: ago(9 * MINUTE), pace: 'week' }),
      refused('b.net', { at: ago(8 * MINUTE), pace: 'week' }),
    ),
    state: 'ordering',
    actions: ['issue'],
    ordered: ['c.net'],
  },
  {
    name: 'three names refused by one order are one order',
    seen: first(refused('a.net'), refused('b.net')),
    state: 'ordering',
    actions: ['issue'],
    ordered: ['c.net'],
  },
  {
    name: 'three orders failed at another CA: no matter here',
    seen: first(...[1, 2, 3].map((ago_) => refused('a.net', { at: ago(ago_ * MINUTE), directory: STAGING }))),
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'three orders failed by names that are not wanted any more: no matter',
    seen: first(...[1, 2, 3].map((ago_) => refused('old.net', { at: ago(ago_ * MINUTE) }))),
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },

  // Live without one
  {
    name: 'live without a name that has to wait: degraded, with the name, the cause and the time; nothing is ordered',
    seen: live(CURRENT, refused('c.net')),
    state: 'degraded',
    why: /^live without c\.net: ACME: c\.net: connection: refused\. Look at port 80; next try 2026-11-22T12:(0[89]|10):.*the present certificate ends/,
    againInAbout: 9 * MINUTE,
  },
  {
    name: 'the next try of a name is told as it is, and not as the next look',
    seen: live(CURRENT, refused('c.net', { pace: 'week' })),
    state: 'degraded',
    why: /next try 2026-11-(29|28|30)T/,
    againIn: 15 * MINUTE,
  },
  {
    name: 'its time has come: all three are ordered, and the two stay served meanwhile',
    seen: live(CURRENT, refused('c.net', { at: ago(12 * MINUTE) })),
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
    why: /nothing covers c\.net/,
  },
  {
    name: 'one name may be had, another one not: the one is ordered with those that are there',
    seen: {
      ...live(CURRENT, refused('c.net')),
      self: ourApp({ labels: vhost(...ALL, 'd.net') }),
      routes: routes({}, {}, [...ALL, 'd.net']),
    },
    state: 'ordering',
    actions: ['issue'],
    ordered: [...NAMES, 'd.net'],
  },
  {
    name: 'a name on the certificate has to wait: a name more would cost it, so that one waits, too',
    seen: live(CURRENT, refused('b.net')),
    state: 'degraded',
    why: /^live without c\.net: ACME: b\.net/,
  },
  {
    name: 'a certificate for two is not installed yet and the third name has to wait: install the two',
    seen: { ...live(CURRENT, refused('c.net')), loadBalancer: loadBalancer({ env: holding() }) },
    state: 'installing',
    actions: ['install'],
    why: /besides, it is without c\.net: ACME: c\.net/,
  },
  {
    name: 'it has just been deployed: the wire is asked',
    seen: { ...live(CURRENT, refused('c.net')), wire: undefined },
    state: 'unproven',
    looks: ['wire'],
  },
  {
    name: 'the folder is empty and marathon-lb has a certificate for two of three: kept',
    seen: { ...live(CURRENT), stored: empty({ ledger: after(refused('c.net')) }) },
    state: 'degraded',
    actions: ['adopt'],
  },

  // Renewal
  {
    name: 'renewal is due and a name on the certificate has to wait: the others wait with it',
    seen: live(FULL_DUE, refused('c.net')),
    state: 'backing-off',
    why: /c\.net: connection/,
    againInAbout: 9 * MINUTE,
  },
  {
    name: 'renewal is due, and a name that left the label is in the way no more',
    seen: { ...live(FULL_DUE, refused('c.net')), self: ourApp(), routes: routes() },
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'a name left the label: no order for that',
    seen: { ...live(FULL), self: ourApp() },
    state: 'live',
    why: /for a\.net, b\.net;/,
  },
  {
    name: 'renewal of two of three is due and the third has to wait: the two are renewed',
    seen: live(DUE, refused('c.net')),
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'the end is near: the certificate is renewed without the name that has to wait',
    seen: live(FULL_LATE, refused('c.net')),
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'a new certificate with fewer names takes the place of one near its end',
    seen: { ...live(CURRENT, refused('c.net')), loadBalancer: loadBalancer({ env: holding(FULL_LATE) }) },
    state: 'installing',
    actions: ['install'],
  },
  {
    name: 'a certificate with fewer names does not take the place of one that lasts',
    seen: { ...live(FULL_DUE, refused('c.net')), stored: stored({ ledger: after(refused('c.net')) }) },
    state: 'backing-off',
    actions: ['adopt'],
    looks: [],
    why: /c\.net/,
  },

  // Routes
  {
    name: 'a new name has no route yet: for two minutes the others wait, so that there is one order',
    seen: { ...first(), ...without('c.net', MINUTE) },
    state: 'waiting-for-route',
    why: /^c\.net through marathon-lb at 10\.0\.0\.1:80: .* HTTP 503/,
  },
  {
    name: 'after two minutes the others go on',
    seen: { ...first(), ...without('c.net', 2 * MINUTE) },
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'a name more has no route: told as what it is, not as degraded, while it may come',
    seen: { ...live(CURRENT), ...without('c.net', MINUTE) },
    state: 'waiting-for-route',
  },
  {
    name: 'no route for an hour: degraded, nothing is ordered, the route is looked at once a minute',
    seen: { ...live(CURRENT), ...without('c.net', HOUR) },
    state: 'degraded',
    why: /^live without c\.net: c\.net through marathon-lb .*HTTP 503/,
    cure: /have c\.net in HAPROXY_0_VHOST/,
    againIn: MINUTE,
  },
  {
    name: 'no route for a day: the CA is asked all the same',
    seen: { ...live(CURRENT), ...without('c.net', DAY) },
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'one has had no route for a day, another one for a minute: the CA is asked for the first only',
    seen: {
      ...first(),
      routes: routes(
        { 'b.net': { kind: 'unreachable', note: '' }, 'c.net': { kind: 'unreachable', note: '' } },
        { waitingSince: ago(DAY), lackingSince: { 'b.net': ago(MINUTE), 'c.net': ago(DAY) } },
        ALL,
      ),
    },
    state: 'ordering',
    actions: ['issue'],
    ordered: ['a.net', 'c.net'],
  },
  {
    name: 'and when the CA has seen nothing better: not again for a day',
    seen: { ...live(CURRENT, refused('c.net', { at: ago(12 * HOUR) })), ...without('c.net', 2 * DAY) },
    state: 'degraded',
    why: /HTTP 503/,
  },
  {
    name: 'the day is over: the CA is asked once more',
    seen: { ...live(CURRENT, refused('c.net', { at: ago(DAY) })), ...without('c.net', 3 * DAY) },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'what the CA said in the future was said by a clock that was wrong',
    seen: { ...live(CURRENT, refused('c.net', { at: ahead(3650 * DAY) })), ...without('c.net', DAY) },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'in the last third of the life half an hour is enough',
    seen: { ...live(FULL_DUE), ...without('c.net', HOUR / 2) },
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: '…and less is not',
    seen: { ...live(FULL_DUE), ...without('c.net', HOUR / 2 - 1) },
    state: 'waiting-for-route',
  },

  // Preflight
  {
    name: 'new names are tried from outside before the CA is asked',
    seen: first(),
    policy: auto,
    state: 'waiting-for-route',
    looks: ['preflight'],
    tried: ALL,
  },
  { name: 'PREFLIGHT=off: they are not', seen: first(), state: 'ordering', actions: ['issue'], tried: [] },
  {
    name: 'the routes come first',
    seen: { ...first(), routes: undefined },
    policy: auto,
    state: 'waiting-for-route',
    looks: ['routes'],
  },
  {
    name: 'a name without a route holds up the preflight of all for two minutes',
    seen: { ...first(), ...without('c.net', MINUTE) },
    policy: auto,
    state: 'waiting-for-route',
    looks: [],
  },
  {
    name: 'all are good: all are ordered',
    seen: { ...first(), ...lookedAt() },
    policy: auto,
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'one is bad: the others are ordered',
    seen: { ...first(), ...lookedAt(tried('c.net', BAD)) },
    policy: auto,
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'PREFLIGHT=off: what was bad before is no matter',
    seen: { ...first(), ...lookedAt(tried('c.net', BAD)) },
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'unknown, for nobody comes back in from in here: the CA may, so it is ordered',
    seen: { ...first(), ...lookedAt(tried('c.net', UNKNOWN)) },
    policy: auto,
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'unknown, and PREFLIGHT=strict: it waits',
    seen: { ...first(), ...lookedAt(tried('c.net', UNKNOWN)) },
    policy: strict,
    state: 'ordering',
    actions: ['issue'],
    ordered: NAMES,
  },
  {
    name: 'live, and the new name is bad: degraded, with why and what to do',
    seen: { ...live(CURRENT), ...lookedAt(tried('c.net', BAD)) },
    policy: auto,
    state: 'degraded',
    why: /^live without c\.net: no A record$/,
    cure: /^create one$/,
    againIn: 4 * MINUTE,
    tried: [],
  },
  {
    name: 'five minutes later it is tried again: through the routes first, and the state stays what it was',
    seen: { ...live(CURRENT), ...lookedAt(tried('c.net', BAD, { at: ago(5 * MINUTE) })), routes: undefined },
    policy: auto,
    state: 'degraded',
    why: /^live without c\.net: no A record$/,
    looks: ['routes'],
    tried: ['c.net'],
    againIn: 0,
  },
  {
    name: '…and then the way from outside',
    seen: { ...live(CURRENT), ...lookedAt(tried('c.net', BAD, { at: ago(5 * MINUTE) })) },
    policy: auto,
    state: 'degraded',
    looks: ['preflight'],
    tried: ['c.net'],
  },
  {
    name: 'nothing is held and all names are bad: tried again every five minutes',
    seen: { ...first(), preflight: ALL.map((name) => tried(name, BAD, { at: ago(5 * MINUTE) })) },
    policy: auto,
    state: 'waiting-for-route',
    why: /no A record \(and 2 more\)/,
    looks: ['preflight'],
    tried: ALL,
  },
  {
    name: 'all names are bad, the time has come, and marathon-lb is being deployed: not now',
    seen: {
      ...first(),
      loadBalancer: deploying({ env: holding() }),
      preflight: ALL.map((name) => tried(name, BAD, { at: ago(HOUR) })),
    },
    policy: auto,
    state: 'waiting-for-route',
    looks: [],
    againIn: MINUTE,
  },
  {
    name: 'a name held up by the CA for a week is tried from outside all the same',
    seen: {
      ...live(CURRENT, refused('c.net', { pace: 'week' })),
      ...lookedAt(tried('c.net', GOOD, { at: ago(7 * HOUR) })),
    },
    policy: auto,
    state: 'degraded',
    looks: ['preflight'],
    tried: ['c.net'],
  },
  {
    name: 'the account has to wait for days: names are tried from outside all the same',
    seen: {
      ...first(failure({ scope: 'account', names: ALL, retryAfter: ahead(3 * DAY) })),
      preflight: ALL.map((name) => tried(name, GOOD, { at: ago(6 * HOUR) })),
    },
    policy: auto,
    state: 'backing-off',
    looks: ['preflight'],
  },
  {
    name: 'all is well: each name is tried four times a day',
    seen: { ...live(FULL), preflight: ALL.map((name) => tried(name, GOOD, { at: ago(6 * HOUR) })) },
    policy: auto,
    state: 'live',
    looks: ['preflight'],
    tried: ALL,
    againIn: 0,
  },
  {
    name: 'all is well, and not yet time',
    seen: { ...live(FULL), preflight: ALL.map((name) => tried(name, GOOD, { at: ago(6 * HOUR - MINUTE) })) },
    policy: auto,
    state: 'live',
    againIn: MINUTE,
  },
  {
    name: 'all is well, but marathon-lb is being deployed: nothing is looked at through it',
    seen: {
      ...live(FULL),
      loadBalancer: deploying({ env: holding(FULL) }),
      unsettledSince: NOW,
      preflight: ALL.map((name) => tried(name, GOOD, { at: ago(DAY) })),
    },
    policy: auto,
    state: 'deploying',
    looks: [],
  },
  {
    name: 'bad for a day: our own view may be wrong, so the CA is asked',
    seen: { ...live(CURRENT), ...lookedAt(tried('c.net', BAD, { badSince: ago(DAY) })) },
    policy: auto,
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'bad for nearly a day: not yet',
    seen: { ...live(CURRENT), ...lookedAt(tried('c.net', BAD, { badSince: ago(DAY - 1) })) },
    policy: auto,
    state: 'degraded',
  },
  {
    name: 'bad for half an hour with a third of the life left: the CA is asked',
    seen: { ...live(FULL_DUE), ...lookedAt(tried('c.net', BAD, { badSince: ago(HOUR / 2) })) },
    policy: auto,
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'a name of the live certificate has gone bad: live, and told weeks before it matters, with the cure',
    seen: { ...live(FULL), ...lookedAt(tried('c.net', BAD)) },
    policy: auto,
    state: 'live',
    notes: [/^no A record; the renewal of 2027-01-\d\dT.* would fail; create one$/],
    againIn: 4 * MINUTE,
  },
  {
    name: 'it has been bad for days, so that the CA would be asked all the same: told for as long as it lasts',
    seen: { ...live(FULL), ...lookedAt(tried('c.net', BAD, { badSince: ago(3 * DAY) })) },
    policy: auto,
    state: 'live',
    notes: [/^no A record; the renewal of 2027-01-\d\dT.* would fail; create one$/],
  },
  {
    name: 'a name waits for its record, and a load balancer cannot be asked for days: the record is looked at all the same',
    seen: {
      ...live(CURRENT),
      ...lookedAt(tried('a.net', GOOD), tried('b.net', GOOD), tried('c.net', BAD, { at: ago(5 * MINUTE) })),
      wire: wire({ 'lb.1': { kind: 'unreachable', note: 'refused' } }, { at: ago(SECOND) }),
    },
    policy: auto,
    state: 'unproven',
    looks: ['preflight'],
    tried: ['c.net'],
  },
  {
    name: 'we have just been started, and the load balancer has not learned of us yet: no alarm about the next renewal',
    seen: { ...live(FULL), ...without('c.net', MINUTE) },
    state: 'live',
    notes: [],
  },
  {
    name: 'it has not after two minutes: told',
    seen: { ...live(FULL), ...without('c.net', 2 * MINUTE) },
    state: 'live',
    notes: [/^c\.net through marathon-lb .*would fail; no rule of marathon-lb leads to us yet/],
  },

  // Mended
  {
    name: 'the record has been mended since the CA refused it: at once, not in a day',
    seen: {
      ...live(CURRENT, refused('c.net', { pace: 'day' })),
      ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(SECOND) })),
    },
    policy: auto,
    state: 'ordering',
    actions: ['issue'],
    ordered: ALL,
  },
  {
    name: 'it was mended before the CA refused it: that was not it',
    seen: { ...live(CURRENT, refused('c.net')), ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(HOUR) })) },
    policy: auto,
    state: 'degraded',
  },
  {
    name: 'mended, but the CA has refused it twice within the hour: the third try waits for the end of the hour',
    seen: {
      ...live(CURRENT, refused('c.net', { at: ago(50 * MINUTE) }), refused('c.net', { at: ago(20 * MINUTE) })),
      ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(SECOND) })),
    },
    policy: auto,
    state: 'degraded',
    againIn: 10 * MINUTE,
  },
  {
    name: 'a private CA has no such hour',
    seen: {
      ...live(
        CURRENT,
        ...[50, 20].map((minutes) => refused('c.net', { at: ago(minutes * MINUTE), directory: PRIVATE.directoryUrl })),
      ),
      stored: stored({
        bundleDirectory: PRIVATE.directoryUrl,
        ledger: {
          ...remembering(CURRENT),
          failures: [50, 20].map((minutes) =>
            refused('c.net', { at: ago(minutes * MINUTE), directory: PRIVATE.directoryUrl }),
          ),
        },
      }),
      ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(SECOND) })),
    },
    policy: { ...auto, ...PRIVATE },
    state: 'ordering',
    actions: ['issue'],
  },
  {
    name: 'mended, but the CA asked for hours: it gets them',
    seen: {
      ...live(CURRENT, refused('c.net', { retryAfter: ahead(3 * HOUR) })),
      ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(SECOND) })),
    },
    policy: auto,
    state: 'degraded',
    why: /next try 2026-11-22T15:00:00\.000Z/,
  },
  {
    name: 'mended, and the CA asked for hours before it refused once more: it gets them all the same',
    seen: {
      ...live(
        CURRENT,
        refused('c.net', { at: ago(3 * HOUR), retryAfter: ahead(3 * HOUR) }),
        refused('c.net', { at: ago(2 * HOUR) }),
      ),
      ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(SECOND) })),
    },
    policy: auto,
    state: 'degraded',
    why: /next try 2026-11-22T15:00:00\.000Z/,
  },
  {
    name: 'refused by policy: no preflight can see that mended',
    seen: {
      ...live(CURRENT, refused('c.net', { pace: 'week' })),
      ...lookedAt(tried('c.net', GOOD, { recoveredAt: ago(SECOND) })),
    },
    policy: auto,
    state: 'degraded',
  },
] satisfies Row[]);

test('each name is in the status with what keeps it and until when', () => {
  const planned = plan(observation(live(CURRENT, refused('c.net'))), policy());
  const { names } = planAsJson(planned).certificate;
  assert.deepEqual(
    names.map(({ name, issued, obstacle }) => [name, issued, obstacle?.from]),
    [
      ['a.net', true, undefined],
      ['b.net', true, undefined],
      ['c.net', false, 'ca'],
    ],
  );
  const until = names[2]?.obstacle?.until.getTime() ?? 0;
  assert.ok(Math.abs(until - ahead(9 * MINUTE).getTime()) <= MINUTE);
  assert.match(planAsText(planned), /^c\.net +ACME: c\.net: connection: refused/m);
  assert.match(planAsText(planned), /^held .*\nrenewal/m);
});

test('the budgets are in the status: how much is used, of what, and when there is one to spend again', () => {
  const failures = [refused('c.net', { at: ago(20 * MINUTE) }), refused('c.net'), refused('d.net')];
  const seen = {
    ...live(CURRENT),
    stored: stored({ ledger: { ...remembering(CURRENT), failures, issued: had(ALL, 2 * DAY, DAY) } }),
  };
  const planned = plan(observation(seen), policy());
  const { budgets } = planAsJson(planned);
  assert.deepEqual(budgets[0], {
    kind: 'same-names',
    what: 'certificates for exactly these names in 7 days',
    used: 2,
    allowed: 2,
    limit: 5,
    nextFreeAt: ahead(5 * DAY),
    says: '2 of 5 certificates for exactly these names in 7 days used, of which we allow ourselves 2; next free Fri 27 Nov 12:00 UTC',
  });
  assert.deepEqual(
    budgets.map(({ kind, used }) => [kind, used]),
    [
      ['same-names', 2],
      ['certificates', 2],
      ['orders', 0],
      ['failed-validations', 2],
    ],
    'of the names that are wanted those that failed within the hour',
  );
  assert.match(
    planAsText(planned),
    /^budget +2 of 5 failed validations of c\.net in an hour used, of which we allow ourselves 2; next free Sun 22 Nov 12:40 UTC$/m,
  );
  assert.match(planAsText(planned), /^budget +0 of 300 orders in 3 hours used, of which we allow ourselves 20$/m);
  assert.deepEqual(planAsJson(plan(observation(seen), policy(PRIVATE))).budgets, []);
});

test('a renewal never shrinks before its time, to the millisecond', () => {
  const at = (now: Date): readonly string[] | undefined => {
    const late = refused('c.net', { at: new Date(now.getTime() - MINUTE) });
    const seen = { ...live(FULL, late), at: now, routes: routes({}, { at: now }, ALL) };
    return namesOrdered(plan(observation(seen), policy()));
  };
  const end = mayShrinkAt(FULL);
  assert.ok(renewAt(FULL) < end);
  for (const before of [1, HOUR, DAY, end.getTime() - renewAt(FULL).getTime()]) {
    assert.equal(at(new Date(end.getTime() - before)), undefined, `${before} ms before`);
  }
  assert.deepEqual(at(end), NAMES);
});

test('a route that is lost near the end costs no name before the last call: the CA has not refused it', () => {
  const at = (now: Date): readonly string[] | undefined => {
    const minutesAgo = (count: number): Date => new Date(now.getTime() - count * MINUTE);
    const lost = { kind: 'answered', status: 503, note: '' } as const;
    const waiting = { at: now, waitingSince: minutesAgo(5), lackingSince: { 'c.net': minutesAgo(5) } };
    const seen = { ...live(FULL), at: now, routes: routes({ 'c.net': lost }, waiting, ALL) };
    return namesOrdered(plan(observation(seen), policy()));
  };
  const call = lastCallAt(FULL);
  assert.ok(mayShrinkAt(FULL) < call && call < FULL.notAfter);
  assert.equal(at(mayShrinkAt(FULL)), undefined);
  assert.equal(at(new Date(call.getTime() - 1)), undefined);
  assert.deepEqual(at(call), NAMES);
});

test('nobody has to hurry because of a name that waits: whenever it is looked, the next look is later', () => {
  const worlds: readonly Partial<Observation>[] = [
    live(CURRENT, refused('c.net', { pace: 'week' })),
    { ...live(FULL_DUE, refused('a.net')), ...without('c.net', HOUR, ago(HOUR)) },
    { ...live(FULL_DUE, refused('a.net')), preflight: ALL.map((name) => tried(name, BAD, { at: ago(DAY) })) },
    {
      ...first(refused('a.net')),
      ...without('b.net', HOUR, ago(HOUR)),
      preflight: [tried('c.net', BAD, { at: ago(DAY) })],
    },
  ];
  for (const preflight of ['off', 'auto', 'strict'] as const) {
    for (const seen of worlds) checkPace(plan(observation(seen), policy({ preflight })));
  }
});
