/**
 * How each wanted name stands: on the certificate or not, and what keeps it from being ordered.
 *
 * Pure. An obstacle holds up a name and not its neighbours. What the CA has said is waited for; what only we have seen
 * (no route, a bad preflight) delays and does not forbid: after a day, or when the certificate nears its end, the CA is
 * asked once a day all the same.
 */
import { type Budget, validationsOf } from '../certificates/budgets.ts';
import { holdOnName } from '../certificates/holds.ts';
import type { Pace } from '../certificates/ledger.ts';
import { lifeLeft } from '../certificates/renewal.ts';
import type { PreflightSeen } from './observation.ts';
import { type Finding, peersFinding, routeFinding } from './sentences.ts';
import type { Situation } from './situation.ts';
import { earlier, HOUR, later, MINUTE, pace } from './verdict.ts';

export interface Obstacle extends Finding {
  /** Who says so. */
  readonly from: 'ca' | 'preflight' | 'route';
  /** When it may be gone, or is looked at again. */
  readonly until: Date;
}

export interface NameStanding {
  readonly name: string;
  /** It is on the certificate that we hold. */
  readonly issued: boolean;
  readonly obstacle: Obstacle | undefined;
  /** What we see and wait for no longer: the CA is asked all the same, and nothing has been mended. */
  readonly overruled: Obstacle | undefined;
}

/** What only we have seen is overruled after this long… */
const DOUBTED_AFTER = 24 * HOUR;
/** …or this soon when a third of the life is left: long enough for a load balancer to have learned of us. */
const DOUBTED_LATE_AFTER = HOUR / 2;
const LATE = 1 / 3;
/** How long a route is waited for by all names together: one order, and not two. */
const ROUTE_GRACE = 2 * MINUTE;
/** How long "every name leads to us" is believed. */
const ROUTES_GOOD_FOR = 10_000;
const PREFLIGHT_EVERY = { waiting: 5 * MINUTE, usual: 6 * HOUR };

/** What the CA met on the way to us, and a preflight meets too. A refusal by its policy is none of these. */
const MENDABLE: ReadonlySet<Pace> = new Set(['name', 'dns', 'day']);

export type Facts = Pick<Situation, 'seen' | 'policy' | 'names' | 'bundle' | 'attempt' | 'publicCa'>;

export function standings(now: Facts): readonly NameStanding[] {
  return now.names.domains.map((name) => {
    const seenByUs = [withoutRoute(name, now), failingPreflight(name, now)].filter((one) => one !== undefined);
    const obstacle = refusedByCa(name, now) ?? seenByUs.find(({ since }) => !isDoubted(name, since, now))?.obstacle;
    const overruled = obstacle === undefined ? seenByUs[0]?.obstacle : undefined;
    return { name, issued: now.bundle?.domains.includes(name) ?? false, obstacle, overruled };
  });
}

interface SeenByUs {
  readonly obstacle: Obstacle;
  readonly since: Date | undefined;
}

/** The CA's own word, unless what it complained of has been seen to be mended since. */
function refusedByCa(name: string, { seen, attempt, publicCa }: Facts): Obstacle | undefined {
  const { ledger } = seen.stored;
  const hold = holdOnName(ledger, name, attempt);
  const validations = publicCa ? validationsOf(ledger, name, attempt) : undefined;
  const spent = validations?.nextFreeAt;
  if (hold === undefined) {
    // An operator lifted it, or it was with other settings: the CA counts it all the same.
    const why = `${validations?.used} ${validations?.what} are as many as we allow ourselves`;
    return spent && { from: 'ca', why, cure: MEND_FIRST, until: spent };
  }
  const { last, count } = hold;
  const isLifted = last.lifted ?? (MENDABLE.has(last.pace) && isMended(name, last.at, seen.preflight));
  const until = isLifted ? latest(spent, hold.asked) : hold.until;
  if (until === undefined) return undefined;
  const why = count > 1 ? `${last.problem}; ${count} times in a row` : last.problem;
  return { from: 'ca', why, until };
}

const MEND_FIRST = 'mend what the CA complained of before; it is asked again by itself at that time';

/** What the names that failed within the hour have spent. */
export function failedValidations({ seen, names, attempt, publicCa }: Facts): readonly Budget[] {
  if (!publicCa) return [];
  const budgets = names.domains.map((name) => validationsOf(seen.stored.ledger, name, attempt));
  return budgets.filter(({ used }) => used > 0);
}

/** A Retry-After is the CA's own word, and a budget ours: neither is lifted by what we see. */
function latest(spent: Date | undefined, asked: Date | undefined): Date | undefined {
  return spent === undefined || (asked !== undefined && asked > spent) ? asked : spent;
}

function isMended(name: string, failedAt: Date, preflight: readonly PreflightSeen[]): boolean {
  const recoveredAt = preflight.find(({ domain }) => domain === name)?.recoveredAt;
  return recoveredAt !== undefined && recoveredAt > failedAt;
}

function withoutRoute(name: string, now: Facts): SeenByUs | undefined {
  const { seen, policy } = now;
  const bad = seen.routes?.looks.find(({ domain, verdict }) => domain === name && verdict.kind !== 'ours');
  if (bad === undefined) return undefined;
  const running = seen.self.ok ? seen.self.value.tasks.filter(({ state }) => state === 'TASK_RUNNING').length : 0;
  const mayBePeer = running > 1 && bad.verdict.kind === 'answered' && bad.verdict.status === 404;
  const routed = routeFinding(bad, policy);
  const finding = mayBePeer ? peersFinding(policy, routed) : routed;
  return { obstacle: { from: 'route', ...finding, until: routesDueAt(now) }, since: seen.routes?.lackingSince[name] };
}

function failingPreflight(name: string, { seen, policy }: Facts): SeenByUs | undefined {
  const look = seen.preflight.find(({ domain }) => domain === name);
  if (policy.preflight === 'off' || look === undefined || look.verdict.kind === 'good') return undefined;
  if (!holdsUp(look, policy)) return undefined;
  const { why, cure } = look.verdict;
  const until = later(look.at, PREFLIGHT_EVERY.waiting);
  return { obstacle: { from: 'preflight', why, cure, until }, since: look.badSince };
}

/** Our own view may be wrong; but the CA is not asked more than once a day to find out. */
function isDoubted(name: string, since: Date | undefined, { seen, bundle }: Facts): boolean {
  const { at, stored } = seen;
  const isLate = bundle !== undefined && lifeLeft(bundle, at) < LATE;
  if (since === undefined || at < later(since, isLate ? DOUBTED_LATE_AFTER : DOUBTED_AFTER)) return false;
  const asked = stored.ledger.failures.filter(
    (one) => one.scope === 'name' && one.names.includes(name) && one.at <= at,
  );
  return asked.every((one) => at >= later(one.at, DOUBTED_AFTER));
}

/** While routes have just gone missing, a load balancer that learns of us is the likeliest reason. */
export function routesMayCome({ seen }: Pick<Facts, 'seen'>): boolean {
  const since = seen.routes?.waitingSince;
  return since !== undefined && seen.at < later(since, ROUTE_GRACE);
}

/** When the routes must be looked at again before an order. */
export function routesDueAt({ seen, names }: Pick<Facts, 'seen' | 'names'>): Date {
  const { routes } = seen;
  const looked = new Set(routes?.looks.map(({ domain }) => domain));
  if (routes === undefined || !names.domains.every((name) => looked.has(name))) return seen.at;
  return routes.waitingSince === undefined ? later(routes.at, ROUTES_GOOD_FOR) : pace(routes.waitingSince, routes.at);
}

/** The names whose preflight is due: one that waits often, all of them a few times a day. */
export function preflightDue({ seen, policy, names }: Pick<Facts, 'seen' | 'policy' | 'names'>): readonly string[] {
  if (policy.preflight === 'off') return [];
  return names.domains.filter((name) => preflightDueAt(name, seen, policy) <= seen.at);
}

/** When the next preflight is due; undefined: there is none. */
export function nextPreflightAt({ seen, policy, names }: Pick<Facts, 'seen' | 'policy' | 'names'>): Date | undefined {
  if (policy.preflight === 'off') return undefined;
  return names.domains.map((name) => preflightDueAt(name, seen, policy)).reduce<Date | undefined>(sooner, undefined);
}

function sooner(one: Date | undefined, other: Date): Date {
  return one === undefined ? other : earlier(one, other);
}

function preflightDueAt(name: string, { at, preflight, routes }: Facts['seen'], policy: Facts['policy']): Date {
  const look = preflight.find(({ domain }) => domain === name);
  if (look === undefined) return at;
  const hasNoRoute = routes?.looks.some(({ domain, verdict }) => domain === name && verdict.kind !== 'ours') ?? false;
  const waits = hasNoRoute || holdsUp(look, policy);
  return later(look.at, waits ? PREFLIGHT_EVERY.waiting : PREFLIGHT_EVERY.usual);
}

/** What cannot be seen from in here may be open to the CA all the same: only the strict wait for it. */
function holdsUp({ verdict }: PreflightSeen, { preflight }: Facts['policy']): boolean {
  return verdict.kind === 'bad' || (verdict.kind === 'unknown' && preflight === 'strict');
}
