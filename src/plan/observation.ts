/**
 * What one look at the world found: everything the planner may know, and nothing it may do.
 *
 * A value, made by observe.ts and by rows of test/unit/plan*.test.ts. Whatever could not be seen is here as the
 * sentence that says why, so that the plan can repeat it.
 */
import type { OrderProgress } from '../acme/order.ts';
import type { PreflightVerdict } from '../acme/preflight.ts';
import type { KeyType } from '../certificates/spec.ts';
import type { InstallWindow } from '../install-window/window.ts';
import type { App } from '../marathon/app.ts';
import type { Neighbour, QueueItem } from '../marathon/client.ts';
import type { RouteLook } from '../route.ts';
import type { ServedLook } from '../served.ts';
import type { StoredState } from '../store.ts';

/** Something looked at over the network: seen, or the reason why not. */
export type Seen<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** What came back through the load balancer on the challenge path, for these names, at one moment. */
export interface RoutesSeen {
  readonly at: Date;
  /** Since when some name has had no route; the pace of looking again follows from it. */
  readonly waitingSince: Date | undefined;
  /** By name, since when it has had none. */
  readonly lackingSince: Readonly<Record<string, Date>>;
  readonly looks: readonly RouteLook[];
}

/** What the preflight of one name found, and since when. */
export interface PreflightSeen {
  readonly domain: string;
  readonly at: Date;
  readonly verdict: PreflightVerdict;
  /** Since when it has not been good. */
  readonly badSince: Date | undefined;
  /** When it last turned good after it had not been. */
  readonly recoveredAt: Date | undefined;
}

/** Which certificate each load balancer served over TLS, at one moment. */
export interface WireSeen {
  readonly at: Date;
  /** SHA-256 of the leaf that was expected. */
  readonly expected: string;
  /** The load balancer's version then: a later one has other tasks. */
  readonly loadBalancerVersion: string;
  /** Since when something else, or nothing, has been served. */
  readonly failingSince: Date | undefined;
  readonly looks: readonly ServedLook[];
}

/** A PUT that Marathon did not take. */
export interface FailedInstall {
  readonly at: Date;
  readonly fingerprint: string;
  /** marathon-lb's version then: after a change of it, Marathon may think otherwise. */
  readonly loadBalancerVersion: string;
  readonly problem: string;
  readonly retryable: boolean;
  /** How many in a row, this one included. */
  readonly count: number;
}

/** The order of this process that is under way, beside the loop. */
export interface RunningOrder {
  readonly startedAt: Date;
  readonly domains: readonly string[];
  readonly progress: OrderProgress | undefined;
}

/** The other apps that the load balancer takes, at one moment. */
export interface NeighboursSeen {
  readonly at: Date;
  readonly apps: Seen<readonly Neighbour[]>;
}

export interface Observation {
  readonly at: Date;
  readonly self: Seen<App>;
  readonly loadBalancer: Seen<App>;
  readonly stored: StoredState;
  readonly order: RunningOrder | undefined;
  readonly failedInstall: FailedInstall | undefined;
  /** Since when marathon-lb has been deploying, or short of current healthy tasks; undefined: it is settled. */
  readonly unsettledSince: Date | undefined;
  readonly routes: RoutesSeen | undefined;
  /** By name, as far as names were looked at. */
  readonly preflight: readonly PreflightSeen[];
  readonly wire: WireSeen | undefined;
  /** The deployment that our last PUT began, while Marathon still lists it. */
  readonly ourDeployment: string | undefined;
  /** Names that our own labels had in earlier versions of our app; undefined: not looked at. */
  readonly pastNames: readonly string[] | undefined;
  /** Marathon's launch queue; looked at only when a deployment has outlived its deadline. */
  readonly queue: Seen<readonly QueueItem[]> | undefined;
  /** Tasks of marathon-lb's present configuration that have failed, if it has never come up with it. */
  readonly failedLaunches: readonly string[];
  /** When an operator last asked for a new certificate, though none is due, and no order has begun since. */
  readonly renewAskedAt?: Date | undefined;
  /** Looked at before a PUT, where labels of other apps can hurt a load balancer that starts anew. */
  readonly neighbours: NeighboursSeen | undefined;
}

/** The settings that decisions depend on. */
export interface Policy {
  readonly appId: string;
  /** Our own task; undefined when started by hand: then we lead. */
  readonly taskId: string | undefined;
  readonly loadBalancerId: string;
  /** The first variable of marathon-lb that holds a certificate. */
  readonly certEnv: string;
  readonly directoryUrl: string;
  readonly domains: string | undefined;
  readonly keyType: KeyType;
  /** Whether names are tried from outside before the CA does: no, bad ones wait, or unknown ones too. */
  readonly preflight: 'auto' | 'strict' | 'off';
  /** Stands for the settings that an order is made with: what failed with others need not fail again. */
  readonly settingsMark: string;
  readonly takeOver: boolean;
  /** Whether what was served before is put back when no load balancer starts with ours. */
  readonly restore: boolean;
  readonly pause: boolean;
  /** The hours in which a redeploy may begin; undefined: all of them. */
  readonly installWindow: InstallWindow | undefined;
  readonly deploymentTimeoutMs: number;
}
