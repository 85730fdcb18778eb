/**
 * Virtual time, and everything that the program takes time and chance from, so that two years pass in a second.
 *
 * Nothing waits: when all that could happen now has happened, the clock jumps to the next timer. There is no real
 * input or output while it runs, so what happens between two timers is microtasks alone, in an order that only the
 * seed decides. Importing this file puts the stand-ins in place; they act as the real ones until a clock is running.
 */
import crypto, { type Hash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { promisify } from 'node:util';
import { modelKey } from './keys.ts';
import type { Random } from './random.ts';

const real = {
  Date,
  setTimeout: globalThis.setTimeout,
  setImmediate: globalThis.setImmediate,
  now: performance.now.bind(performance),
  random: Math.random,
  sleep: timers.setTimeout,
  breathe: timers.setImmediate,
  timeoutSignal: AbortSignal.timeout.bind(AbortSignal),
  randomBytes: crypto.randomBytes,
  createHash: crypto.createHash,
  generateKeyPair: crypto.generateKeyPair,
};

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/** For what is too long to be remembered. */
export const realHash = (): Hash => real.createHash('sha256');

export class Clock {
  /** True time, which the CA and Marathon go by. */
  now: number;
  /** How far the wall clock of our program's machine is off. */
  offset = 0;
  /** How much later a sleep of our program may end than it asked for: a machine may be slow or suspended. */
  late: (ms: number) => number = () => 0;
  fired = 0;
  readonly startedAt: number;
  readonly random: Random;
  readonly #heap: Timer[] = [];
  #order = 0;
  #stopped = false;

  constructor(startedAt: number, random: Random) {
    this.now = startedAt;
    this.startedAt = startedAt;
    this.random = random;
  }

  /** Returns what cancels it. */
  at(time: number, fire: () => void): () => void {
    this.#order += 1;
    const timer: Timer = { at: Math.max(time, this.now), order: this.#order, fire, cancelled: false };
    push(this.#heap, timer);
    return () => {
      timer.cancelled = true;
    };
  }

  after(ms: number, fire: () => void): () => void {
    return this.at(this.now + ms, fire);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((done) => this.after(ms, done));
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Until then, or until it is stopped. Only one clock runs at a time. */
  async run(end: number): Promise<void> {
    running = this;
    hasRun = true;
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // errors of the model are part of a day's work
    try {
      for (;;) {
        await new Promise((done) => real.setImmediate(done)); // after all microtasks
        if (this.#stopped) return;
        const timer = pop(this.#heap);
        if (timer === undefined || timer.at > end) return;
        if (timer.cancelled) continue;
        this.now = timer.at;
        this.fired += 1;
        timer.fire();
      }
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
      running = undefined;
    }
  }
}

let running: Clock | undefined;
/** What a world that has ended left behind sleeps for ever, and does not wake in the next one. */
let hasRun = false;

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length;
  heap.push(timer);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Timer;
    if (!isBefore(timer, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): Timer | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    const right = heap[below + 1];
    if (right !== undefined && isBefore(right, heap[below] as Timer)) below += 1;
    const child = heap[below] as Timer;
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
  return first;
}

/** The prototype stays the real one, so that dates made by Node itself are dates to everybody. */
function VirtualDate(this: unknown, ...facts: [number | string | Date]): Date | string {
  if (new.target === undefined) return new real.Date(wallClock()).toString();
  return (facts as unknown[]).length === 0 ? new real.Date(wallClock()) : new real.Date(...facts);
}
VirtualDate.prototype = real.Date.prototype;
Object.assign(VirtualDate, { now: wallClock, parse: real.Date.parse, UTC: real.Date.UTC });

function wallClock(): number {
  return running === undefined ? real.Date.now() : running.now + running.offset;
}

/** Nobody looks at it but for what it is. */
const ABORTED = new DOMException('aborted', 'AbortError');

function sleep(ms?: number, value?: unknown, options?: { signal?: AbortSignal }): Promise<unknown> {
  const clock = running;
  if (clock === undefined) return hasRun ? new Promise(() => undefined) : real.sleep(ms, value, options);
  const { signal } = options ?? {};
  return new Promise((done, failed) => {
    if (signal?.aborted) return failed(ABORTED);
    const wait = Math.max(ms ?? 1, 1);
    const onAbort = (): void => {
      cancel();
      failed(ABORTED);
    };
    const cancel = clock.after(wait + clock.late(wait), () => {
      signal?.removeEventListener('abort', onAbort);
      done(value);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function timeoutSignal(ms: number): AbortSignal {
  if (running === undefined) return real.timeoutSignal(ms);
  const abort = new AbortController();
  running.after(ms, () => abort.abort(new DOMException('timed out', 'TimeoutError')));
  return abort.signal;
}

/** What nobody should wait for by hand: a callback timer would be real time in the middle of virtual time. */
function callbackTimer(...facts: Parameters<typeof real.setTimeout>): unknown {
  if (running === undefined) return real.setTimeout(...facts);
  const [done, ms = 1, ...rest] = facts as [(...rest: unknown[]) => void, number?, ...unknown[]];
  const cancel = running.after(ms, () => done(...rest));
  return { cancel, unref: () => undefined, ref: () => undefined, [Symbol.toPrimitive]: () => 0 };
}

function generateKeyPair(type: string, options: object): Promise<unknown> {
  if (running === undefined) return promisify(real.generateKeyPair)(type as 'ec', options as never);
  const { namedCurve } = options as { namedCurve?: string };
  return Promise.resolve({ privateKey: modelKey(running.random, isP384(namedCurve) ? 'P-384' : 'P-256') });
}

const isP384 = (curve: string | undefined): boolean => curve === 'P-384' || curve === 'secp384r1';

/** Pure, and the program asks for the same few digests in every pass. */
const digests = new Map<string, Buffer>();

function createHash(algorithm: string): unknown {
  let text = '';
  const hash = {
    update(more: unknown): unknown {
      if (typeof more !== 'string')
        return real
          .createHash(algorithm)
          .update(text)
          .update(more as Buffer);
      text += more;
      return hash;
    },
    digest(encoding?: BufferEncoding): Buffer | string {
      const key = `${algorithm} ${text}`;
      const known = digests.get(key) ?? real.createHash(algorithm).update(text).digest();
      if (digests.size > 5_000) digests.clear();
      digests.set(key, known);
      return encoding === undefined ? Buffer.from(known) : known.toString(encoding);
    },
  };
  return hash;
}

const replacements: readonly (readonly [object, object])[] = [
  [globalThis, { Date: VirtualDate, setTimeout: callbackTimer }],
  [performance, { now: () => (running === undefined ? real.now() : running.now - running.startedAt) }],
  [Math, { random: () => (running === undefined ? real.random() : running.random.next()) }],
  [AbortSignal, { timeout: timeoutSignal }],
  [timers, { setTimeout: sleep, setImmediate: () => (running === undefined ? real.breathe() : sleep(1)) }],
  [
    crypto,
    {
      createHash,
      randomBytes: (size: number) => (running === undefined ? real.randomBytes(size) : running.random.bytes(size)),
      generateKeyPair: Object.assign(() => undefined, { [promisify.custom]: generateKeyPair }),
    },
  ],
];
for (const [where, what] of replacements) {
  for (const [name, value] of Object.entries(what)) {
    Object.defineProperty(where, name, { value, writable: true, configurable: true });
  }
}
syncBuiltinESMExports(); // what is imported by name, too
