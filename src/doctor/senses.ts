/** What the doctor looks with: each sense is one look at the world, handed in. */
import type { DirectorySeen } from '../acme/identities.ts';
import type { PreflightParts } from '../acme/preflight.ts';
import type { Config } from '../config.ts';
import type { Instance } from '../instance/find.ts';
import type { Neighbour } from '../marathon/client.ts';
import type { Observation, Policy } from '../plan/observation.ts';
import type { Plan } from '../plan/plan.ts';
import type { LoadBalancerInstance, RouteLook } from '../route.ts';
import type { Endpoint, ServedLook } from '../served.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { MarathonInfo } from './marathon.ts';

/** A check. */
export type Work = () => Promise<readonly Diagnosis[]>;

export interface Glance {
  readonly seen: Observation;
  readonly policy: Policy;
  readonly planned: Plan;
}

export interface Senses {
  readonly config: Config;
  /** What the keeper would see of Marathon and of its folder. */
  readonly glance: (signal: AbortSignal) => Promise<Glance>;
  readonly marathonInfo: (signal: AbortSignal) => Promise<MarathonInfo & { readonly date: Date | undefined }>;
  readonly neighbours: (groups: readonly string[], signal: AbortSignal) => Promise<readonly Neighbour[]>;
  /** Throws NobodyAnswers. */
  readonly keeper: (signal: AbortSignal) => Promise<Instance>;
  readonly directory: (signal: AbortSignal) => Promise<DirectorySeen>;
  readonly routes: (
    instances: readonly LoadBalancerInstance[],
    names: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly RouteLook[]>;
  readonly preflight: (
    names: readonly string[],
    options: { readonly hosts: readonly string[]; readonly askedAs: string | undefined; readonly signal: AbortSignal },
  ) => Promise<readonly PreflightParts[]>;
  readonly served: (
    endpoints: readonly Endpoint[],
    names: readonly string[],
    expected: string,
    signal: AbortSignal,
  ) => Promise<readonly ServedLook[]>;
  /** Of the state folder's disk; undefined: there is no such folder. */
  readonly freeBytes: () => Promise<number | undefined>;
}
