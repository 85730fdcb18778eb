/**
 * What we answer on the challenge path, token by token.
 *
 * In memory only: a token that an earlier process published is published again when its order goes on (RFC 8555 §8.3
 * lets a key authorization be computed at any time). A probe is a token of our own making, to see whether a request for
 * a name reaches this very process; a fixed "pong" might be anybody's.
 */

import { createHmac, randomBytes } from 'node:crypto';

/** Who makes up what is asked for when a way to us is tried. */
export type Prober = Pick<Challenges, 'newProbe' | 'withdraw'>;

export class Challenges {
  readonly #answers = new Map<string, string>();
  readonly #secret = randomBytes(32);

  publish(token: string, keyAuthorization: string): void {
    this.#answers.set(token, keyAuthorization);
  }

  withdraw(token: string): void {
    this.#answers.delete(token);
  }

  /** All that are published now. */
  get tokens(): Iterable<string> {
    return this.#answers.keys();
  }

  answerTo(token: string): string | undefined {
    return this.#answers.get(token);
  }

  /** Published at once; whoever asked for it withdraws it. */
  newProbe(): { token: string; answer: string } {
    const token = randomBytes(24).toString('base64url'); // 32 characters
    const answer = createHmac('sha256', this.#secret).update(token).digest('base64url');
    this.publish(token, answer);
    return { token, answer };
  }
}
