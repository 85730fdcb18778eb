/**
 * The knobs: what this Marathon is made to do wrong, asked of the simulator and never patched into the client.
 *
 * Everything is off until a test turns it on; each knob says when it turns itself off again.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** What the launcher asks. */
export interface LaunchFaults {
  beforeStart(appId: string, signal: AbortSignal): Promise<void>;
  crashes(appId: string): boolean;
}

/** One request to go wrong. All that is not given is as it would have been. */
export interface FailNext {
  readonly method?: string;
  /** Start of the path after any prefix, e.g. `/v2/apps/marathon-lb`, or a pattern. */
  readonly path?: string | RegExp;
  /** How many requests; default 1. */
  readonly times?: number;
  readonly status?: number;
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The reply only: a change is made at once, and its events come before the reply. */
  readonly delayMs?: number;
  /** Cut the body after so many bytes and close the connection. */
  readonly truncateAt?: number;
  /** No answer at all: the connection is reset. */
  readonly reset?: boolean;
  /** The change is really made before the failure is shown. */
  readonly applied?: boolean;
  /** Called between arrival and handling: a foreign writer between the client's GET and its PUT. */
  readonly before?: () => void | Promise<void>;
}

export interface SseFaults {
  /** 200 and closed at once, without an event, for so many connects. */
  closeAtOnce: number;
  lineEnd: '\r\n' | '\n';
  /** Types that never arrive. */
  missing: readonly string[];
  /** Each event comes twice. */
  duplicate: boolean;
  heartbeatMs: number;
}

/** What some of the knobs turn at once, elsewhere in the simulator. */
export interface FaultHands {
  failover(): void;
  expireTokens(): void;
  closeStreams(): void;
  sendRaw(text: string): void;
}

export class Faults implements LaunchFaults {
  readonly #failures: { left: number; readonly what: FailNext }[] = [];
  readonly #hidden = new Set<string>();
  readonly #crashing = new Map<string, number>();
  readonly #neverHealthy = new Set<string>();
  readonly #startDelays = new Map<string, number>();
  readonly #lockedOtherwise = new Set<string>();
  readonly #hands: FaultHands;
  #electionAnswers = 0;
  /** GET /v2/deployments forgets deployments younger than this (<1.8). */
  listLagMs = 0;
  maxRunningDeployments = 100;
  readonly sse: SseFaults = { closeAtOnce: 0, lineEnd: '\r\n', missing: [], duplicate: false, heartbeatMs: 10_000 };

  constructor(hands: FaultHands) {
    this.#hands = hands;
  }

  failNext(what: FailNext): void {
    this.#failures.push({ left: what.times ?? 1, what });
  }

  /** The failure for this request, used up. */
  take(method: string, path: string): FailNext | undefined {
    const found = this.#failures.find(({ left, what }) => left > 0 && matches(what, method, path));
    if (!found) return undefined;
    found.left -= 1;
    return found.what;
  }

  /** The leader is gone: every connection closes, `electionAnswers` requests get an HTML error, then the plans go on. */
  leaderFailover(electionAnswers = 1): void {
    this.#electionAnswers = electionAnswers;
    this.#hands.failover();
  }

  /** True while nobody leads; counts the request. */
  electing(): boolean {
    if (this.#electionAnswers === 0) return false;
    this.#electionAnswers -= 1;
    return true;
  }

  /** The identity may not see this app: 404, and its deployments are not listed. */
  hide(appId: string, hidden = true): void {
    hidden ? this.#hidden.add(appId) : this.#hidden.delete(appId);
  }

  isHidden(appId: string): boolean {
    return this.#hidden.has(appId);
  }

  /** A lock without a deployment: 409 with an empty list. */
  lockWithoutDeployment(appId: string, locked = true): void {
    locked ? this.#lockedOtherwise.add(appId) : this.#lockedOtherwise.delete(appId);
  }

  isLockedOtherwise(appId: string): boolean {
    return this.#lockedOtherwise.has(appId);
  }

  /** The next `times` tasks of the app die as soon as they have started. */
  crashOnLaunch(appId: string, times = Number.POSITIVE_INFINITY): void {
    this.#crashing.set(appId, times);
  }

  crashes(appId: string): boolean {
    const left = this.#crashing.get(appId) ?? 0;
    if (left > 0) this.#crashing.set(appId, left - 1);
    return left > 0;
  }

  /** Health checks of the app fail whatever its tasks answer. */
  neverHealthy(appId: string, never = true): void {
    never ? this.#neverHealthy.add(appId) : this.#neverHealthy.delete(appId);
  }

  isNeverHealthy(appId: string): boolean {
    return this.#neverHealthy.has(appId);
  }

  /** Pulling the image takes that long. */
  delayStart(appId: string, delayMs: number): void {
    this.#startDelays.set(appId, delayMs);
  }

  async beforeStart(appId: string, signal: AbortSignal): Promise<void> {
    const delayMs = this.#startDelays.get(appId);
    if (delayMs) await sleep(delayMs, undefined, { signal });
  }

  /** Every token given out so far is refused from now on. */
  expireTokens(): void {
    this.#hands.expireTokens();
  }

  dropEventStreams(): void {
    this.#hands.closeStreams();
  }

  /** Bytes as they are to every event stream: garbage, a 10 MB line, half an event. */
  sendRawToEventStreams(text: string): void {
    this.#hands.sendRaw(text);
  }
}

function matches(what: FailNext, method: string, path: string): boolean {
  if (what.method !== undefined && what.method !== method) return false;
  if (what.path === undefined) return true;
  return typeof what.path === 'string' ? path.startsWith(what.path) : what.path.test(path);
}
