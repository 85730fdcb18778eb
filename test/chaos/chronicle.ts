/**
 * What happened, line by line: the faults, what visitors saw, what the program logged. Drawn when a run fails.
 */
import type { Struck } from './costs.ts';
import type { Fault, KindName } from './schedule.ts';

interface Line {
  readonly at: number;
  readonly who: string;
  readonly text: string;
}

export class Chronicle {
  readonly #beganAt = Date.now();
  readonly #lines: Line[] = [];
  readonly #active = new Map<Fault, number>();
  readonly #struck: Struck[] = [];
  readonly #fired = new Map<KindName, number>();
  readonly #missed: string[] = [];

  get beganAt(): number {
    return this.#beganAt;
  }

  note(who: string, text: string, at = Date.now()): void {
    this.#lines.push({ at, who, text });
  }

  begins(fault: Fault): void {
    this.#active.set(fault, Date.now());
    const lasts = fault.lastsMs === 0 ? '' : ` for ${(fault.lastsMs / 1000).toFixed(1)} s`;
    this.note('FAULT', `#${fault.n} ${fault.kind}${lasts}${fault.aimed ? ', aimed at an order' : ''}`);
  }

  /** It was there and is gone, and what it had hit is up again. */
  ended(fault: Fault): void {
    const to = Date.now();
    this.#struck.push({ fault, from: this.#active.get(fault) ?? to, to });
    this.#active.delete(fault);
    this.#fired.set(fault.kind, (this.#fired.get(fault.kind) ?? 0) + 1);
    this.note('fault', `#${fault.n} ${fault.kind}: over`);
  }

  /** There was nothing to hit, or Marathon did not take the edit. */
  missed(fault: Fault, why: string): void {
    this.#active.delete(fault);
    this.#missed.push(`${fault.kind}: ${why}`);
    this.note('fault', `#${fault.n} ${fault.kind}: did not happen: ${why}`);
  }

  isCalm(): boolean {
    return this.#active.size === 0;
  }

  fired(kind: KindName): number {
    return this.#fired.get(kind) ?? 0;
  }

  get struck(): readonly Struck[] {
    return this.#struck;
  }

  get misses(): readonly string[] {
    return this.#missed;
  }

  drawn(): string {
    const sorted = [...this.#lines].sort((a, b) => a.at - b.at);
    return sorted.map(({ at, who, text }) => `${seconds(at - this.#beganAt)}  ${who.padEnd(16)}  ${text}`).join('\n');
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)} s`;
}
