/**
 * Somebody of the model world that can be killed: every operation passes its gate before and after its effect, and
 * beyond the moment of death nothing of it goes on, as with SIGKILL.
 */

/** Where a task is to die: when this many more operations have begun, before or after the effect of the last. */
interface End {
  left: number;
  readonly after: boolean;
  readonly die: (what: string) => void;
}

export class Lifeline {
  #dead = false;
  #end: End | undefined;
  /** What each operation costs besides; slow disks and networks. */
  pause: () => Promise<void> | undefined = () => undefined;

  get isDead(): boolean {
    return this.#dead;
  }

  kill(): void {
    this.#dead = true;
  }

  /** Dies within the next operations, wherever that is. */
  killWithin(operations: number, after: boolean, die: (what: string) => void): void {
    this.#end = { left: operations, after, die };
  }

  async gate(what: string): Promise<void> {
    const slow = this.pause();
    if (slow !== undefined) await slow;
    if (this.#end !== undefined) {
      this.#end.left -= 1;
      if (this.#end.left <= 0 && !this.#end.after) this.#fall(`before ${what}`);
    }
    if (this.#dead) await forEver();
  }

  async after(what: string): Promise<void> {
    if (this.#end !== undefined && this.#end.left <= 0) this.#fall(`after ${what}`);
    if (this.#dead) await forEver();
  }

  #fall(what: string): void {
    const end = this.#end;
    this.#end = undefined;
    this.#dead = true;
    end?.die(what);
  }
}

function forEver(): Promise<never> {
  return new Promise(() => undefined);
}
