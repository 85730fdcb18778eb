/**
 * What has happened since the start, counted in one place: orders and how they ended, PUTs and how Marathon took them.
 *
 * Nothing is reported here by those who act: it is read from what each action left behind and from what the next look
 * found, so that a count can't differ from what the plan and the ledger say.
 */
import type { Scope } from '../certificates/ledger.ts';
import type { FailedInstall, Observation } from '../plan/observation.ts';
import type { Action } from '../plan/verdict.ts';

/** What an action leaves behind in memory. */
export interface Traces {
  readonly failedInstall: FailedInstall | undefined;
  readonly deploymentId: string | undefined;
}

export class Counts {
  orders = 0;
  readonly failedOrders: Record<Scope, number> = { name: 0, certificate: 0, account: 0, directory: 0 };
  readonly deployments = { install: 0, restore: 0 };
  putsRefused = 0;
  readonly unreadable = { self: 0, loadBalancer: 0 };
  /** When each failure that has been counted, or was there before us, happened. */
  #known: ReadonlySet<number> | undefined;

  /** One look; a failed order is in the ledger by then, all its failures at one moment. */
  looked({ self, loadBalancer, stored }: Observation): void {
    if (!self.ok) this.unreadable.self += 1;
    if (!loadBalancer.ok) this.unreadable.loadBalancer += 1;
    const scopes = new Map(stored.ledger.failures.map(({ at, scope }) => [at.getTime(), scope]));
    for (const [at, scope] of scopes)
      if (this.#known !== undefined && !this.#known.has(at)) this.failedOrders[scope] += 1;
    this.#known = new Set(scopes.keys());
  }

  /** One action, carried out; it may have come to nothing because the world had changed. */
  acted({ kind }: Action, before: Traces, after: Traces): void {
    if (kind === 'issue') this.orders += 1;
    if (kind !== 'install' && kind !== 'restore') return;
    if (after.failedInstall !== undefined && after.failedInstall !== before.failedInstall) this.putsRefused += 1;
    else if (after.deploymentId !== before.deploymentId) this.deployments[kind] += 1;
  }
}
