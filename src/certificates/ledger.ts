/**
 * What has been tried, and what became of it: the memory that keeps us below the CA's limits and out of redeploy wars.
 *
 * Pure: each function gives a new ledger; the store keeps it. Every list is bounded, so the file can't grow.
 */
import { sameNames } from './spec.ts';

export interface Failure {
  readonly at: Date;
  readonly problem: string;
  readonly retryAfter: Date | undefined;
  readonly names: readonly string[];
}

/** A value of ours that somebody else replaced. */
export interface Replacement {
  readonly at: Date;
  readonly slot: string;
  readonly fingerprint: string;
}

export interface Ledger {
  /** Consecutive ones: a success, or a change of what is wanted, clears them. */
  readonly failures: readonly Failure[];
  readonly replacements: readonly Replacement[];
  /** Fingerprints of the certificates that are ours, newest last. */
  readonly installed: readonly string[];
  /** Slot → fingerprint of what we last posted there; anything else found in it was put there by somebody else. */
  readonly posted: Readonly<Record<string, string>>;
}

export const EMPTY_LEDGER: Ledger = { failures: [], replacements: [], installed: [], posted: {} };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Let's Encrypt's integration guide: 1 minute, 10 minutes, 100 minutes, then once a day. */
const BACK_OFF_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS];
/** The longest window of any public CA's limits. A Retry-After beyond it is a broken clock, not a wish. */
const LONGEST_RETRY_AFTER_MS = 7 * DAY_MS;

const KEPT_FAILURES = 10;
const KEPT_REPLACEMENTS = 100;
const KEPT_FINGERPRINTS = 100;

export function withFailure(ledger: Ledger, failure: Failure): Ledger {
  return { ...ledger, failures: [...ledger.failures, failure].slice(-KEPT_FAILURES) };
}

export function withoutFailures(ledger: Ledger): Ledger {
  return { ...ledger, failures: [] };
}

export function withReplacement(ledger: Ledger, replacement: Replacement): Ledger {
  return { ...ledger, replacements: [...ledger.replacements, replacement].slice(-KEPT_REPLACEMENTS) };
}

export function withInstalled(ledger: Ledger, fingerprint: string): Ledger {
  const others = ledger.installed.filter((known) => known !== fingerprint);
  return { ...ledger, installed: [...others, fingerprint].slice(-KEPT_FINGERPRINTS) };
}

export function withPosted(ledger: Ledger, slots: readonly string[], fingerprint: string): Ledger {
  const posted = { ...ledger.posted, ...Object.fromEntries(slots.map((slot) => [slot, fingerprint])) };
  return withInstalled({ ...ledger, posted }, fingerprint);
}

/** The failures of orders for these very names. One from the future tells of a clock that was wrong, and of nothing else. */
export function failuresOf(ledger: Ledger, names: readonly string[], now: Date): readonly Failure[] {
  return ledger.failures.filter((failure) => failure.at <= now && sameNames(failure.names, names));
}

/**
 * When an order for these names may be tried; undefined: nothing stands in its way. Back-off belongs to a set of names, so
 * that an edited label is tried at once; a Retry-After of the CA holds for all, for most of its limits are the account's.
 */
export function retryAt(ledger: Ledger, names: readonly string[], now: Date): Date | undefined {
  const own = failuresOf(ledger, names, now);
  const last = own.at(-1)?.at.getTime();
  const step = BACK_OFF_MS[Math.min(own.length, BACK_OFF_MS.length) - 1] ?? DAY_MS;
  const waits = ledger.failures.filter(({ at }) => at <= now).map(asked);
  const at = Math.max(last === undefined ? 0 : last + step, ...waits);
  return at > 0 ? new Date(at) : undefined;
}

function asked(failure: Failure): number {
  if (!failure.retryAfter) return 0;
  return Math.min(failure.retryAfter.getTime(), failure.at.getTime() + LONGEST_RETRY_AFTER_MS);
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
