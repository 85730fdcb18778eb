/**
 * How much of a public CA's limits is used up, and how much of it we allow ourselves.
 *
 * Pure. The limits are Let's Encrypt's (its page on rate limits); our own shares stay below them, since others may order for
 * the same domains, and a lost state folder forgets. Windows slide: what is within ours at every moment is within the
 * CA's buckets too. Where certificates live for days we count as the CA does, in a bucket that fills drop by drop.
 */
import { type Ledger, setOf } from './ledger.ts';

export interface Budget {
  readonly kind: 'same-names' | 'certificates' | 'orders' | 'failed-validations';
  /** What is counted, for a sentence: "certificates for exactly these names in 7 days". */
  readonly what: string;
  readonly used: number;
  /** What we allow ourselves. */
  readonly allowed: number;
  /** What the CA allows. */
  readonly limit: number;
  /** When there is one to spend again; undefined: now. */
  readonly nextFreeAt: Date | undefined;
}

export interface Spending {
  readonly directory: string;
  readonly now: Date;
  /** There is no live certificate, or it ends within a week. */
  readonly urgent: boolean;
  /** It lives for days only: one more than usual may be all that saves it. */
  readonly shortLived: boolean;
}

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** One of the CA's limits, and our share of it. */
type Share = Pick<Budget, 'kind' | 'what' | 'limit' | 'allowed'> & { readonly windowMs: number };

/** Two for the same names without need; two more only to save what would end; the fifth is never spent. */
const SAME_SET = {
  usual: 2,
  urgent: 4,
  counted: {
    kind: 'same-names',
    what: 'certificates for exactly these names in 7 days',
    limit: 5,
    windowMs: WEEK_MS,
  },
} as const;
const CERTIFICATES: Share = {
  kind: 'certificates',
  what: 'certificates in 7 days',
  limit: 50,
  allowed: 40,
  windowMs: WEEK_MS,
};
const ORDERS: Share = {
  kind: 'orders',
  what: 'orders in 3 hours',
  limit: 300,
  allowed: 20,
  windowMs: 3 * HOUR_MS,
};
const FAILED_VALIDATIONS = { kind: 'failed-validations', limit: 5, allowed: 2, windowMs: HOUR_MS } as const;

/** What an order of these names would be charged to. */
export function budgetsOf(ledger: Ledger, names: readonly string[], spending: Spending): readonly Budget[] {
  const { directory, now, urgent, shortLived } = spending;
  const here = <T extends { readonly directory: string; readonly at: Date }>(entries: readonly T[]): readonly T[] =>
    entries.filter((entry) => entry.directory === directory);
  const issued = here(ledger.issued);
  const set = setOf(names);
  const sameSet = issued.filter((one) => one.set === set);
  const allowed = urgent || shortLived ? SAME_SET.urgent : SAME_SET.usual;
  return [
    (shortLived ? dripping : sliding)({ ...SAME_SET.counted, allowed }, sameSet, now),
    sliding(CERTIFICATES, issued, now),
    sliding(ORDERS, here(ledger.orders), now),
  ];
}

/** What one more failed validation of this name would be charged to. */
export function validationsOf(
  ledger: Ledger,
  name: string,
  { directory, now }: Pick<Spending, 'directory' | 'now'>,
): Budget {
  const failed = ledger.failures.filter(
    (one) => one.scope === 'name' && one.directory === directory && one.names.includes(name),
  );
  return sliding({ ...FAILED_VALIDATIONS, what: `failed validations of ${name} in an hour` }, failed, now);
}

type Entries = readonly { readonly at: Date }[];

function sliding({ windowMs, ...share }: Share, entries: Entries, now: Date): Budget {
  const times = timesIn(entries, windowMs, now).filter((at) => at > now.getTime() - windowMs);
  const used = times.length;
  const freeing = times[used - share.allowed];
  const nextFreeAt = freeing === undefined ? undefined : new Date(freeing + windowMs);
  return { ...share, used, nextFreeAt };
}

/** As many as the CA gives in the window come back in it, evenly; ours holds fewer at a time. All that is kept counts on. */
function dripping({ windowMs, ...share }: Share, entries: Entries, now: Date): Budget {
  const dropMs = windowMs / share.limit;
  let [missing, since] = [0, 0];
  for (const at of timesIn(entries, windowMs, now)) {
    missing = Math.max(0, missing - (at - since) / dropMs) + 1;
    since = at;
  }
  const seenAt = Math.max(since, now.getTime());
  const left = Math.max(0, missing - (seenAt - since) / dropMs);
  const waitMs = (left - (share.allowed - 1)) * dropMs;
  const nextFreeAt = waitMs >= 1 ? new Date(seenAt + Math.ceil(waitMs)) : undefined;
  return { ...share, used: Math.ceil(left), nextFreeAt };
}

/** In order. A little from the future was spent before our clock was set back; a lot tells of a clock that was wrong. */
function timesIn(entries: Entries, windowMs: number, now: Date): readonly number[] {
  const times = entries.map(({ at }) => at.getTime()).filter((at) => at < now.getTime() + windowMs);
  return times.sort((a, b) => a - b);
}
