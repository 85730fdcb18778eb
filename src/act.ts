/**
 * What a plan asks to be done: an order at the CA, a PUT to Marathon, a certificate kept in the state folder.
 *
 * Nothing is decided and nothing is repeated here. A failure becomes data, which the next plan reads: an order's in the
 * ledger, a PUT's in `failedInstall`. The order runs beside the loop, which goes on looking; there is one at a time.
 */
import type { CertificateBundle } from './certificates/bundle.ts';
import { type Ledger, withoutHolds, withPosted, withReplacement } from './certificates/ledger.ts';
import { type IssueTools, issue, noteFailure } from './issue.ts';
import type { Log } from './log.ts';
import type { MarathonClient } from './marathon/client.ts';
import { MarathonError } from './marathon/error.ts';
import type { FailedInstall, Observation, RunningOrder } from './plan/observation.ts';
import type { Action } from './plan/verdict.ts';
import { keepPrevious, putBack } from './restore.ts';

export interface Tools extends Omit<IssueTools, 'onUnsaved'> {
  readonly marathon: Pick<MarathonClient, 'app' | 'putEnv'>;
  readonly log: Log;
  readonly wake: () => void;
}

type Issue = Extract<Action, { kind: 'issue' }>;
type Install = Extract<Action, { kind: 'install' }>;
type Restore = Extract<Action, { kind: 'restore' }>;

export class Actions {
  readonly #tools: Tools;
  #order: (RunningOrder & { readonly ended: Promise<void> }) | undefined;
  #failedInstall: FailedInstall | undefined;
  #deploymentId: string | undefined;
  #renewAskedAt: Date | undefined;

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

  /** The deployment that our last PUT began, as Marathon named it. */
  get deploymentId(): string | undefined {
    return this.#deploymentId;
  }

  /** Somebody may have granted a right or mended a setting: the next look need not wait. */
  forgetFailedInstall(): void {
    this.#failedInstall = undefined;
  }

  /** When a new certificate was asked for, until an order begins. */
  get renewAskedAt(): Date | undefined {
    return this.#renewAskedAt;
  }

  /** An operator wants what had failed tried at once. Throws when the state folder cannot be written. */
  async liftHolds(): Promise<void> {
    await this.#tools.store.changeLedger((ledger) => withoutHolds(ledger, this.#tools.directoryUrl));
  }

  askRenewal(): void {
    this.#renewAskedAt = new Date();
  }

  /** Does what was planned; an order is only started. */
  async carryOut(action: Action, seen: Observation, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'adopt':
        return this.#adopt(action.bundle);
      case 'issue':
        return this.#startOrder(action, signal);
      case 'install':
        return this.#install(action, seen, signal);
      case 'restore':
        return this.#restore(action, seen, signal);
      case 'forget':
        return this.#tools.store.dropPrevious().catch((error: Error) => {
          this.#tools.log.warn({ err: error }, 'what was served before is still kept: tried again at the next look');
        });
    }
  }

  /** Resolves when no order is under way any more. */
  async idle(): Promise<void> {
    await this.#order?.ended;
  }

  /** What cannot be kept is served all the same, and the folder's trouble is told by the next look. */
  async #adopt(bundle: CertificateBundle): Promise<void> {
    const { store, directoryUrl, log, wake } = this.#tools;
    const { domains, notAfter } = bundle;
    try {
      await store.saveBundle(bundle, directoryUrl);
      log.info({ domains, notAfter }, 'certificate adopted');
    } catch (error) {
      log.warn({ domains, err: error as Error }, 'certificate not adopted');
    }
    wake(); // what was kept is seen, and told, at the next look
  }

  #startOrder(action: Issue, signal: AbortSignal): void {
    if (this.#order !== undefined) return;
    this.#renewAskedAt = undefined;
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

  async #obtain(action: Issue, signal: AbortSignal): Promise<void> {
    const { log } = this.#tools;
    const startedAt = Date.now();
    log.info({ domains: action.spec.domains, resumed: action.resume !== undefined }, 'order started');
    const { domains, notAfter, fingerprint } = await issue(this.#issuing(), action, {
      onProgress: (progress) => {
        if (this.#order !== undefined) this.#order = { ...this.#order, progress };
      },
      signal,
    });
    log.info({ domains, notAfter, fingerprint, tookMs: Date.now() - startedAt }, 'certificate issued');
  }

  #issuing(): IssueTools {
    return { ...this.#tools, onUnsaved: (error) => this.#unsaved(error) };
  }

  async #orderFailed({ spec }: Issue, error: Error): Promise<void> {
    this.#tools.log.warn({ domains: spec.domains, err: error }, 'order failed');
    await noteFailure(this.#issuing(), spec, error);
  }

  /** What could not be written down is told; what has happened has happened all the same. */
  async #remember(change: (ledger: Ledger) => Ledger): Promise<void> {
    await this.#tools.store.changeLedger(change).catch((error: Error) => this.#unsaved(error));
  }

  #unsaved(error: Error): void {
    this.#tools.log.error({ err: error }, 'what was done could not be noted in the state folder');
  }

  async #install(action: Install, seen: Observation, signal: AbortSignal): Promise<void> {
    const { marathon, log } = this.#tools;
    if (!seen.loadBalancer.ok) return;
    const { bundle, slots, replacement } = action;
    const { fingerprint } = bundle;
    try {
      // Read once more, just before: Marathon knows no If-Match, and the whole environment is written back.
      const fresh = await marathon.app(seen.loadBalancer.value.id, signal);
      if (fresh.version !== seen.loadBalancer.value.version || fresh.deployments.length > 0) return this.#tools.wake();
      const changes = Object.fromEntries(slots.map((slot) => [slot, bundle.pem]));
      if (action.keep) await keepPrevious(this.#tools, fresh, { slots, fingerprint });
      const { deploymentId } = await marathon.putEnv(fresh, changes, signal);
      this.#failedInstall = undefined;
      this.#deploymentId = deploymentId;
      log.info({ slots, deploymentId, fingerprint, replaced: replacement?.fingerprint }, 'certificate posted');
      // A replacement counts when it has been answered: a PUT that failed in between must not count it twice.
      const noted = (ledger: Ledger) => (replacement === undefined ? ledger : withReplacement(ledger, replacement));
      await this.#remember((ledger) => withPosted(noted(ledger), slots, fingerprint));
    } catch (error) {
      signal.throwIfAborted();
      this.#installFailed(fingerprint, seen.loadBalancer.value.version, error as Error);
    }
    this.#tools.wake(); // look at once what became of it
  }

  async #restore(action: Restore, seen: Observation, signal: AbortSignal): Promise<void> {
    const { kept } = seen.stored;
    if (!seen.loadBalancer.ok || kept === undefined) return;
    const app = seen.loadBalancer.value;
    try {
      const id = await putBack(this.#tools, action, { loadBalancer: app, kept }, signal);
      this.#deploymentId = id ?? this.#deploymentId;
    } catch (error) {
      signal.throwIfAborted();
      this.#installFailed(action.fingerprint, app.version, error as Error);
    }
    this.#tools.wake();
  }

  #installFailed(fingerprint: string, loadBalancerVersion: string, error: Error): void {
    const before = this.#failedInstall?.fingerprint === fingerprint ? this.#failedInstall.count : 0;
    const retryable = !(error instanceof MarathonError) || error.retryable;
    const { message: problem } = error;
    const count = before + 1;
    this.#failedInstall = { at: new Date(), fingerprint, loadBalancerVersion, problem, retryable, count };
    this.#tools.log.warn({ err: error, attempt: count }, 'certificate not posted');
  }
}
