/**
 * What is well in the world, and since when: what an invariant may ask of the program depends on it.
 *
 * A condition is bad while anything that spoils it goes on. Two invariants differ in what comes after: the one about
 * expiry grants only what the program must wait for (`owed`: a refusal by policy, a clock that was wrong); the one about
 * getting there at all counts it as bad for as long as the program may rightly still wait (`linger`).
 */
import type { Clock } from './clock.ts';

/** The CA, Marathon, the load balancer's deployments, the state folder, our clock; `name x` for each name. */
export type Condition = 'ca' | 'marathon' | 'balancer' | 'disk' | 'clock' | `name ${string}` | `sight of ${string}`;

export const GENERAL: readonly Condition[] = ['ca', 'marathon', 'balancer', 'disk', 'clock'];

export interface Aftermath {
  readonly lingerMs?: number;
  readonly owedMs?: number;
}

export class Health {
  readonly #clock: Clock;
  readonly #lingering: Spoilt;
  readonly #owed: Spoilt;

  /** What goes on at this moment, without its aftermath. */
  active = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lingering = new Spoilt(clock);
    this.#owed = new Spoilt(clock);
  }

  begin(condition: Condition): void {
    this.active += 1;
    this.#lingering.begin(condition);
    this.#owed.begin(condition);
  }

  end(condition: Condition, { lingerMs = 0, owedMs = 0 }: Aftermath = {}): void {
    this.active -= 1;
    this.#clock.after(lingerMs, () => this.#lingering.end(condition));
    this.#clock.after(owedMs, () => this.#owed.end(condition));
  }

  /** Bad now, and for this long. */
  blemish(condition: Condition, ms: number): void {
    this.begin(condition);
    this.end(condition, { lingerMs: ms, owedMs: ms });
  }

  /** Undefined: not now. */
  goodSince(conditions: readonly Condition[]): number | undefined {
    return this.#lingering.wellSince(conditions);
  }

  /** The same, but for the time after in which the program may still wait. */
  wellSince(conditions: readonly Condition[]): number | undefined {
    return this.#owed.wellSince(conditions);
  }
}

/** By condition, how many things spoil it, and since when none does. */
class Spoilt {
  readonly #clock: Clock;
  readonly #bad = new Map<Condition, number>();
  readonly #since = new Map<Condition, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(condition: Condition): void {
    this.#bad.set(condition, (this.#bad.get(condition) ?? 0) + 1);
  }

  end(condition: Condition): void {
    const left = (this.#bad.get(condition) ?? 1) - 1;
    this.#bad.set(condition, left);
    if (left === 0) this.#since.set(condition, this.#clock.now);
  }

  wellSince(conditions: readonly Condition[]): number | undefined {
    let since = this.#clock.startedAt;
    for (const condition of conditions) {
      if ((this.#bad.get(condition) ?? 0) > 0) return undefined;
      since = Math.max(since, this.#since.get(condition) ?? since);
    }
    return since;
  }
}
