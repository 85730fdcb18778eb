/**
 * What was in marathon-lb's variables before our PUT: kept while nobody knows whether HAProxy starts with ours, and put
 * back when the plan says that it does not.
 *
 * It is written before the PUT, so that it outlives us; where it cannot be, the certificate is posted all the same.
 */
import { type Ledger, withBlocked } from './certificates/ledger.ts';
import type { Log } from './log.ts';
import type { App } from './marathon/app.ts';
import type { MarathonClient } from './marathon/client.ts';
import type { Action } from './plan/verdict.ts';
import type { KeptValues, Store } from './store.ts';

export interface RestoreTools {
  readonly marathon: Pick<MarathonClient, 'app' | 'putEnv'>;
  readonly store: Pick<Store, 'keepPrevious' | 'dropPrevious' | 'changeLedger'>;
  readonly log: Log;
}

type Restore = Extract<Action, { kind: 'restore' }>;

/** Before the PUT of `fingerprint`: what these variables hold now. Those that are not there come back as empty. */
export async function keepPrevious(
  { store, log }: RestoreTools,
  fresh: App,
  posting: { readonly slots: readonly string[]; readonly fingerprint: string },
): Promise<void> {
  const entries = posting.slots.map((slot) => [slot, fresh.env[slot] ?? ''] as const);
  const values = Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  await store
    .keepPrevious({ fingerprint: posting.fingerprint, values, at: new Date() })
    .catch((error: Error) =>
      log.warn(
        { err: error },
        'what is served now is not kept: should no load balancer start with the new one, it cannot be put back',
      ),
    );
}

/**
 * The values from before, by force, for the deployment of ours that never ends holds the lock. Gives its deployment; undefined:
 * somebody else has changed the load balancer meanwhile, and the next look tells.
 */
export async function putBack(
  { marathon, store, log }: RestoreTools,
  { fingerprint, slots }: Restore,
  { loadBalancer, kept }: { readonly loadBalancer: App; readonly kept: KeptValues },
  signal: AbortSignal,
): Promise<string | undefined> {
  const fresh = await marathon.app(loadBalancer.id, signal);
  if (fresh.version !== loadBalancer.version) return undefined;
  // First, so that it is never posted again, whatever becomes of us before the next line.
  await remember(store, log, (ledger) => withBlocked(ledger, fingerprint));
  const { deploymentId } = await marathon.putEnv(fresh, kept.values, signal, { force: true });
  log.warn({ slots, deploymentId, fingerprint }, 'certificate taken back');
  await remember(store, log, (ledger) => withoutPosted(ledger, slots));
  await store
    .dropPrevious()
    .catch((error: Error) =>
      log.error({ err: error }, 'what was put back is still kept: tried again at the next look'),
    );
  return deploymentId;
}

/** What stands there now was not posted by us: nobody has replaced anything of ours. */
function withoutPosted(ledger: Ledger, slots: readonly string[]): Ledger {
  const posted = Object.entries(ledger.posted).filter(([slot]) => !slots.includes(slot));
  return { ...ledger, posted: Object.fromEntries(posted) };
}

async function remember(store: RestoreTools['store'], log: Log, change: (ledger: Ledger) => Ledger): Promise<void> {
  await store
    .changeLedger(change)
    .catch((error: Error) => log.error({ err: error }, 'what was done could not be noted in the state folder'));
}
