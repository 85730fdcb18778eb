/**
 * What the images of the cluster are here: our unmodified program, started as its container would start it.
 *
 * Docker and Mesos-DNS do three things for a container that a process of this machine has to be told instead. Each is
 * a variable, set over those that Marathon gives (the simulator's DIFFERENCES.md lists them):
 * - port mapping: LISTEN_ADDRESS is the agent's address, HTTP_PORT and ADMIN_PORT the host ports of their container ports;
 * - a volume, or the container's own file system where there is none: STATE_DIR;
 * - names under .mesos: MARATHON_URL.
 * The test app, which calls its visitors' names, gets a resolver as well: NODE_OPTIONS and NAMES_LEAD_TO.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Executor, type Launch, processExecutor } from '../marathon-simulator/executor.ts';
import { loadBalancerExecutor } from '../marathon-simulator/load-balancer/executor.ts';
import { mappings, onHostNetwork } from '../marathon-simulator/model.ts';

export const OUR_IMAGE = 'mesosphere/letsencrypt-dcos';
export const LOAD_BALANCER_IMAGE = 'mesosphere/marathon-lb';

/** The program as it stands in the source, or the bundle that `npm test` makes of it first: a third of the start's CPU. */
export const OUR_PROGRAM = [
  process.execPath,
  process.env.TEST_PROGRAM ?? fileURLToPath(new URL('../../src/main.ts', import.meta.url)),
];

export interface Images {
  readonly argv?: readonly string[];
  /** Where `marathon.mesos` and `master.mesos` lead; asked at each launch. */
  readonly marathonUrl: () => string;
  /** Where the names of visitors lead, as the test app sees it. */
  readonly visitorsAddress?: string;
  /** More for our processes: what a test wants of them beyond their definition. */
  readonly taskEnv?: (launch: Launch) => Readonly<Record<string, string>>;
  /** Instead of the usual load balancer. */
  readonly loadBalancer?: Executor;
}

export function images(options: Images): Readonly<Record<string, Executor>> {
  const ours = processExecutor({
    argv: options.argv ?? OUR_PROGRAM,
    extraEnv: (launch) => ({
      ...containerEnv(launch, options.marathonUrl()),
      ...resolver(launch, options.visitorsAddress),
      ...options.taskEnv?.(launch),
    }),
  });
  return { [OUR_IMAGE]: ours, [LOAD_BALANCER_IMAGE]: options.loadBalancer ?? loadBalancerExecutor() };
}

const HTTP_PORT = 80;
const ADMIN_PORT = 9000;
const STATE_DIR = '/etc/letsencrypt';

function containerEnv(launch: Launch, marathonUrl: string): Record<string, string> {
  return { ...portMapping(launch), ...fileSystem(launch), ...mesosDns(launch, marathonUrl) };
}

function portMapping({ app, env, host, ports }: Launch): Record<string, string> {
  if (onHostNetwork(app)) return { LISTEN_ADDRESS: host };
  const hostPort = (containerPort: number): string => {
    const index = mappings(app).findIndex((mapping) => mapping.containerPort === containerPort);
    return String(ports[index] ?? withinContainer());
  };
  return {
    LISTEN_ADDRESS: host,
    HTTP_PORT: hostPort(Number(env.HTTP_PORT || HTTP_PORT)),
    ADMIN_PORT: hostPort(Number(env.ADMIN_PORT || ADMIN_PORT)),
  };
}

/** A port that is not mapped is open within the container only; here it is one that nobody else takes. */
let unmapped = 0;
function withinContainer(): number {
  unmapped += 1;
  return 20_000 + (unmapped % 10_000);
}

function fileSystem({ env, sandbox, volumes }: Launch): Record<string, string> {
  const folder = env.STATE_DIR || STATE_DIR;
  return { STATE_DIR: volumes[folder] ?? join(sandbox, 'container', folder) };
}

function mesosDns({ env }: Launch, marathonUrl: string): Record<string, string> {
  const wanted = env.MARATHON_URL || 'http://marathon.mesos:8080';
  return URL.parse(wanted)?.hostname.endsWith('.mesos') ? { MARATHON_URL: marathonUrl } : {};
}

function resolver({ app }: Launch, address: string | undefined): Record<string, string> {
  if (address === undefined || !app.args?.includes('test-app')) return {};
  return { NODE_OPTIONS: `--import=${new URL('resolver.ts', import.meta.url)}`, NAMES_LEAD_TO: address };
}
