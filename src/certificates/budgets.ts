/**
 * How much of a public CA's limits is used up, and how much of it we allow ourselves.
 *
 * Pure. The limits are Let's Encrypt's (its page on rate limits); our own shares stay below them, since others may order for
 * the same domains, and a lost state folder forgets. Windows slide: what is within ours at every moment is within the
 * CA's buckets too.
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
  /** There is no live certificate, or it ends within a week, or those of this CA live so short. */
  readonly urgent: boolean;
}

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** Two for the same names without need; two more only to save what would end; the fifth is never spent. */
const SAME_SET = { limit: 5, usual: 2, urgent: 4 };
const CERTIFICATES = { limit: 50, ours: 40 };
const ORDERS = { limit: 300, ours: 20 };
const FAILED_VALIDATIONS = { limit: 5, ours: 2 };

/** What an order of these names would be charged to. */
export function budgetsOf(ledger: Ledger, names: readonly string[], spending: Spending): readonly Budget[] {
  const { directory, now, urgent } = spending;
  const here = <T extends { readonly directory: string; readonly at: Date }>(entries: readonly T[]): readonly T[] =>
    entries.filter((entry) => entry.directory === directory);
  const issued = here(ledger.issued);
  const set = setOf(names);
  const sameSet = issued.filter((one) => one.set === set);
  const allowed = urgent ? SAME_SET.urgent : SAME_SET.usual;
  const sameNames = { kind: 'same-names', what: 'certificates for exactly these names in 7 days' } as const;
  const certificates = { kind: 'certificates', what: 'certificates in 7 days' } as const;
  const orders = { kind: 'orders', what: 'orders in 3 hours' } as const;
  return [
    budget(sameNames, sameSet, WEEK_MS, { ...SAME_SET, allowed }, now),
    budget(certificates, issued, WEEK_MS, { ...CERTIFICATES, allowed: CERTIFICATES.ours }, now),
    budget(orders, here(ledger.orders), 3 * HOUR_MS, { ...ORDERS, allowed: ORDERS.ours }, now),
  ];
}

/** What one more failed validation of this name would be charged to. */
export function validationsOf(ledger: Ledger, name: string, { directory, now }: Spending): Budget {
  const failed = ledger.failures.filter(
    (one) => one.scope === 'name' && one.directory === directory && one.names.includes(name),
  );
  const { limit, ours: allowed } = FAILED_VALIDATIONS;
  const counted = { kind: 'failed-validations', what: `failed validations of ${name} in an hour` } as const;
  return budget(counted, failed, HOUR_MS, { limit, allowed }, now);
}

function budget(
  counted: Pick<Budget, 'kind' | 'what'>,
  entries: readonly { readonly at: Date }[],
  windowMs: number,
  { limit, allowed }: { readonly limit: number; readonly allowed: number },
  now: Date,
): Budget {
  // A little from the future was spent before our clock was set back; a lot tells of a clock that was wrong.
  const times = entries.map(({ at }) => at.getTime()).filter((at) => Math.abs(at - now.getTime()) < windowMs);
  const used = times.length;
  const freeing = times.sort((a, b) => a - b)[used - allowed];
  const nextFreeAt = freeing === undefined ? undefined : new Date(freeing + windowMs);
  return { ...counted, used, allowed, limit, nextFreeAt };
}
