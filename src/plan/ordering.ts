/**
 * The rules before and during an order: for which names may the CA be asked now, and if for none, what must happen first.
 *
 * Pure. Each rule speaks or is silent (undefined).
 */
import { type Budget, budgetsOf } from '../certificates/budgets.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { type Hold, holdOnAll, holdOnSet } from '../certificates/holds.ts';
import { isShortLived, lastCallAt, mayShrinkAt } from '../certificates/renewal.ts';
import { sameNames, specFor } from '../certificates/spec.ts';
import type { OrderInFlight } from '../store.ts';
import { beforeSuccessor, behindElder, noLoadBalancer, pausedByCrash } from './giving-way.ts';
import { type NameStanding, type Obstacle, preflightDue, routesDueAt, routesMayCome } from './names.ts';
import { renewalAt } from './restoring.ts';
import type { Situation } from './situation.ts';
import { earlier, HOUR, later, list, MINUTE, SECOND, type Verdict } from './verdict.ts';

/** Orders that fail by their names follow each other at once, each without those that failed; but not more than these. */
const AT_ONCE = { orders: 3, within: 10 * MINUTE };
const WEEK = 7 * 24 * HOUR;

/** Whoever holds an order finishes it, leader or not. */
export function orderRunning({ seen }: Situation): Verdict | undefined {
  if (seen.order === undefined) return undefined;
  const { progress, startedAt } = seen.order;
  const step =
    progress === undefined
      ? 'starting'
      : `${progress.step}, ${progress.validated} of ${progress.total} names validated`;
  const why = `an order runs since ${startedAt.toISOString()}: ${step}`;
  return { state: 'ordering', why, againAt: later(seen.at, 30 * SECOND) };
}

/** A name is not on the certificate, or the certificate is due for renewal: order, or say what it waits for. */
export function order(now: Situation): Verdict | undefined {
  if (!isRenewal(now) && now.standings.every(({ issued }) => issued)) return undefined;
  // Nothing is looked at and nothing asked for the sake of names that have to wait in any case.
  const hoped = orderable(now, ({ from }) => from === 'route');
  if (hoped === undefined) return waiting(now);
  return (
    mayNotOrder(now) ??
    spent(now, hoped) ??
    pausedByCrash(now) ??
    behindElder(now) ??
    beforeSuccessor(now) ??
    noLoadBalancer(now) ??
    unseen(now) ??
    ask(now)
  );
}

/** Names are tried from outside a few times a day: what is broken is told weeks before it matters. */
export function lookAhead(now: Situation): Verdict | undefined {
  return preflightDue(now).length === 0 || noLoadBalancer(now) !== undefined ? undefined : unseen(now);
}

function isRenewal(now: Situation): boolean {
  if (isAsked(now)) return true;
  const at = renewalAt(now);
  return at === undefined || at <= now.seen.at;
}

/** What an operator asked for and could not be begun for so long is given up: the plan is told by what is due again. */
const ASKED_FOR = 10 * MINUTE;

function isAsked({ seen: { at, renewAskedAt } }: Situation): boolean {
  return renewAskedAt !== undefined && at < later(renewAskedAt, ASKED_FOR);
}

function mayNotOrder(now: Situation): Verdict | undefined {
  return notWritable(now) ?? backingOff(now, holdOnAll(now.seen.stored.ledger, now.attempt)) ?? tooManyAtOnce(now);
}

function ask(now: Situation): Verdict {
  const names = orderable(now, () => false);
  return names === undefined ? waiting(now) : (spent(now, names) ?? issue(now, names));
}

/**
 * Without a certificate, HTTPS for some names beats none. With one, no name of it is given up before it must be, and
 * another order needs a reason: the end of the old one, or a name more.
 */
function orderable(now: Situation, mayPass: (obstacle: Obstacle) => boolean): readonly string[] | undefined {
  const { seen, serving, standings } = now;
  const isFree = ({ obstacle }: NameStanding): boolean => obstacle === undefined || mayPass(obstacle);
  const free = standings.filter(isFree);
  const names = free.map(({ name }) => name);
  if (names.length === 0) return undefined;
  if (serving === undefined) return names;
  const givenUp = standings.filter((one) => serving.domains.includes(one.name) && !isFree(one));
  if (givenUp.length > 0) return givenUp.every((one) => seen.at >= giveUpAt(one, serving)) ? names : undefined;
  return isRenewal(now) || free.some(({ issued }) => !issued) ? names : undefined;
}

/** The CA's word counts sooner than what only we have seen: a load balancer that is away for a while costs no name. */
function giveUpAt({ obstacle }: NameStanding, bundle: CertificateBundle): Date {
  return obstacle?.from === 'ca' ? mayShrinkAt(bundle) : lastCallAt(bundle);
}

function issue(now: Situation, domains: readonly string[]): Verdict {
  const { seen, policy, bundle } = now;
  const added = domains.filter((name) => !bundle?.domains.includes(name));
  const why =
    bundle === undefined || added.length > 0
      ? `nothing covers ${list(added)}`
      : isAsked(now)
        ? 'an operator asked for a new certificate'
        : `the certificate ends ${bundle.notAfter.toISOString()}`;
  const spec = specFor(domains, policy.keyType);
  return {
    state: 'ordering',
    why,
    actions: [{ kind: 'issue', spec, resume: inFlight(now, domains) }],
    againAt: later(seen.at, 30 * SECOND),
  };
}

/**
 * An order of ours for these very names waits at the CA. It too goes on only with a route: they had one when it was made,
 * but that one led to the task before.
 */
function inFlight({ seen, policy }: Situation, domains: readonly string[]): OrderInFlight | undefined {
  const { order } = seen.stored;
  if (order === undefined || order.directory !== policy.directoryUrl || !sameNames(order.domains, domains))
    return undefined;
  // Let's Encrypt keeps one for a week. One whose address leads nowhere any more would be asked for, for ever.
  return seen.at < later(order.createdAt, WEEK) ? order : undefined;
}

/** All that is in the way of a name, and when it is tried again. */
function waiting(now: Situation): Verdict {
  const { seen, serving, standings } = now;
  const inTheWay = standings.filter(({ obstacle }) => obstacle !== undefined);
  const isServed = ({ name }: NameStanding): boolean => serving?.domains.includes(name) ?? false;
  const mattering = isRenewal(now) ? inTheWay.filter(isServed) : inTheWay;
  const obstacles = (mattering.length > 0 ? mattering : inTheWay).flatMap(({ obstacle }) => obstacle ?? []);
  const [first] = obstacles;
  if (first === undefined)
    return { state: 'waiting-for-route', why: 'no name may be ordered now', againAt: later(seen.at, MINUTE) };
  const { why, cure, from, until } = first;
  const more = obstacles.length > 1 ? ` (and ${obstacles.length - 1} more)` : '';
  const shrinkAt = serving === undefined ? [] : [mayShrinkAt(serving), lastCallAt(serving)];
  // What is past its time is looked at as soon as there is a load balancer to look through.
  const times = [...obstacles.map((one) => one.until), ...shrinkAt].filter((time) => time > seen.at);
  const againAt = times.reduce(earlier, later(seen.at, times.length === 0 ? MINUTE : HOUR));
  const next = from === 'ca' ? `; next try ${until.toISOString()}; ${meanwhile(now)}` : '';
  return {
    state: from === 'ca' ? 'backing-off' : 'waiting-for-route',
    why: why + more + next,
    ...(cure !== undefined && { cure }),
    againAt,
  };
}

function meanwhile({ serving }: Situation): string {
  return serving === undefined
    ? 'there is no certificate yet'
    : `the present certificate ends ${serving.notAfter.toISOString()}`;
}

/** The store's own sentence has the rest. */
const MEND_FOLDER =
  'mend the folder as that says; it is tried again every minute, and a certificate in place is served meanwhile';

function notWritable({ seen }: Situation): Verdict | undefined {
  if (seen.stored.writable) return undefined;
  const why = `the state folder cannot be written, and an order must survive a restart: ${seen.stored.problems.join('; ')}`;
  return { state: 'not-writable', why, cure: MEND_FOLDER, againAt: later(seen.at, MINUTE) };
}

/** This very set has failed or been had too often. */
function spent(now: Situation, names: readonly string[]): Verdict | undefined {
  return backingOff(now, holdOnSet(now.seen.stored.ledger, names, now.attempt)) ?? overBudget(now, names);
}

function backingOff(now: Situation, hold: Hold | undefined): Verdict | undefined {
  if (hold === undefined) return undefined;
  const { last, count, until } = hold;
  const tries = count > 1 ? `, ${count} times in a row` : '';
  const why = `${last.problem}${tries}; next try ${until.toISOString()}; ${meanwhile(now)}`;
  return { state: 'backing-off', why, againAt: until };
}

/** Each wanted name that fails may cost one order, and a hundred of them must not cost a hundred in a row. */
function tooManyAtOnce({ seen, policy, names }: Situation): Verdict | undefined {
  const failed = seen.stored.ledger.failures.filter(
    (one) =>
      one.scope === 'name' &&
      one.directory === policy.directoryUrl &&
      one.at <= seen.at &&
      one.names.every((name) => names.domains.includes(name)),
  );
  const times = [...new Set(failed.map(({ at }) => at.getTime()))].sort((a, b) => a - b);
  const first = times.at(-AT_ONCE.orders);
  const last = failed.at(-1);
  if (first === undefined || last === undefined || seen.at.getTime() >= first + AT_ONCE.within) return undefined;
  const againAt = new Date(first + AT_ONCE.within);
  const why = `${AT_ONCE.orders} orders in a row failed by single names, the last by ${last.problem}; next try ${againAt.toISOString()}`;
  return { state: 'backing-off', why, againAt };
}

/** Our own shares of a public CA's limits: never spent beyond, whatever the reason. */
function overBudget(now: Situation, names: readonly string[]): Verdict | undefined {
  // What is at the CA already costs nothing more.
  if (inFlight(now, names) !== undefined) return undefined;
  const over = chargedTo(now, names).find(({ nextFreeAt }) => nextFreeAt !== undefined);
  if (over?.nextFreeAt === undefined) return undefined;
  const { what, used, allowed, limit, nextFreeAt } = over;
  const why = `${used} ${what} are used up, of ${allowed} that we allow ourselves and ${limit} that the CA allows; next free ${nextFreeAt.toISOString()}; ${meanwhile(now)}`;
  return { state: 'backing-off', why, cure: WHO_ORDERS, againAt: nextFreeAt };
}

const WHO_ORDERS =
  'find out what orders so often (names that change, a state folder that gets lost); it goes on by itself at that time';

/** The budgets that an order of these names needs; a private CA has none. */
export function chargedTo({ seen, policy, bundle, publicCa }: Situation, names: readonly string[]): readonly Budget[] {
  if (!publicCa) return [];
  const { at: now, stored } = seen;
  const urgent = bundle === undefined || bundle.notAfter < later(now, WEEK);
  const last = bundle ?? stored.bundle;
  const shortLived = last !== undefined && isShortLived(last);
  return budgetsOf(stored.ledger, names, { directory: policy.directoryUrl, now, urgent, shortLived });
}

const ROUTES_UNSEEN = 'whether the names lead here through every load balancer has not been looked at yet';
const OUTSIDE_UNSEEN = 'the names have not been tried from outside yet, as the CA would';

/** What must be seen before an order: the way to us through every load balancer, then the way from outside. */
function unseen(now: Situation): Verdict | undefined {
  const { seen } = now;
  const state = 'waiting-for-route';
  if (routesDueAt(now) <= seen.at) return { state, why: ROUTES_UNSEEN, looks: ['routes'], againAt: seen.at };
  if (routesMayCome(now) && now.standings.some(lacksRoute)) return waiting(now);
  if (preflightDue(now).length === 0) return undefined;
  return { state, why: OUTSIDE_UNSEEN, looks: ['preflight'], againAt: seen.at };
}

function lacksRoute({ obstacle }: NameStanding): boolean {
  return obstacle?.from === 'route';
}
