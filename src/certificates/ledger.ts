/**
 * What has been tried, and what became of it: the memory that keeps us below the CA's limits and out of redeploy wars.
 *
 * Pure: each function gives a new ledger; the store keeps it. Every list is bounded, so the file can't grow. How long a
 * failure holds up the next try is holds.ts; how much of the CA's limits is used up is budgets.ts.
 */
import { createHash } from 'node:crypto';
import { sameNames } from './spec.ts';

/** Who is blocked by a failure. */
export type Scope =
  /** One name; the others may go on without it. */
  | 'name'
  /** An order of exactly these names. */
  | 'certificate'
  /** Whatever is ordered at this CA: its word. */
  | 'account'
  /** Whatever is ordered at this CA: it cannot be reached, or is sick. */
  | 'directory';

/** How soon the same is tried again; the steps are in holds.ts. */
export type Pace = 'name' | 'dns' | 'day' | 'week' | 'order' | 'settings' | 'outage';

export interface Failure {
  readonly at: Date;
  /** The ACME directory that was asked. */
  readonly directory: string;
  /** Stands for the settings it was tried with. */
  readonly settings: string;
  readonly scope: Scope;
  /** The one name of scope `name`, else all that were ordered. */
  readonly names: readonly string[];
  /** RFC 8555 §6.7 without the namespace, or a word of ours. */
  readonly type: string;
  readonly pace: Pace;
  readonly problem: string;
  readonly retryAfter: Date | undefined;
  /** An operator asked to try again: it holds up nothing any more, and still counts for the CA's limits. */
  readonly lifted?: true;
}

/** A newOrder that was sent, or was about to be when we were killed. */
export interface Ordered {
  readonly at: Date;
  readonly directory: string;
}

/** A certificate that the CA has made for us. */
export interface Issued {
  readonly at: Date;
  readonly directory: string;
  /** Stands for its set of names. */
  readonly set: string;
  readonly fingerprint: string;
}

/** A value of ours that somebody else replaced. */
export interface Replacement {
  readonly at: Date;
  readonly slot: string;
  readonly fingerprint: string;
}

export interface Ledger {
  /** Consecutive ones: a success clears what it disproves. */
  readonly failures: readonly Failure[];
  readonly orders: readonly Ordered[];
  readonly issued: readonly Issued[];
  readonly replacements: readonly Replacement[];
  /** Fingerprints of the certificates that are ours, newest last. */
  readonly installed: readonly string[];
  /** Fingerprints of certificates that HAProxy refused: never posted again. */
  readonly blocked: readonly string[];
  /** Slot → fingerprint of what we last posted there; anything else found in it was put there by somebody else. */
  readonly posted: Readonly<Record<string, string>>;
}

export const EMPTY_LEDGER: Ledger = {
  failures: [],
  orders: [],
  issued: [],
  replacements: [],
  installed: [],
  blocked: [],
  posted: {},
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The longest window of any public CA's limits is a week; what was spent counts again when a clock ahead is set back. */
const KEPT_FOR_MS = { failures: 8 * DAY_MS, orders: 8 * DAY_MS, issued: 60 * DAY_MS };
/** As many as the steps of the slowest pace can tell apart. */
const KEPT_IN_A_ROW: Readonly<Record<Scope, number>> = { name: 3, certificate: 4, account: 4, directory: 12 };
const MOST = { failures: 400, orders: 300, issued: 200, replacements: 100, fingerprints: 100 };

/** Adds what one order came to. An answer of any other kind shows that the CA is there. */
export function withFailures(ledger: Ledger, failures: readonly Failure[]): Ledger {
  const [first] = failures;
  if (first === undefined) return ledger;
  const answered = failures.some(({ scope }) => scope !== 'directory');
  const before = answered ? ledger.failures.filter((one) => !isOutage(one, first.directory)) : ledger.failures;
  const recent = young([...before, ...failures], first.at, KEPT_FOR_MS.failures);
  return { ...ledger, failures: lastInARow(recent).slice(-MOST.failures) };
}

function isOutage({ scope, directory }: Failure, at: string): boolean {
  return scope === 'directory' && directory === at;
}

/** Of each kind the newest few, in the order they came. */
function lastInARow(failures: readonly Failure[]): readonly Failure[] {
  const seen = new Map<string, number>();
  const newestFirst = [...failures].reverse().filter((failure) => {
    const { scope, directory } = failure;
    const key = JSON.stringify([
      scope,
      directory,
      scope === 'name' ? failure.names : scope === 'certificate' && setOf(failure.names),
    ]);
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return (seen.get(key) ?? 0) <= KEPT_IN_A_ROW[scope];
  });
  return newestFirst.reverse();
}

/** Whether a failure was about these very names. */
export function isAbout(failure: Failure, names: readonly string[]): boolean {
  return sameNames(failure.names, names);
}

/** A certificate came: its names, its set and the CA are well. Other sets keep what was said of them. */
function withoutFailures(ledger: Ledger, directory: string, names: readonly string[]): Ledger {
  const isDisproved = (failure: Failure): boolean => {
    if (failure.directory !== directory) return false;
    if (failure.scope === 'name') return failure.names.every((name) => names.includes(name));
    return failure.scope === 'certificate' ? isAbout(failure, names) : true;
  };
  return { ...ledger, failures: ledger.failures.filter((failure) => !isDisproved(failure)) };
}

/** What failed at this CA is tried at once; its own Retry-After and its limits are not ours to lift. */
export function withoutHolds(ledger: Ledger, directory: string): Ledger {
  const lifted = (failure: Failure): Failure =>
    failure.directory === directory ? { ...failure, lifted: true } : failure;
  return { ...ledger, failures: ledger.failures.map(lifted) };
}

export function withOrder(ledger: Ledger, order: Ordered): Ledger {
  const orders = young([...ledger.orders, order], order.at, KEPT_FOR_MS.orders);
  return { ...ledger, orders: orders.slice(-MOST.orders) };
}

type Certificate = Omit<Issued, 'set'> & { readonly names: readonly string[] };

/** The CA has made it, and counts it, be it of use to us or not. */
export function withSpent(ledger: Ledger, { names, ...certificate }: Certificate): Ledger {
  if (ledger.issued.some(({ fingerprint }) => fingerprint === certificate.fingerprint)) return ledger;
  const issued = young([...ledger.issued, { ...certificate, set: setOf(names) }], certificate.at, KEPT_FOR_MS.issued);
  return { ...ledger, issued: issued.slice(-MOST.issued) };
}

/** One that is of use. Noting the same again changes nothing: whoever was killed in between may do so. */
export function withIssued(ledger: Ledger, certificate: Certificate): Ledger {
  const well = withoutFailures(withSpent(ledger, certificate), certificate.directory, certificate.names);
  return withInstalled(well, certificate.fingerprint);
}

function young<T extends { readonly at: Date }>(entries: readonly T[], now: Date, ageMs: number): readonly T[] {
  return entries.filter(({ at }) => at.getTime() > now.getTime() - ageMs);
}

/** Short, because a hundred names for each entry would make the file long. */
export function setOf(names: readonly string[]): string {
  const sorted = [...new Set(names)].sort().join(',');
  return createHash('sha256').update(sorted).digest('hex').slice(0, 16);
}

export function withReplacement(ledger: Ledger, replacement: Replacement): Ledger {
  return { ...ledger, replacements: [...ledger.replacements, replacement].slice(-MOST.replacements) };
}

export function withInstalled(ledger: Ledger, fingerprint: string): Ledger {
  return { ...ledger, installed: withLast(ledger.installed, fingerprint) };
}

export function withBlocked(ledger: Ledger, fingerprint: string): Ledger {
  return { ...ledger, blocked: withLast(ledger.blocked, fingerprint) };
}

function withLast(fingerprints: readonly string[], fingerprint: string): readonly string[] {
  return [...fingerprints.filter((known) => known !== fingerprint), fingerprint].slice(-MOST.fingerprints);
}

export function withPosted(ledger: Ledger, slots: readonly string[], fingerprint: string): Ledger {
  const posted = { ...ledger.posted, ...Object.fromEntries(slots.map((slot) => [slot, fingerprint])) };
  return withInstalled({ ...ledger, posted }, fingerprint);
}

/**
 * Replaced twice within a day: somebody else wants this slot too. Until when it is not posted again: when the first of
 * the two is a day old, so that a war that goes on costs one redeploy a day.
 */
export function contested(ledger: Ledger, slot: string, now: Date): Date | undefined {
  const times = ledger.replacements.filter((one) => one.slot === slot && one.at <= now).map((one) => one.at.getTime());
  const [before, last] = times.sort((a, b) => a - b).slice(-2);
  if (before === undefined || last === undefined || last - before > DAY_MS) return undefined;
  return before + DAY_MS > now.getTime() ? new Date(before + DAY_MS) : undefined;
}
