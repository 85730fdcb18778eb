/**
 * What was started is stopped, the last first: for a program what `t.after` is for a test.
 */
import type { Disposer } from '../support/pebble.ts';

export class Stack implements Disposer {
  readonly #dispose: (() => Promise<void>)[] = [];

  after(dispose: () => Promise<void>): void {
    this.#dispose.push(dispose);
  }

  /** All of them, whatever one of them says; gives what went wrong. */
  async dispose(): Promise<readonly Error[]> {
    const errors: Error[] = [];
    for (let next = this.#dispose.pop(); next !== undefined; next = this.#dispose.pop())
      await next().catch((error: Error) => errors.push(error));
    return errors;
  }
}
