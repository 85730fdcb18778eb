/**
 * What the labels of an app ask of marathon-lb: one RoutedService per service port that is enabled, in one of our
 * groups, and has a task that may be sent requests.
 *
 * As tolerant as the real one, and not more: a list of hosts is lower-cased and split at commas but not trimmed
 * (HAProxy swallows blanks, and refuses a line break). What it cannot read raises LeftOut, and the app is left out.
 */
import { type AppWithTasks, type HealthCheck, type SimTask, servicePorts } from '../model.ts';

/** Why an app gets no rules although its labels ask for some. */
export class LeftOut extends Error {
  override readonly name = 'LeftOut';
}

export interface Selection {
  /** marathon-lb's --group; '*' takes every app. */
  readonly groups: readonly string[];
  /** --strict-mode: only what says HAPROXY_{n}_ENABLED=true. */
  readonly strict: boolean;
  /** --health-check: a task of an app with health checks gets requests only while one of them says alive. */
  readonly healthCheck: boolean;
}

export interface Credentials {
  readonly realm: string;
  readonly user: string;
  readonly passwordHash: string;
}

export interface RoutedService {
  readonly appId: string;
  readonly index: number;
  readonly servicePort: number;
  /** Empty: the app has a backend but no rule on 80 and 443. */
  readonly hosts: readonly string[];
  readonly path: string | undefined;
  readonly weight: number;
  readonly redirectToHttps: boolean;
  readonly useHsts: boolean;
  readonly auth: Credentials | undefined;
  readonly healthCheck: HealthCheck | undefined;
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  /** The app's own templates: HAPROXY_{n}_NAME without HAPROXY_{n}_. */
  readonly own: Readonly<Record<string, string>>;
}

export function routedServices(app: AppWithTasks, selection: Selection): readonly RoutedService[] {
  const tasks = app.tasks.filter((task) => getsRequests(app, task, selection));
  return servicePorts(app).flatMap((servicePort, index) => {
    const own = labelsOf(app, index);
    const servers = tasks.flatMap(({ host, ports }) => {
      const port = ports[index];
      return port === undefined ? [] : [{ host, port }];
    });
    if (servers.length === 0 || !isSelected(app, own, selection)) return [];
    return [{ appId: app.id, index, servicePort, servers, healthCheck: checkOf(app, index), ...read(own), own }];
  });
}

function getsRequests(app: AppWithTasks, task: SimTask, { healthCheck }: Selection): boolean {
  if (task.state !== 'TASK_RUNNING') return false;
  return !healthCheck || app.healthChecks.length === 0 || task.alive === true;
}

function labelsOf(app: AppWithTasks, index: number): Readonly<Record<string, string>> {
  const prefix = `HAPROXY_${index}_`;
  const own = Object.entries(app.labels).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
}

function isSelected(app: AppWithTasks, own: Readonly<Record<string, string>>, selection: Selection): boolean {
  if (own.ENABLED === undefined ? selection.strict : !isTrue(own.ENABLED)) return false;
  if (selection.groups.includes('*')) return true;
  const groups = (own.GROUP ?? app.labels.HAPROXY_GROUP ?? '').split(',');
  return groups.some((group) => selection.groups.includes(group));
}

function read(own: Readonly<Record<string, string>>) {
  return {
    hosts: own.VHOST ? own.VHOST.toLowerCase().split(',') : [],
    path: own.PATH || undefined,
    weight: weightOf(own),
    redirectToHttps: isTrue(own.REDIRECT_TO_HTTPS),
    useHsts: isTrue(own.USE_HSTS),
    auth: own.AUTH ? credentials(own.AUTH) : undefined,
  };
}

/** A path makes it 1, so that it comes before the app that has the whole host; any weight but 0 stands. */
function weightOf(own: Readonly<Record<string, string>>): number {
  const weight = Number(own.BACKEND_WEIGHT ?? '0');
  if (!Number.isInteger(weight)) throw new LeftOut(`BACKEND_WEIGHT is not a whole number: ${own.BACKEND_WEIGHT}`);
  return weight === 0 && own.PATH ? 1 : weight;
}

function credentials(label: string): Credentials {
  const [realm, user, passwordHash] = label.split(':', 3);
  if (!realm || !user || !passwordHash) throw new LeftOut('AUTH is not realm:user:passwordHash');
  return { realm, user, passwordHash };
}

function checkOf(app: AppWithTasks, index: number): HealthCheck | undefined {
  return app.healthChecks.find(({ portIndex, port }) => port === undefined && (portIndex ?? 0) === index);
}

function isTrue(label: string | undefined): boolean {
  return ['true', 't', 'yes', 'y'].includes(label?.toLowerCase() ?? '');
}
