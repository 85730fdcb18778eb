/**
 * How long what failed is left alone: by name, by set of names, by account, by directory.
 *
 * Pure. Steps are Let's Encrypt's advice (integration guide: 1 minute, 10 minutes, 100 minutes, then once a day); a
 * Retry-After of the CA always wins when it is later.
 */
import { createHash } from 'node:crypto';
import { type Failure, isAbout, type Ledger, type Pace } from './ledger.ts';

/** What an order would be made with. */
export interface Attempt {
  readonly directory: string;
  /** Stands for the settings; what failed with others is no reason to wait. */
  readonly settings: string;
  readonly now: Date;
  /** The live certificate is near its end: nothing but the CA's own word is waited for longer than this. */
  readonly longestMs: number | undefined;
}

/** Until when, and because of what. */
export interface Hold {
  readonly until: Date;
  /** As far as the CA itself asked for it by a Retry-After that is not over yet. */
  readonly asked: Date | undefined;
  readonly last: Failure;
  /** How many in a row, as far as they are kept. */
  readonly count: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const STEPS_MS: Readonly<Record<Pace, readonly number[]>> = {
  // Two failed validations an hour at the most; Let's Encrypt takes five.
  name: [10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS],
  dns: [10 * MINUTE_MS, DAY_MS],
  day: [DAY_MS],
  week: [7 * DAY_MS],
  order: [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS],
  settings: [DAY_MS],
  // A breaker: five in a row open it for 5 minutes, doubled to 6 hours. A try begins with one request for the directory.
  outage: [1, 1, 1, 1, 5, 10, 20, 40, 80, 160, 320, 360].map((minutes) => minutes * MINUTE_MS),
};
const SPREAD = 0.1;
/** The longest window of any public CA's limits. A Retry-After beyond it is a broken clock, not a wish. */
const LONGEST_RETRY_AFTER_MS = 7 * DAY_MS;

export function holdOnName(ledger: Ledger, name: string, attempt: Attempt): Hold | undefined {
  return holdBy(ledger, attempt, ({ scope, names }) => scope === 'name' && names.includes(name));
}

export function holdOnSet(ledger: Ledger, names: readonly string[], attempt: Attempt): Hold | undefined {
  return holdBy(ledger, attempt, (failure) => failure.scope === 'certificate' && isAbout(failure, names));
}

/** What holds up every order at this CA: the later of its own word and its being away. */
export function holdOnAll(ledger: Ledger, attempt: Attempt): Hold | undefined {
  const holds = (['account', 'directory'] as const).flatMap(
    (blocked) => holdBy(ledger, attempt, ({ scope }) => scope === blocked) ?? [],
  );
  return holds.sort((a, b) => b.until.getTime() - a.until.getTime())[0];
}

/** A failure from the future tells of a clock that was wrong, and of nothing else. */
function holdBy(ledger: Ledger, attempt: Attempt, fits: (failure: Failure) => boolean): Hold | undefined {
  const { directory, settings, now } = attempt;
  const all = ledger.failures.filter((one) => one.directory === directory && one.at <= now && fits(one));
  const own = all.filter((one) => one.settings === settings && one.lifted === undefined);
  const last = own.at(-1) ?? all.findLast(({ retryAfter }) => retryAfter !== undefined);
  if (last === undefined) return undefined;
  const backOff = own.length === 0 ? 0 : last.at.getTime() + stepAfter(last, own.length, attempt);
  const asked = new Date(Math.max(0, ...all.map(askedFor)));
  const until = new Date(Math.max(backOff, asked.getTime()));
  if (until <= now) return undefined;
  return { until, asked: asked > now ? asked : undefined, last, count: Math.max(own.length, 1) };
}

function stepAfter(last: Failure, count: number, { longestMs }: Attempt): number {
  const steps = STEPS_MS[last.pace];
  const step = steps[Math.min(count, steps.length) - 1] ?? DAY_MS;
  const spread = step * (1 + SPREAD * (2 * chance(last) - 1));
  return longestMs === undefined || last.pace === 'week' ? spread : Math.min(spread, longestMs);
}

/** From 0 to 1, the same for the same failure: what is planned must not move with every look. */
function chance({ at, names }: Failure): number {
  return createHash('sha256').update(`${at.getTime()} ${names}`).digest().readUInt32BE() / 2 ** 32;
}

function askedFor(failure: Failure): number {
  if (failure.retryAfter === undefined) return 0;
  return Math.min(failure.retryAfter.getTime(), failure.at.getTime() + LONGEST_RETRY_AFTER_MS);
}
