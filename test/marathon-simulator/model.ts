/**
 * What a Marathon knows: definitions, tasks and agents, in one canonical shape.
 *
 * Whatever spelling came in (0.15's `ports` and `docker.network`, 1.5's `networks`), inside it is the shape of
 * Marathon 1.5 and later; `read-definition.ts` translates on the way in, `render.ts` on the way out.
 */

export type EnvValue = string | { readonly secret: string };
export type NetworkMode = 'host' | 'container/bridge' | 'container';

export interface Network {
  readonly mode: NetworkMode;
  readonly name?: string;
}

export interface PortMapping {
  readonly containerPort: number;
  /** 0: any free one of the agent. Absent (container networks only): not reachable through the agent. */
  readonly hostPort?: number;
  readonly servicePort: number;
  readonly protocol: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface PortDefinition {
  readonly port: number;
  readonly protocol: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Volume {
  readonly containerPath: string;
  readonly mode: 'RW' | 'RO';
  readonly hostPath?: string;
  readonly persistent?: { readonly size: number; readonly type?: string };
  readonly external?: { readonly name?: string; readonly provider?: string; readonly options?: unknown };
}

export interface Container {
  readonly type: 'DOCKER' | 'MESOS';
  readonly docker?: {
    readonly image: string;
    readonly privileged?: boolean;
    readonly forcePullImage?: boolean;
    readonly parameters?: readonly { readonly key: string; readonly value: string }[];
  };
  readonly portMappings?: readonly PortMapping[];
  readonly volumes: readonly Volume[];
}

export interface HealthCheck {
  readonly protocol: string;
  readonly path?: string;
  readonly port?: number;
  readonly portIndex?: number;
  readonly command?: { readonly value: string };
  readonly gracePeriodSeconds: number;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly maxConsecutiveFailures: number;
  readonly delaySeconds: number;
  readonly ignoreHttp1xx?: boolean;
  readonly ipProtocol?: string;
}

export interface ReadinessCheck {
  readonly name: string;
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly path: string;
  readonly portName: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly httpStatusCodesForReady: readonly number[];
  readonly preserveLastResponse: boolean;
}

export interface UpgradeStrategy {
  readonly minimumHealthCapacity: number;
  readonly maximumOverCapacity: number;
}

/** An app as it is stored, without version: two of these are compared to see whether a PUT changes anything. */
export interface AppDefinition {
  readonly id: string;
  readonly instances: number;
  readonly cpus: number;
  readonly mem: number;
  readonly disk: number;
  readonly gpus: number;
  readonly cmd?: string;
  readonly args?: readonly string[];
  readonly user?: string;
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly secrets: Readonly<Record<string, { readonly source: string }>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly networks: readonly Network[];
  readonly container?: Container;
  /** Host network only. */
  readonly portDefinitions: readonly PortDefinition[];
  readonly requirePorts: boolean;
  readonly healthChecks: readonly HealthCheck[];
  readonly readinessChecks: readonly ReadinessCheck[];
  readonly upgradeStrategy: UpgradeStrategy;
  readonly backoffSeconds: number;
  readonly backoffFactor: number;
  readonly maxLaunchDelaySeconds: number;
  readonly taskKillGracePeriodSeconds?: number;
  readonly acceptedResourceRoles?: readonly string[];
  readonly role?: string;
  readonly constraints: readonly (readonly string[])[];
  readonly fetch: readonly { readonly uri: string }[];
  readonly dependencies: readonly string[];
  readonly executor: string;
  readonly killSelection: string;
  readonly unreachableStrategy: unknown;
  readonly residency?: unknown;
  readonly executorResources?: unknown;
  readonly resourceLimits?: unknown;
}

export interface VersionInfo {
  readonly lastScalingAt: string;
  readonly lastConfigChangeAt: string;
}

export type TaskState =
  | 'TASK_STAGING'
  | 'TASK_STARTING'
  | 'TASK_RUNNING'
  | 'TASK_KILLING'
  | 'TASK_KILLED'
  | 'TASK_FAILED'
  | 'TASK_FINISHED';

export interface HealthResult {
  readonly alive: boolean;
  readonly consecutiveFailures: number;
  readonly firstSuccess?: string;
  readonly lastSuccess?: string;
  readonly lastFailure?: string;
  readonly lastFailureCause?: string;
}

/** One task as tests and executors see it. */
export interface SimTask {
  readonly id: string;
  readonly appId: string;
  readonly host: string;
  readonly ports: readonly number[];
  readonly state: TaskState;
  readonly version: string;
  readonly stagedAt: string;
  readonly startedAt: string | undefined;
  readonly endedAt: string | undefined;
  /** Undefined: no health check has answered yet, or the app has none. */
  readonly alive: boolean | undefined;
  readonly pid: number | undefined;
  readonly sandbox: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly message: string;
}

export interface AppWithTasks extends AppDefinition {
  /** Those that are staged, running or being killed, as Marathon lists them. */
  readonly tasks: readonly SimTask[];
}

export function onHostNetwork(app: AppDefinition): boolean {
  return app.networks.every(({ mode }) => mode === 'host');
}

export function mappings(app: AppDefinition): readonly PortMapping[] {
  return app.container?.portMappings ?? [];
}

/** What marathon-lb opens a front end for, by port index. */
export function servicePorts(app: AppDefinition): readonly number[] {
  return onHostNetwork(app)
    ? app.portDefinitions.map(({ port }) => port)
    : mappings(app).map(({ servicePort }) => servicePort);
}

export function imageOf(app: AppDefinition): string | undefined {
  return app.container?.docker?.image;
}

export function persistentVolumes(app: AppDefinition): readonly Volume[] {
  return (app.container?.volumes ?? []).filter(({ persistent }) => persistent !== undefined);
}

export function isResident(app: AppDefinition): boolean {
  return persistentVolumes(app).length > 0;
}
