/**
 * Let's Encrypt's rate limits as it keeps them itself (its documentation, "Rate Limits", August 2026; boulder,
 * ratelimits/): token buckets that refill at a steady pace, in true time.
 *
 * Nothing in here knows of the program's own ledger: this is the judge, not the judged.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Size {
  readonly burst: number;
  /** One more after each of these. */
  readonly refillMs: number;
}

export const LIMITS = {
  /** Per account: 300 in 3 hours. */
  orders: { burst: 300, refillMs: 36 * SECOND },
  /** Per registered domain, all accounts together: 50 in 7 days. */
  domain: { burst: 50, refillMs: 202 * MINUTE },
  /** Per exact set of names: 5 in 7 days. */
  set: { burst: 5, refillMs: 34 * HOUR },
  /** Failed validations per name and account: 5 an hour. */
  failures: { burst: 5, refillMs: 12 * MINUTE },
  /** Failed validations of a name without a success between them: then it is paused until a human comes. */
  inARow: { burst: 1152, refillMs: DAY },
  /** Per address: 10 accounts in 3 hours. */
  accounts: { burst: 10, refillMs: 18 * MINUTE },
} as const satisfies Record<string, Size>;

export type Limit = keyof typeof LIMITS;

export class Buckets {
  /** When each bucket will be full again. */
  readonly #fullAt = new Map<string, number>();
  /** The fullest that each bucket has been of tokens spent: how near it came. */
  readonly peaks = new Map<Limit, number>();

  /** When one more is allowed; now or earlier: it is allowed at once. */
  freeAt(limit: Limit, key: string, now: number): number {
    const { burst, refillMs } = LIMITS[limit];
    const fullAt = Math.max(this.#fullAt.get(`${limit} ${key}`) ?? now, now);
    return fullAt - (burst - 1) * refillMs;
  }

  spend(limit: Limit, key: string, now: number): void {
    const { refillMs } = LIMITS[limit];
    const fullAt = Math.max(this.#fullAt.get(`${limit} ${key}`) ?? now, now) + refillMs;
    this.#fullAt.set(`${limit} ${key}`, fullAt);
    this.peaks.set(limit, Math.max(this.peaks.get(limit) ?? 0, Math.ceil((fullAt - now) / refillMs)));
  }

  /** A success: nothing is left of what was spent. */
  reset(limit: Limit, key: string): void {
    this.#fullAt.delete(`${limit} ${key}`);
  }
}

/** The names of the runs are plain ones: two parts are what somebody registered. */
export function registeredDomain(name: string): string {
  return name.split('.').slice(-2).join('.');
}
