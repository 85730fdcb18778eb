/**
 * Chance that can be repeated: every draw of a run comes from its seed, through one of these.
 *
 * Streams are told apart by name, so that one more draw in one part of the world does not change what the others draw.
 */

export class Random {
  readonly #seed: string;
  #state: number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#state = hash(seed);
  }

  /** Another stream: the same for the same seed and name. */
  stream(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
  }

  /** From 0 up to 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** As likely short as long, over orders of magnitude: outages of minutes and of weeks. */
  spread(least: number, most: number): number {
    return least * (most / least) ** this.next();
  }

  integer(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(some: readonly [T, ...T[]]): T;
  pick<T>(some: readonly T[]): T | undefined;
  pick<T>(some: readonly T[]): T | undefined {
    return some[Math.floor(this.next() * some.length)];
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at += 1) bytes[at] = Math.floor(this.next() * 256);
    return bytes;
  }
}

/** FNV-1a, and a round of mixing, for seeds that differ in one digit only. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const letter of text) value = Math.imul(value ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
