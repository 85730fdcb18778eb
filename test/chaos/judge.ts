/**
 * The rules of a run: what visitors may have seen, and how many orders and deployments it may have cost.
 *
 * Pure but for its memory. It judges by what a visitor saw and by what the CA and Marathon were asked; the program's own
 * word counts only where it excuses itself by a pause after a failure, and no pause may be longer than the longest there is.
 */
import type { X509Certificate } from 'node:crypto';
import type { Visit } from './prober.ts';

export interface Moment {
  readonly at: number;
  /** No fault is active or being recovered from. */
  readonly calm: boolean;
  /** The program says that it leaves the CA alone after a failure. */
  readonly held: boolean;
}

/** An order and a rolling deployment of two may take so long: no quiet spell that is shorter counts. */
const WORK_MS = 8_000;
/** On a busy machine they take longer: by that of the first one, which no fault was in the way of. */
const WORK_BY_FIRST = 3;

export class Judge {
  readonly #moments: Moment[] = [];
  readonly #found = new Set<string>();
  readonly #worst = new Map<string, number>();
  #isProven = false;
  #workMs = WORK_MS;

  /** From here on every HAProxy has been given a certificate, which took so long. */
  proven(tookMs: number): void {
    this.#isProven = true;
    this.#workMs = Math.max(WORK_MS, WORK_BY_FIRST * tookMs);
  }

  get violations(): readonly string[] {
    return [...this.#found];
  }

  /** What visitors saw, how often. */
  get seen(): ReadonlyMap<string, number> {
    return this.#worst;
  }

  breach(sentence: string): void {
    this.#found.add(sentence);
  }

  moment(moment: Moment): void {
    this.#moments.push(moment);
  }

  /** The longest time in a row for which the program left the CA alone, in ms. */
  longestHold(): number {
    return longestRun(this.#moments, ({ held }) => held);
  }

  /**
   * Never: a PEM that is neither of our CA nor marathon-lb's own placeholder, nor the placeholder once there was better.
   *
   * A certificate that has ended, or one without a name that is always wanted, only if since it was due for renewal (since
   * it was made) there was no quiet spell of 1/6 of its life, and of 8 s at least: all servers there, no fault active or
   * being recovered from, and no pause after a failed order, which the CA's limits demand.
   */
  visited({ at, host, name, verdict }: Visit, isSteady: boolean): void {
    this.#worst.set(verdict.kind, (this.#worst.get(verdict.kind) ?? 0) + 1);
    if (verdict.kind === 'foreign') this.breach(`${host} served for ${name} what nobody of ours made: ${verdict.why}`);
    if (verdict.kind === 'placeholder' && this.#isProven) this.breach(`${host} went back to its placeholder`);
    if (verdict.kind === 'expired')
      this.#excuse(`${host} served a certificate that had ended`, at, verdict.leaf, 1 / 2);
    if (verdict.kind === 'other name' && isSteady && this.#isProven)
      this.#excuse(`${host} served a certificate without ${name}`, at, verdict.leaf, 0);
  }

  #excuse(what: string, at: number, leaf: X509Certificate, share: number): void {
    const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
    const quietMs = this.#longestQuiet(from + (to - from) * share, at);
    const limitMs = Math.max((to - from) / 6, this.#workMs);
    if (quietMs < limitMs) return;
    this.breach(
      `${what} (${leaf.serialNumber.slice(-8)}), and nothing had been in the way for ${Math.round(quietMs / 1000)} s`,
    );
  }

  #longestQuiet(from: number, to: number): number {
    const window = this.#moments.filter(({ at }) => at >= from && at <= to);
    return longestRun(window, ({ calm, held }) => calm && !held);
  }
}

function longestRun(moments: readonly Moment[], fits: (moment: Moment) => boolean): number {
  let [longest, began]: [number, number | undefined] = [0, undefined];
  for (const moment of moments) {
    began = fits(moment) ? (began ?? moment.at) : undefined;
    if (began !== undefined) longest = Math.max(longest, moment.at - began);
  }
  return longest;
}
