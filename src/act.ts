/**
 * What a plan asks to be done: an order at the CA, a PUT to Marathon, a certificate kept in the state folder.
 *
 * Nothing is decided and nothing is repeated here. A failure becomes data, which the next plan reads: an order's in the
 * ledger, a PUT's in `failedInstall`. The order runs beside the loop, which goes on looking; there is one at a time.
 */
import type { Challenges } from './acme/challenges.ts';
import { obtain } from './acme/order.ts';
import { AcmeError } from './acme/problem.ts';
import type { Authority } from './acme/transport.ts';
import { withFailure, withInstalled, withoutFailures, withPosted, withReplacement } from './certificates/ledger.ts';
import type { Log } from './log.ts';
import type { MarathonClient } from './marathon/client.ts';
import { MarathonError } from './marathon/error.ts';
import type { FailedInstall, Observation, RunningOrder } from './plan/observation.ts';
import type { Action } from './plan/verdict.ts';
import type { Store } from './store.ts';

export interface Tools {
  readonly directoryUrl: string;
  readonly marathon: MarathonClient;
  readonly store: Store;
  readonly challenges: Challenges;
  /** Opened when the first order needs it: what it loads is heavy, and most days need none. */
  readonly authority: () => Promise<Authority>;
  readonly log: Log;
  readonly wake: () => void;
}

type Issue = Extract<Action, { kind: 'issue' }>;
type Install = Extract<Action, { kind: 'install' }>;

export class Actions {
  readonly #tools: Tools;
  #order: (RunningOrder & { readonly ended: Promise<void> }) | undefined;
  #failedInstall: FailedInstall | undefined;

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** The order under way, if there is one. */
  get order(): RunningOrder | undefined {
    return this.#order;
  }

  /** The last PUT, if Marathon did not take it. */
  get failedInstall(): FailedInstall | undefined {
    return this.#failedInstall;
  }

  /** Does what was planned; an order is only started. */
  async carryOut(action: Action, seen: Observation, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'adopt':
        await this.#tools.store.saveBundle(action.bundle, this.#tools.directoryUrl);
        this.#tools.log.info(
          { domains: action.bundle.domains, notAfter: action.bundle.notAfter },
          'certificate adopted',
        );
        return;
      case 'issue':
        return this.#startOrder(action, signal);
      case 'install':
        return this.#install(action, seen, signal);
    }
  }

  /** Resolves when no order is under way any more. */
  async idle(): Promise<void> {
    await this.#order?.ended;
  }

  #startOrder(action: Issue, signal: AbortSignal): void {
    if (this.#order !== undefined) return;
    const running = { startedAt: new Date(), domains: action.spec.domains, progress: undefined };
    this.#order = { ...running, ended: this.#runOrder(action, signal) };
  }

  async #runOrder(action: Issue, signal: AbortSignal): Promise<void> {
    try {
      await this.#obtain(action, signal);
    } catch (error) {
      if (!signal.aborted) await this.#orderFailed(action, error as Error);
    } finally {
      this.#order = undefined;
      this.#tools.wake();
    }
  }

  async #obtain({ spec, resume }: Issue, signal: AbortSignal): Promise<void> {
    const { store, challenges, directoryUrl, log } = this.#tools;
    const startedAt = Date.now();
    log.info({ domains: spec.domains, resumed: resume !== undefined }, 'order started');
    const authority = await this.#tools.authority();
    const bundle = await obtain(spec, resume, {
      authority,
      challenges,
      journal: store,
      onProgress: (progress) => {
        if (this.#order !== undefined) this.#order = { ...this.#order, progress };
      },
      signal,
    });
    await store.saveBundle(bundle, directoryUrl);
    await store.changeLedger((ledger) => withInstalled(withoutFailures(ledger), bundle.fingerprint));
    const { domains, notAfter, fingerprint } = bundle;
    log.info({ domains, notAfter, fingerprint, tookMs: Date.now() - startedAt }, 'certificate issued');
  }

  async #orderFailed({ spec }: Issue, error: Error): Promise<void> {
    const { store, log } = this.#tools;
    const retryAfter = error instanceof AcmeError ? error.retryAfter : undefined;
    const failure = { at: new Date(), problem: error.message, retryAfter, names: spec.domains };
    log.warn({ domains: spec.domains, err: error }, 'order failed');
    await store
      .changeLedger((ledger) => withFailure(ledger, failure))
      .catch((problem: Error) => {
        log.error({ err: problem }, 'ledger not saved');
      });
  }

  async #install(action: Install, seen: Observation, signal: AbortSignal): Promise<void> {
    const { marathon, store, log } = this.#tools;
    if (!seen.loadBalancer.ok) return;
    const { bundle, slots, replacement } = action;
    if (replacement !== undefined) {
      log.warn({ slot: replacement.slot, fingerprint: replacement.fingerprint }, 'certificate was replaced');
      await store.changeLedger((ledger) => withReplacement(ledger, replacement));
    }
    try {
      // Read once more, just before: Marathon knows no If-Match, and the whole environment is written back.
      const fresh = await marathon.app(seen.loadBalancer.value.id, signal);
      if (fresh.version !== seen.loadBalancer.value.version || fresh.deployments.length > 0) return this.#tools.wake();
      const changes = Object.fromEntries(slots.map((slot) => [slot, bundle.pem]));
      const { deploymentId } = await marathon.putEnv(fresh, changes, signal);
      this.#failedInstall = undefined;
      log.info({ slots, deploymentId, fingerprint: bundle.fingerprint }, 'certificate posted');
      await store.changeLedger((ledger) => withPosted(ledger, slots, bundle.fingerprint));
    } catch (error) {
      signal.throwIfAborted();
      this.#installFailed(bundle.fingerprint, error as Error);
    }
    this.#tools.wake(); // look at once what became of it
  }

  #installFailed(fingerprint: string, error: Error): void {
    const before = this.#failedInstall?.fingerprint === fingerprint ? this.#failedInstall.count : 0;
    const retryable = !(error instanceof MarathonError) || error.retryable;
    this.#failedInstall = { at: new Date(), fingerprint, problem: error.message, retryable, count: before + 1 };
    this.#tools.log.warn({ err: error, attempt: before + 1 }, 'certificate not posted');
  }
}
