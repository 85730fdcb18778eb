/**
 * Certificates that the CA has revoked, and the operator who hears of it elsewhere: he asks for a renewal, as the status
 * page lets him, and again while the revoked one is still served. The program itself asks nobody whether one is revoked.
 *
 * The invariant: once he has asked it is served by nobody within the grace; and where nothing else happened meanwhile,
 * within hours, for one order, one certificate and one PUT.
 */
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import type { Clock } from './clock.ts';
import { type Condition, GENERAL, type Health } from './health.ts';
import type { Names } from './names.ts';
import type { Program } from './program.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** An order, a deployment of every load balancer, and a machine that sleeps now and then. */
const SOON = 6 * HOUR;
/** Of the certificates for the same names there are two in a week, and his was the second: a week and a day. */
const GRACE = 8 * DAY;
const ASKS_AGAIN_AFTER = 3 * HOUR;

export interface Surroundings {
  readonly clock: Clock;
  readonly health: Health;
  readonly names: Names;
  readonly tasks: () => readonly Program[];
  /** Fingerprints of what the load balancers serve for wanted names. */
  readonly served: () => ReadonlySet<string>;
  readonly wantedSince: ReadonlyMap<string, number>;
  /** Else it is a stranger's to the program, and left alone: the operator is told so. */
  readonly isRemembered: (fingerprint: string) => boolean;
  readonly excusedAt: () => number;
  /** A window for redeploys opens so often. */
  readonly windowMs: number;
  readonly spent: () => Spent;
  readonly trace: (what: string) => void;
  readonly violate: (what: string) => void;
}

export interface Spent {
  readonly orders: number;
  readonly certificates: number;
  readonly puts: number;
}

interface Revoked {
  readonly fingerprint: string;
  /** When the program said that it will; undefined: not yet. */
  askedAt: number | undefined;
  spent: Spent | undefined;
  servedSince: number | undefined;
}

export class Revocations {
  /** Of those asked for: replaced with nothing else happening meanwhile, and in whatever weather. */
  readonly counts = { inPeace: 0, all: 0 };
  #askedAt = Number.NEGATIVE_INFINITY;
  readonly #around: Surroundings;
  readonly #revoked = new Map<string, Revoked>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** The operator hears of it after that time. */
  revoke({ fingerprint }: CertificateBundle, hearsAfterMs: number): void {
    const { clock, trace } = this.#around;
    trace(`CA: ${fingerprint.slice(0, 11)} is revoked`);
    const one: Revoked = { fingerprint, askedAt: undefined, spent: undefined, servedSince: clock.now };
    this.#revoked.set(fingerprint, one);
    clock.after(hearsAfterMs, () => this.#ask(one));
  }

  /** When an operator was last told that it will be renewed. */
  get askedAt(): number {
    return this.#askedAt;
  }

  isRevoked({ fingerprint }: CertificateBundle): boolean {
    return this.#revoked.has(fingerprint);
  }

  /** He asks whoever leads; what is refused, or has come to nothing, he asks for again. */
  #ask(one: Revoked): void {
    const { clock, tasks, served, spent } = this.#around;
    clock.after(ASKS_AGAIN_AFTER, () => this.#ask(one));
    if (!served().has(one.fingerprint)) return;
    const leader = tasks().find(({ planned }) => planned?.leader.isUs);
    const before = spent();
    if (leader === undefined || !leader.askRenewal()) return;
    this.#askedAt = clock.now;
    one.askedAt ??= clock.now;
    one.spent ??= before;
  }

  /** At every look of the judge. */
  look(): void {
    const served = this.#around.served();
    for (const one of this.#revoked.values()) {
      if (served.has(one.fingerprint)) this.#stillServed(one);
      else this.#gone(one);
    }
  }

  #stillServed(one: Revoked): void {
    const { clock, violate, excusedAt, windowMs } = this.#around;
    one.servedSince ??= clock.now;
    const wellSince = this.#wellSince();
    if (one.askedAt === undefined || wellSince === undefined) return;
    if (!this.#around.isRemembered(one.fingerprint)) return;
    const since = Math.max(one.askedAt, one.servedSince, wellSince);
    const isPeaceful = one.spent !== undefined && this.#isPeacefulSince(one.askedAt);
    if (
      clock.now > since + GRACE + windowMs ||
      (isPeaceful && clock.now > Math.max(since, excusedAt()) + SOON + windowMs)
    ) {
      violate(
        `the revoked ${one.fingerprint.slice(0, 11)} is still served, asked for since ${new Date(since).toISOString()}`,
      );
      one.askedAt = undefined;
    }
  }

  #gone(one: Revoked): void {
    const { spent: now, violate } = this.#around;
    one.servedSince = undefined;
    if (one.askedAt === undefined || one.spent === undefined) return;
    const before = one.spent;
    const isPeaceful = this.#isPeacefulSince(one.askedAt);
    one.spent = undefined;
    this.counts.all += 1;
    if (!isPeaceful) return;
    this.counts.inPeace += 1;
    const { orders, certificates, puts } = now();
    const cost = [orders - before.orders, certificates - before.certificates, puts - before.puts];
    if (cost.some((each) => each !== 1))
      violate(`a renewal that was asked for took ${cost.join(', ')} orders, certificates and PUTs`);
  }

  /** All conditions, and all names: the new certificate has all of them. */
  #wellSince(): number | undefined {
    const { names, health, wantedSince } = this.#around;
    const all = [...wantedSince.keys()];
    if (!all.every((name) => names.isWell(name) && !names.isRefused(name))) return undefined;
    const ofNames = all.flatMap((name): Condition[] => [`name ${name}`, `sight of ${name}`]);
    return health.goodSince([...GENERAL, ...ofNames]);
  }

  #isPeacefulSince(time: number): boolean {
    const wellSince = this.#wellSince();
    return wellSince !== undefined && wellSince <= time - DAY && this.#around.excusedAt() <= time - DAY;
  }
}
