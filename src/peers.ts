/**
 * The other tasks of our own app, asked for tokens that this one does not know.
 *
 * During an upgrade, or with `instances: 2`, the load balancer leads the CA to any of us, and only the task that ordered
 * knows the answer. Which tasks there are is Marathon's word alone; no request can make us ask anybody else.
 *
 * Anybody may ask us for anything, so what it costs the peers must not depend on how much we are asked. Hence a peer is
 * not asked token by token: it lists the digests of the tokens it publishes now, four times a second at most, and is
 * asked only for a token on that list. A flood of invented tokens costs it those listings, and crowds out no real one.
 * The list is also the negative cache, without what is bad in one: a request waits for a listing begun after it came, so
 * a token published a moment ago is never taken for unknown, and nothing is remembered for longer than until the next.
 *
 * The peer's side is in web/challenge.ts. It answers from its own memory only: nothing is passed on twice.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import { type App, hostPort } from './marathon/app.ts';
import { pause } from './pause.ts';
import { bodyOf, responseTo } from './response.ts';

/** Outside the path prefix that marathon-lb leads to us: only those who reach the task itself can ask here. */
export const PEER_LIST_PATH = '/peer/tokens';
export const PEER_TOKEN_PATH = '/peer/token';

/** Requests to all peers together. */
const IN_FLIGHT = 4;
const TIMEOUT_MS = 1_000;
const LIST_EVERY_MS = 250;
/**
 * Requests to us that may wait for a listing, some 10 KB each; those beyond are answered by the last one, at once. Many,
 * for a real challenge beyond them may come a quarter of a second too early. Two thousand requests a second are more
 * than the CPU of our definition can answer anyway.
 */
const WAITING = 512;
/** Of 23 bytes a line: 700 tokens, where an order of ours has a hundred names at most. */
const LIST_BYTES = 16 * 1024;
const ANSWER_BYTES = 256;
const DIGEST = /^[A-Za-z0-9_-]{22}$/;
/** What the challenge port is without HTTP_PORT; see settings/table.ts. */
const USUAL_PORT = 80;

/** Tells a token to those who know it already: 128 bits of SHA-256 cannot be guessed back. */
export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest().subarray(0, 16).toString('base64url');
}

export class Peers {
  readonly #taskId: string | undefined;
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();
  readonly #turns = new Turns(IN_FLIGHT);
  #peers: ReadonlyMap<string, Peer> = new Map();
  #waiting = 0;

  /** `taskId`: which of the app's tasks we are; undefined: none of them. `timeoutMs`: for each question to a peer. */
  constructor(taskId: string | undefined, timeoutMs = TIMEOUT_MS) {
    this.#taskId = taskId;
    this.#timeoutMs = timeoutMs;
  }

  /** Our app as Marathon shows it now: every other running task is a peer, of whatever version. */
  learn(app: App): void {
    const known = this.#peers;
    const running = app.tasks.filter(({ id, state }) => state === 'TASK_RUNNING' && id !== this.#taskId);
    const port = challengePort(app);
    this.#peers = new Map(
      running.flatMap((task) => {
        const address = { host: task.host, port: hostPort(app, task, port) ?? 0 };
        if (address.host === '' || address.port === 0) return [];
        const key = `${task.id} ${address.host} ${address.port}`;
        return [[key, known.get(key) ?? new Peer((path, limit) => this.#get({ ...address, path }, limit))] as const];
      }),
    );
  }

  /** What a peer answers to this token; undefined: none knows it, can be asked in time, or answers as it should. */
  async answerTo(token: string): Promise<string | undefined> {
    const mayWait = this.#waiting < WAITING;
    this.#waiting += 1;
    try {
      return await firstKnown([...this.#peers.values()].map((peer) => peer.answerTo(token, mayWait)));
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Gives up what is being asked. */
  close(): void {
    this.#closing.abort();
  }

  async #get(where: Where, limit: number): Promise<string | undefined> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)]);
    return this.#turns.take(() => get(where, limit, signal)).catch(() => undefined); // no answer is an answer
  }
}

/** One task of ours, and what it said it knows. */
class Peer {
  readonly #get: (path: string, limit: number) => Promise<string | undefined>;
  #listed: ReadonlySet<string> = new Set();
  /** By token, for as long as it is on the list. */
  readonly #answers = new Map<string, string>();
  /** Asked since the last listing, with or without success: each token is asked for once. */
  readonly #asked = new Map<string, Promise<string | undefined>>();
  #listing: Promise<void> | undefined;
  #nextListing: Promise<void> | undefined;
  #listedAt = -Infinity;

  constructor(get: (path: string, limit: number) => Promise<string | undefined>) {
    this.#get = get;
  }

  async answerTo(token: string, mayWait: boolean): Promise<string | undefined> {
    if (mayWait && !this.#answers.has(token)) await this.#relisted();
    return this.#answers.get(token) ?? (this.#listed.has(digestOf(token)) ? this.#askOnce(token) : undefined);
  }

  #askOnce(token: string): Promise<string | undefined> {
    const asked = this.#asked.get(token) ?? this.#ask(token);
    this.#asked.set(token, asked);
    return asked;
  }

  async #ask(token: string): Promise<string | undefined> {
    const text = await this.#get(`${PEER_TOKEN_PATH}/${token}`, ANSWER_BYTES);
    if (text === undefined || !isAnswerTo(token, text)) return undefined;
    this.#answers.set(token, text);
    return text;
  }

  /** Resolves after a listing that begins from here on: one under way may lack what is published by now. */
  #relisted(): Promise<void> {
    this.#nextListing ??= this.#listAgain();
    return this.#nextListing;
  }

  async #listAgain(): Promise<void> {
    await this.#listing;
    await pause(Math.max(0, this.#listedAt + LIST_EVERY_MS - performance.now()), NEVER);
    this.#nextListing = undefined; // whoever comes from here on waits for the one after
    this.#listedAt = performance.now();
    this.#listing = this.#list();
    await this.#listing;
  }

  /** A peer that cannot be asked just now, or is dying, keeps what it said: the CA may be on its way. */
  async #list(): Promise<void> {
    const text = await this.#get(PEER_LIST_PATH, LIST_BYTES);
    if (text === undefined) return;
    this.#listed = new Set(text.split('\n').filter((line) => DIGEST.test(line)));
    this.#asked.clear();
    for (const token of this.#answers.keys()) if (!this.#listed.has(digestOf(token))) this.#answers.delete(token);
  }
}

/** A quarter of a second at most: not worth an abort. */
const NEVER = new AbortController().signal;

/** At most so many at once; the others wait for their turn in the order in which they came. */
class Turns {
  #free: number;
  readonly #queue: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((go) => this.#queue.push(go));
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free += 1;
      else next(); // its turn, without a gap
    }
  }
}

async function firstKnown(answers: readonly Promise<string | undefined>[]): Promise<string | undefined> {
  const known = answers.map(async (answer) => (await answer) ?? Promise.reject(new Error('not known')));
  return Promise.any(known).catch(() => undefined);
}

/** The key authorization for this token (RFC 8555 §8.1), or the answer to a probe of ours: nothing else is passed on. */
function isAnswerTo(token: string, text: string): boolean {
  const proof = text.startsWith(`${token}.`) ? text.slice(token.length + 1) : text;
  return proof !== token && /^[A-Za-z0-9_-]{43}$/.test(proof);
}

/** By the definition and not by our own setting: it is the peers' that counts. */
function challengePort({ env }: App): number {
  const said = typeof env.HTTP_PORT === 'string' ? Number(env.HTTP_PORT) : Number.NaN;
  return Number.isInteger(said) && said > 0 && said < 65_536 ? said : USUAL_PORT;
}

interface Where {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** The body of a 200, if it is no longer than this. Redirects are not followed. */
async function get(where: Where, limit: number, signal: AbortSignal): Promise<string | undefined> {
  const response = await responseTo(http.get({ ...where, agent: false, signal }), signal);
  if (response.statusCode !== 200) return void response.destroy();
  return (await bodyOf(response, limit))?.toString('latin1');
}
