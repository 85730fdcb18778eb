/**
 * What we answer on the challenge path, token by token.
 *
 * In memory only: a token that an earlier process published is published again when its order goes on (RFC 8555 §8.3
 * lets a key authorization be computed at any time). A probe is a token of our own making, to see whether a request for
 * a name reaches this very process; a fixed "pong" might be anybody's.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** Who makes up what is asked for when a way to us is tried. */
export type Prober = Pick<Challenges, 'newProbe' | 'withdraw'>;

export class Challenges {
  readonly #answers = new Map<string, { readonly text: string }>();
  readonly #secret = randomBytes(32);

  publish(token: string, keyAuthorization: string): void {
    this.#answers.set(token, { text: keyAuthorization });
  }

  withdraw(token: string): void {
    this.#answers.delete(token);
  }

  /** After so long (ms), or when the signal aborts; but not those that have been published again by then. Never rejects. */
  async withdrawLater(tokens: readonly string[], ms: number, signal: AbortSignal): Promise<void> {
    const published = tokens.map((token) => [token, this.#answers.get(token)] as const);
    await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
    for (const [token, answer] of published) if (this.#answers.get(token) === answer) this.withdraw(token);
  }

  /** All that are published now. */
  get tokens(): Iterable<string> {
    return this.#answers.keys();
  }

  answerTo(token: string): string | undefined {
    return this.#answers.get(token)?.text;
  }

  /** Published at once; whoever asked for it withdraws it. */
  newProbe(): { token: string; answer: string } {
    const token = randomBytes(24).toString('base64url'); // 32 characters
    const answer = createHmac('sha256', this.#secret).update(token).digest('base64url');
    this.publish(token, answer);
    return { token, answer };
  }
}
