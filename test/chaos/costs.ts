/**
 * What a run may cost in orders and deployments, and why: each order has its reason, or its fault.
 *
 * Pure. An order bore fruit when a certificate was posted before the next order was made. Of those there are
 *
 *   at most  1 + seconds / (0.49 × life) + edits of the names + orders that left out a name,
 *
 * for a renewal comes at half of the life (a hundredth earlier or later), an edit may need another certificate, and what
 * had to be left out is added later. Every other order was spoilt by a fault that was there between it and the next one;
 * and no fault may spoil more than are made within its time: one, and one more after 1, 11 and 111 of the program's
 * minutes, as it tries what failed again after 1, 10 and 100 minutes.
 *
 * A try that never gets as far as an order is seen by its request for the directory, made twice where the first one got no
 * answer. While the CA is away it comes after 1 minute four times, then after 5, 10, 20 … up to 6 hours: `hurried` holds it to that.
 */
import { type Fault, KINDS, type Place } from './schedule.ts';

/** A fault, and when it really was there. */
export interface Struck {
  readonly fault: Fault;
  readonly from: number;
  readonly to: number;
}

export interface Costs {
  readonly seconds: number;
  readonly lifeSeconds: number;
  readonly minuteMs: number;
  readonly struck: readonly Struck[];
  /** When each order was made, by the CA; and whether it left out a name that is always wanted. */
  readonly orders: readonly { readonly at: number; readonly isPartial: boolean }[];
  /** When Marathon took each PUT of ours. */
  readonly posted: readonly number[];
}

export interface Account {
  readonly fruitful: number;
  readonly mostFruitful: number;
  readonly spoilt: number;
  /** Orders that came to nothing, and no fault can be blamed for it. */
  readonly unexplained: readonly number[];
}

/** A request that was sent before a fault is hit by it, and what was hit may be noticed a while after. */
const SLACK_MS = 2_000;
const RETRIES_AFTER_MINUTES = [1, 11, 111];
/** After the first of them: 1, 1, 1, 1, 5, 10, 20, 40, 80, 160, 320 and 360 minutes, one after the other. */
const OUTAGE_AFTER_MINUTES = [1, 2, 3, 4, 9, 19, 39, 79, 159, 319, 639, 999];
const SPREAD = 0.9;

export function accountOf({ seconds, lifeSeconds, minuteMs, struck, orders, posted }: Costs): Account {
  const edits = struck.filter(({ fault }) => fault.kind === 'a name added or taken away').length;
  const renewals = Math.ceil(seconds / (lifeSeconds * 0.49));
  const partial = orders.filter(({ isPartial }) => isPartial).length;
  const spans = orders.map(({ at }, n) => ({ at, next: orders[n + 1]?.at ?? Number.POSITIVE_INFINITY }));
  const spoilt = spans.filter(({ at, next }) => !posted.some((time) => time >= at && time < next));
  return {
    fruitful: orders.length - spoilt.length,
    mostFruitful: 1 + renewals + edits + partial,
    spoilt: spoilt.length,
    unexplained: unexplained(spoilt, struck, minuteMs),
  };
}

/** Each of them is charged to a fault, as long as that has something left. */
function unexplained(
  spoilt: readonly { readonly at: number; readonly next: number }[],
  struck: readonly Struck[],
  minuteMs: number,
): readonly number[] {
  const guilty = struck.filter(({ fault }) => KINDS[fault.kind].place !== 'operator');
  const left = new Map(guilty.map((one) => [one, capacityOf(one, minuteMs)]));
  return spoilt.flatMap(({ at, next }) => {
    const culprit = guilty.find(
      (one) => one.from - SLACK_MS < next && one.to + SLACK_MS > at && (left.get(one) ?? 0) > 0,
    );
    if (culprit === undefined) return [at];
    left.set(culprit, (left.get(culprit) ?? 0) - 1);
    return [];
  });
}

function capacityOf({ from, to }: Struck, minuteMs: number): number {
  return 1 + triesWithin(RETRIES_AFTER_MINUTES, (to - from) / minuteMs);
}

/** What Marathon does or does not say makes no try fail. */
const ENDS_TRIES: ReadonlySet<Place> = new Set(['sidecar', 'ca', 'load balancer']);

/**
 * The faults in whose time the CA was asked more often than it may be while it is away. Another fault in that time may
 * begin the steps anew: the program forgets them when it loses its folder, and when the CA has answered.
 */
export function hurried(asked: readonly number[], struck: readonly Struck[], minuteMs: number): readonly string[] {
  const guilty = struck.filter(({ fault }) => ENDS_TRIES.has(KINDS[fault.kind].place));
  return guilty.flatMap((one) => {
    const { from, to, fault } = one;
    const count = asked.filter((at) => at >= from && at <= to).length;
    const beginnings = guilty.filter((other) => other.from < to && other.to > from).length || 1;
    const most = beginnings * mostTries(to - from, minuteMs);
    return count <= most ? [] : [`the CA was asked ${count} times in ${to - from} ms of #${fault.n}, at most ${most}`];
  });
}

/** Requests for the directory, for so long. */
export function mostTries(ms: number, minuteMs: number): number {
  return 2 * (1 + triesWithin(OUTAGE_AFTER_MINUTES, ms / minuteMs));
}

function triesWithin(afterMinutes: readonly number[], minutes: number): number {
  return afterMinutes.filter((after) => after * SPREAD <= minutes).length;
}
