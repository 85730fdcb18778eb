/**
 * Marathon's clock, which need not be ours, and how long its seconds last.
 *
 * Versions are instants and must grow with every change, so no two are the same even within a millisecond.
 */

export class Clock {
  readonly #offsetMs: number;
  /** How long one second of a health check's interval, a delay or a back-off really takes. */
  readonly secondMs: number;
  #lastVersion = 0;

  constructor(offsetMs: number, secondMs: number) {
    this.#offsetMs = offsetMs;
    this.secondMs = secondMs;
  }

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  stamp(): string {
    return new Date(this.now()).toISOString();
  }

  nextVersion(): string {
    this.#lastVersion = Math.max(this.now(), this.#lastVersion + 1);
    return new Date(this.#lastVersion).toISOString();
  }

  duration(seconds: number): number {
    return seconds * this.secondMs;
  }
}
