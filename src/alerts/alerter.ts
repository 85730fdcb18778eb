/**
 * Tells the webhook what is due, beside the loop, which never waits for it.
 *
 * It is handed each plan, looks what is due, and posts one alert at a time; one that is not taken is due again later,
 * each time after a longer pause. Only the leader tells: followers see the same and would double it.
 */
import type { Log } from '../log.ts';
import { pause } from '../pause.ts';
import type { Plan } from '../plan/plan.ts';
import { judge, type Memory, resumed, told } from './judgement.ts';
import type { MemoryFile } from './memory-file.ts';
import type { Alert } from './sentences.ts';
import type { WebhookError } from './webhook.ts';

export interface AlerterTools {
  readonly send: (alert: Alert, signal: AbortSignal) => Promise<void>;
  readonly file: Pick<MemoryFile, 'load' | 'save'>;
  readonly log: Log;
  /** The pause after the first failure; it is doubled with each further one, up to the longest. */
  readonly backoffMs?: { readonly first: number; readonly longest: number };
}

const BACKOFF_MS = { first: 10_000, longest: 15 * 60_000 };
/** A Retry-After beyond this would lose the day. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;
const REPORT = 'it goes on by itself; this should not happen, so please report it with this line';
/** Plans wake it; nothing else has to. */
const UNTIL_WOKEN_MS = 24 * 3_600_000;

export class Alerter {
  readonly #tools: AlerterTools;
  #planned: Plan | undefined;
  #memory: Memory = {};
  /** Whether `#memory` is what this leader goes by; another one may have told things meanwhile. */
  #isLoaded = false;
  #saved = '';
  #woken = new AbortController();
  #failures = 0;
  #nextTryAt = 0;
  #figures = { sent: 0, failed: 0, waiting: 0 };

  constructor(tools: AlerterTools) {
    this.#tools = tools;
  }

  get figures(): { readonly sent: number; readonly failed: number; readonly waiting: number } {
    return this.#figures;
  }

  /** Returns at once. */
  note(planned: Plan): void {
    this.#planned = planned;
    this.#woken.abort();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#woken = new AbortController(); // a plan that comes from here on ends the pause below
      const waitMs = await this.#turn(signal).catch((error: Error) => {
        this.#tools.log.error({ err: error, cure: REPORT }, 'alerts failed'); // none should, and the loop must not end for it
        return BACKOFF_MS.longest;
      });
      await pause(waitMs, AbortSignal.any([signal, this.#woken.signal]));
    }
  }

  /** Returns for how long there is nothing to do. */
  async #turn(signal: AbortSignal): Promise<number> {
    const planned = this.#planned;
    if (planned === undefined || !planned.leader.isUs) return this.#rest();
    if (!this.#isLoaded) await this.#load(planned.at);
    const { memory, due } = judge(this.#memory, planned);
    this.#memory = memory;
    this.#figures = { ...this.#figures, waiting: due.length };
    // Not always the first: one that is refused for what it says must not hold up the others.
    const alert = due[this.#failures % due.length];
    const restMs = alert === undefined ? UNTIL_WOKEN_MS : this.#nextTryAt - performance.now();
    // A disk may be slow: what is to be told goes first.
    const waitMs = alert === undefined || restMs > 0 ? restMs : await this.#send(alert, signal);
    await this.#save();
    return waitMs;
  }

  async #load(now: Date): Promise<void> {
    const kept = await this.#tools.file.load();
    this.#memory = resumed(kept ?? this.#memory, now);
    this.#saved = JSON.stringify(kept ?? {});
    this.#isLoaded = true;
  }

  #rest(): number {
    this.#isLoaded = false;
    this.#figures = { ...this.#figures, waiting: 0 };
    return UNTIL_WOKEN_MS;
  }

  async #send(alert: Alert, signal: AbortSignal): Promise<number> {
    const { kind, status, names } = alert;
    try {
      await this.#tools.send(alert, signal);
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(alert, error as WebhookError);
    }
    this.#failures = 0;
    this.#figures = { ...this.#figures, sent: this.#figures.sent + 1 };
    this.#tools.log.info({ alert: kind, status, names }, 'alert sent');
    this.#memory = told(this.#memory, alert);
    return 0;
  }

  #failed({ kind, status }: Alert, error: WebhookError): number {
    const { first, longest } = this.#tools.backoffMs ?? BACKOFF_MS;
    const usualMs = Math.min(first * 2 ** this.#failures, longest);
    const waitMs = Math.max(usualMs, Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS));
    this.#failures += 1;
    this.#nextTryAt = performance.now() + waitMs;
    this.#figures = { ...this.#figures, failed: this.#figures.failed + 1 };
    // The first of a row is worth an operator's eye; the others are in the metrics.
    const level = this.#failures === 1 ? 'warn' : 'debug';
    this.#tools.log[level]({ alert: kind, status, err: error, attempt: this.#failures, waitMs }, 'alert not sent');
    return waitMs;
  }

  async #save(): Promise<void> {
    const text = JSON.stringify(this.#memory);
    if (text === this.#saved) return;
    await this.#tools.file.save(this.#memory).then(
      () => {
        this.#saved = text;
      },
      (error: Error) => this.#tools.log.debug({ err: error }, 'alerts not saved'),
    );
  }
}
