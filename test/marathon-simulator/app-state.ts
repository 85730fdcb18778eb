/** One app as the cluster keeps it: definition, versions, what waits in the launch queue, back-off, volumes. */
import { REASONS, type Reason } from './agents.ts';
import type { AppDefinition, VersionInfo } from './model.ts';
import type { Traits } from './profiles.ts';
import type { Task } from './task.ts';

export interface Snapshot {
  readonly definition: AppDefinition;
  readonly version: string;
  readonly versionInfo: VersionInfo;
}

export interface LastTaskFailure {
  readonly appId: string;
  readonly host: string;
  readonly message: string;
  readonly state: string;
  readonly taskId: string;
  readonly timestamp: string;
  readonly version: string;
  readonly slaveId?: string;
}

/** A persistent volume on an agent, taken by a task or free for the next one. */
export interface Reservation {
  readonly host: string;
  readonly number: number;
  taskId: string | undefined;
}

export interface UnusedOffer {
  readonly agentId: string;
  readonly host: string;
  readonly taken: readonly number[];
  readonly role: string;
  readonly reason: Reason;
  readonly timestamp: string;
}

/** What waits for an offer, and how the offers so far were declined. */
export class LaunchQueue {
  count = 0;
  since = '';
  /** Of the configuration that waits. */
  version = '';
  processed = 0;
  unused = 0;
  lastUnusedAt: string | undefined;
  readonly lastOffers = new Map<string, UnusedOffer>();
  readonly declined = new Map<Reason, number>();

  want(count: number, version: string, since: string): void {
    if (count > 0 && (this.count === 0 || this.version !== version)) this.reset(since);
    this.count = count;
    this.version = version;
  }

  reset(since: string): void {
    this.since = since;
    this.processed = 0;
    this.unused = 0;
    this.lastUnusedAt = undefined;
    this.lastOffers.clear();
    this.declined.clear();
  }

  decline(offer: UnusedOffer): void {
    this.processed += 1;
    this.unused += 1;
    this.lastUnusedAt = offer.timestamp;
    this.lastOffers.set(offer.agentId, offer);
    this.declined.set(offer.reason, (this.declined.get(offer.reason) ?? 0) + 1);
  }

  /** The funnel: each reason sees only the offers that came through those before it. */
  summary(which: 'last' | 'all'): readonly { reason: Reason; declined: number; processed: number }[] {
    const last = [...this.lastOffers.values()];
    let left = which === 'last' ? last.length : this.processed;
    return REASONS.map((reason) => {
      const declined =
        which === 'last' ? last.filter((offer) => offer.reason === reason).length : (this.declined.get(reason) ?? 0);
      const processed = left;
      left -= declined;
      return { reason, declined, processed };
    });
  }
}

export class AppState {
  readonly id: string;
  readonly traits: Traits;
  current: Snapshot;
  history: Snapshot[];
  readonly queue = new LaunchQueue();
  /** Grows with each failure of the same configuration. */
  backoff: { delaySeconds: number; until: number } | undefined;
  lastTaskFailure: LastTaskFailure | undefined;
  readonly reservations: Reservation[] = [];
  deleted = false;

  constructor(first: Snapshot, traits: Traits) {
    this.traits = traits;
    this.id = first.definition.id;
    this.current = first;
    this.history = [first];
  }

  get definition(): AppDefinition {
    return this.current.definition;
  }

  /** How many tasks there should be. */
  get target(): number {
    return this.deleted ? 0 : this.definition.instances;
  }

  update(next: Snapshot, kept: number): void {
    const reconfigured = next.versionInfo.lastConfigChangeAt !== this.current.versionInfo.lastConfigChangeAt;
    if (reconfigured) this.backoff = undefined;
    this.current = next;
    this.history = [...this.history, next].slice(-kept);
  }

  get queueIsOld(): boolean {
    return (
      this.queue.count > 0 && Date.parse(this.queue.version) < Date.parse(this.current.versionInfo.lastConfigChangeAt)
    );
  }

  /** Marathon's TaskStatsByVersion: runs the latest configuration. Scaling alone does not make a task old. */
  isCurrent(task: Task): boolean {
    return Date.parse(task.version) >= Date.parse(this.current.versionInfo.lastConfigChangeAt);
  }
}
