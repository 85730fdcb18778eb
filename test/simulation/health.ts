/**
 * What is well in the world, and since when: what an invariant may ask of the program depends on it.
 *
 * A condition is bad while anything that spoils it goes on, and for as long after as the program may rightly still wait
 * because of it: a Retry-After, a day of not fighting over a slot.
 */
import type { Clock } from './clock.ts';

/** The CA, Marathon, the load balancer's deployments, the state folder, our clock, our tasks; `name x` for each name. */
export type Condition =
  | 'ca'
  | 'marathon'
  | 'balancer'
  | 'disk'
  | 'clock'
  | 'tasks'
  | `name ${string}`
  | `sight of ${string}`;

export const GENERAL: readonly Condition[] = ['ca', 'marathon', 'balancer', 'disk', 'clock', 'tasks'];

export class Health {
  readonly #clock: Clock;
  readonly #bad = new Map<Condition, number>();
  readonly #goodSince = new Map<Condition, number>();

  /** What goes on at this moment, without its aftermath. */
  active = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(condition: Condition): void {
    this.active += 1;
    this.#bad.set(condition, (this.#bad.get(condition) ?? 0) + 1);
  }

  end(condition: Condition, lingerMs = 0): void {
    this.active -= 1;
    this.#clock.after(lingerMs, () => {
      const left = (this.#bad.get(condition) ?? 1) - 1;
      this.#bad.set(condition, left);
      if (left === 0) this.#goodSince.set(condition, this.#clock.now);
    });
  }

  /** Bad now, and for this long. */
  blemish(condition: Condition, lingerMs: number): void {
    this.begin(condition);
    this.end(condition, lingerMs);
  }

  /** Undefined: not now. */
  goodSince(conditions: readonly Condition[]): number | undefined {
    let since = this.#clock.startedAt;
    for (const condition of conditions) {
      if ((this.#bad.get(condition) ?? 0) > 0) return undefined;
      since = Math.max(since, this.#goodSince.get(condition) ?? since);
    }
    return since;
  }
}
