/**
 * The loop: observe, plan, act, sleep. One pass at a time, because there is one loop.
 *
 * A wake-up only says "look again", never what changed, so lost, doubled or late ones do no harm. Between passes there
 * is a pause, for our own deployment sends a storm of events. Sleeps are short and compare times, so that a clock that
 * jumps, a machine that was suspended, and timers that Node cannot hold (over 24 days) need no code of their own.
 */
import type { Log } from './log.ts';
import { pause } from './pause.ts';
import type { Observation } from './plan/observation.ts';
import type { Plan } from './plan/plan.ts';
import type { Action } from './plan/verdict.ts';

export interface Steps {
  observe(signal: AbortSignal): Promise<Observation>;
  /** The looks that the plan asked for. */
  lookCloser(seen: Observation, planned: Plan, signal: AbortSignal): Promise<Observation>;
  plan(seen: Observation): Plan;
  act(action: Action, seen: Observation, signal: AbortSignal): Promise<void>;
}

export interface Turns {
  readonly passes: number;
  /** Of them, those that threw. */
  readonly failedPasses: number;
  readonly lastPassMs: number | undefined;
}

const TICK_MS = 5 * 60_000;
/** A pass is a handful of calls with time-outs of their own; the loop is dead when it has not turned for this long. */
const DEADLINE_MS = 3 * TICK_MS;
/**
 * The pause after a pass that followed another, as a multiple of what it took: at 0.05 CPU the loop leaves room for the
 * listener. What comes when there was nothing to do is seen at once.
 */
const REST = 3;
const SHORTEST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** After a pass that threw, which none should. */
const AFTER_ERROR_MS = 30_000;
const REPORT = 'everything is looked at again in 30 s; this should not happen, so please report it with this line';
/** One look may lead to another: the routes, then the preflight, then the routes once more if that took its time. */
const LOOKS = 3;

export class Reconciler {
  readonly #steps: Steps;
  readonly #log: Log;
  readonly #onPlan: (planned: Plan) => void;
  #woken = new AbortController();
  #turnedAt = performance.now();
  #turns: Turns = { passes: 0, failedPasses: 0, lastPassMs: undefined };

  constructor(steps: Steps, log: Log, onPlan: (planned: Plan) => void) {
    this.#steps = steps;
    this.#log = log;
    this.#onPlan = onPlan;
  }

  /** Look again soon. Cheap, and safe to call at any time, from anywhere, any number of times. */
  wake(): void {
    this.#woken.abort();
  }

  /** Whether the loop still turns: what liveness means for Marathon's health check. */
  isAlive(): boolean {
    return performance.now() - this.#turnedAt < DEADLINE_MS;
  }

  /** What the loop has done so far, for the metrics. */
  get turns(): Turns {
    return this.#turns;
  }

  /** Runs until the signal aborts; then resolves when the pass in hand has ended. */
  async run(signal: AbortSignal): Promise<void> {
    let isRested = true;
    while (!signal.aborted) {
      const startedAt = performance.now();
      this.#woken = new AbortController(); // a wake-up from here on ends the sleep below
      const waitMs = await this.#pass(signal);
      const lastPassMs = performance.now() - startedAt;
      this.#turns = { ...this.#turns, passes: this.#turns.passes + 1, lastPassMs };
      await pause(isRested ? SHORTEST_PAUSE_MS : restAfter(lastPassMs), signal);
      isRested = await this.#sleep(waitMs, AbortSignal.any([signal, this.#woken.signal]));
    }
  }

  /** One pass; returns for how long nobody needs to look again. */
  async #pass(signal: AbortSignal): Promise<number> {
    try {
      return await this.#turn(signal);
    } catch (error) {
      if (!signal.aborted) this.#log.error({ err: error as Error, cure: REPORT }, 'pass failed');
      this.#turns = { ...this.#turns, failedPasses: this.#turns.failedPasses + 1 };
      return AFTER_ERROR_MS;
    }
  }

  /** Observe, plan, and do what the plan says. */
  async #turn(signal: AbortSignal): Promise<number> {
    let seen = await this.#steps.observe(signal);
    let planned = this.#steps.plan(seen);
    for (let looks = 0; planned.looks.length > 0 && looks < LOOKS; looks += 1) {
      seen = await this.#steps.lookCloser(seen, planned, signal);
      planned = this.#steps.plan(seen);
    }
    this.#onPlan(planned);
    for (const action of planned.actions) await this.#steps.act(action, seen, signal);
    return planned.checkAgainAt.getTime() - planned.at.getTime();
  }

  /**
   * By two clocks: one that is set back must not make a short sleep long, and a suspended machine must not oversleep.
   * Resolves with whether there was anything to wait for.
   */
  async #sleep(ms: number, wakeUp: AbortSignal): Promise<boolean> {
    const [steadyEnd, wallEnd] = [performance.now() + ms, Date.now() + ms];
    const left = (): number => Math.min(steadyEnd - performance.now(), wallEnd - Date.now());
    const isIdle = !wakeUp.aborted && left() > 0;
    this.#turnedAt = performance.now();
    while (!wakeUp.aborted && left() > 0) {
      await pause(Math.min(left(), TICK_MS), wakeUp);
      this.#turnedAt = performance.now();
    }
    return isIdle;
  }
}

function restAfter(passMs: number): number {
  return Math.min(Math.max(passMs * REST, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
}
