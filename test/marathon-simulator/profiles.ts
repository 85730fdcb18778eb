/**
 * The generations of Marathon that the simulator can be, and what is different about each.
 *
 * One row a generation: everything version-dependent asks this table and nothing else compares version numbers.
 * '1.9' stands for 1.9, '1.11' for 1.10 and later.
 */

export const PROFILES = ['0.15', '1.4', '1.5.0', '1.5', '1.9', '1.11'] as const;
export type Profile = (typeof PROFILES)[number];

export interface Traits {
  /** What GET /v2/info says. */
  readonly version: string;
  /** Up to 1.4: nulls and empty collections are written, `docker.network`, `ports`, `uris`; `networks` is not known. */
  readonly legacy: boolean;
  readonly secrets: boolean;
  /** 1.5.0 to 1.5.12 validate a partial update by itself: env with references needs `secrets` beside it. */
  readonly strictSecrets: boolean;
  readonly patch: boolean;
  readonly deploymentHeader: boolean;
  readonly wrongTypeStatus: 400 | 422;
  readonly unknownPathStatus: 404 | 500;
  readonly electionStatus: 502 | 503;
  readonly mesosHealthChecks: boolean;
  readonly persistentVolumes: boolean;
  readonly killGrace: boolean;
  readonly role: boolean;
  readonly resourceLimits: boolean;
  readonly offerSummaries: boolean;
  readonly instanceIds: boolean;
  readonly taskStates: boolean;
  readonly eventFilter: boolean;
  readonly instanceEvents: boolean;
  readonly lightPlans: 'never' | 'asked' | 'always';
  readonly failureReason: boolean;
  /** A refused PUT publishes deployment_failed with an id that nobody knows. */
  readonly refusalEvents: boolean;
  readonly tooManyDeployments: boolean;
  /** Which instances the rolling update counts as healthy at its start. */
  readonly counted: 'launched' | 'goal-running' | 'healthy';
  readonly redirectEvents: boolean;
  readonly versionsKept: number;
  readonly maxLaunchDelaySeconds: number;
}

const LATEST: Traits = {
  version: '1.11.24',
  legacy: false,
  secrets: true,
  strictSecrets: false,
  patch: true,
  deploymentHeader: true,
  wrongTypeStatus: 422,
  unknownPathStatus: 500,
  electionStatus: 502,
  mesosHealthChecks: true,
  persistentVolumes: true,
  killGrace: true,
  role: true,
  resourceLimits: true,
  offerSummaries: true,
  instanceIds: true,
  taskStates: true,
  eventFilter: true,
  instanceEvents: true,
  lightPlans: 'always',
  failureReason: true,
  refusalEvents: true,
  tooManyDeployments: true,
  counted: 'healthy',
  redirectEvents: true,
  versionsKept: 50,
  maxLaunchDelaySeconds: 300,
};

const V1_9: Traits = { ...LATEST, version: '1.9.109', resourceLimits: false, counted: 'goal-running' };

const V1_5: Traits = {
  ...V1_9,
  version: '1.5.15',
  unknownPathStatus: 404,
  electionStatus: 503,
  role: false,
  instanceIds: false,
  lightPlans: 'asked',
  failureReason: false,
  counted: 'launched',
  redirectEvents: false,
  maxLaunchDelaySeconds: 3600,
};

const V1_4: Traits = {
  ...V1_5,
  version: '1.4.13',
  legacy: true,
  wrongTypeStatus: 400,
  lightPlans: 'never',
  refusalEvents: false,
  tooManyDeployments: false,
};

const V0_15: Traits = {
  ...V1_4,
  version: '0.15.3',
  secrets: false,
  patch: false,
  deploymentHeader: false,
  mesosHealthChecks: false,
  persistentVolumes: false,
  killGrace: false,
  offerSummaries: false,
  taskStates: false,
  eventFilter: false,
  instanceEvents: false,
  versionsKept: 25,
};

const TRAITS: Readonly<Record<Profile, Traits>> = {
  '0.15': V0_15,
  '1.4': V1_4,
  '1.5.0': { ...V1_5, version: '1.5.0', strictSecrets: true, lightPlans: 'never', tooManyDeployments: false },
  '1.5': V1_5,
  '1.9': V1_9,
  '1.11': LATEST,
};

export function traitsOf(profile: Profile): Traits {
  return TRAITS[profile];
}
