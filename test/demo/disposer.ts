/**
 * What was started is stopped, the last first: for a program what `t.after` is for a test.
 */
import type { Disposer } from '../support/pebble.ts';

export class Stack implements Disposer {
  readonly #dispose: (() => Promise<void>)[] = [];
  #disposed = false;

  /** What comes too late, for the curtain fell while it was being started, goes at once. */
  after(dispose: () => Promise<void>): void {
    if (this.#disposed) void dispose().catch(() => undefined);
    else this.#dispose.push(dispose);
  }

  /** All of them, whatever one of them says; gives what went wrong. */
  async dispose(): Promise<readonly Error[]> {
    const errors: Error[] = [];
    this.#disposed = true;
    for (let next = this.#dispose.pop(); next !== undefined; next = this.#dispose.pop())
      await next().catch((error: Error) => errors.push(error));
    return errors;
  }
}
