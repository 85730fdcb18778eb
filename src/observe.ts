/**
 * One look at the world: our own app and marathon-lb as Marathon shows them, the state folder, and, when the planner
 * asks for it, the routes, the wire and the launch queue.
 *
 * It sees and remembers when it saw; it decides nothing. What cannot be seen is in the observation as a sentence.
 */

import type { PreflightLook } from './acme/preflight.ts';
import type { Actions } from './act.ts';
import { isPublicCa } from './certificates/authority.ts';
import { wantedNames } from './certificates/spec.ts';
import type { Config } from './config.ts';
import { FailedLaunches } from './launches.ts';
import { type App, hostPort, isSettled } from './marathon/app.ts';
import type { MarathonClient } from './marathon/client.ts';
import { groupsOf } from './marathon/load-balancer.ts';
import type { NeighboursSeen, Observation, PreflightSeen, RoutesSeen, Seen, WireSeen } from './plan/observation.ts';
import type { Plan } from './plan/plan.ts';
import type { Look } from './plan/verdict.ts';
import type { LoadBalancerInstance, RouteLook } from './route.ts';
import type { Endpoint, ServedLook } from './served.ts';
import type { Store } from './store.ts';

export interface Senses {
  readonly config: Config;
  readonly marathon: Pick<MarathonClient, 'app' | 'deployments' | 'queue' | 'pastLabels' | 'neighbours'>;
  readonly store: Pick<Store, 'read'>;
  readonly actions: Pick<Actions, 'order' | 'failedInstall' | 'deploymentId' | 'renewAskedAt'>;
  /** What answers on the challenge path through each load balancer instance. */
  readonly routes: (
    instances: readonly LoadBalancerInstance[],
    domains: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly RouteLook[]>;
  /** What answers there as the CA would ask, and whether CAA lets it issue. */
  readonly preflight: (
    domains: readonly string[],
    signal: AbortSignal,
    loadBalancerHosts: readonly string[],
  ) => Promise<readonly PreflightLook[]>;
  /** Which certificate each endpoint serves for each name; `expected` is the leaf's SHA-256. */
  readonly wire: (
    endpoints: readonly Endpoint[],
    domains: readonly string[],
    expected: string,
    signal: AbortSignal,
  ) => Promise<readonly ServedLook[]>;
}

/** Clocks are corrected by less every day. */
const CLOCK_SLIP_MS = 60_000;

export class Observer {
  readonly #senses: Senses;
  #routes: RoutesSeen | undefined;
  /** The same, but never forgotten: how long a route has been waited for outlives a look at everything anew. */
  #lastRoutes: RoutesSeen | undefined;
  #preflight: readonly PreflightSeen[] = [];
  /** How often; a look that was under way then is not what was asked for. */
  #forgotten = 0;
  #wire: WireSeen | undefined;
  #unsettledSince: Date | undefined;
  #lookedAt = new Date(0);
  #endedDeployment: string | undefined;
  #pastNames: readonly string[] | undefined;
  #neighbours: NeighboursSeen | undefined;
  readonly #launches = new FailedLaunches();

  constructor(senses: Senses) {
    this.#senses = senses;
  }

  /** Everything that is cheap to look at: our app and marathon-lb in Marathon, the deployment we began, the state folder. */
  async look(signal: AbortSignal): Promise<Observation> {
    const { config, marathon, store, actions } = this.#senses;
    // Before the folder is read: an order that ends in between must not look as if there were neither order nor result.
    const { order } = actions;
    const [self, loadBalancer, stored] = await Promise.all([
      seen(() => marathon.app(config.appId, signal), signal),
      seen(() => marathon.app(config.loadBalancer.id, signal), signal),
      store.read(),
    ]);
    const ourDeployment = await this.#listedDeployment(signal);
    const at = new Date();
    if (at.getTime() < this.#lookedAt.getTime() - CLOCK_SLIP_MS) this.#beginAnew();
    this.#lookedAt = at;
    this.#noteSettling(loadBalancer, ourDeployment, at);
    return {
      at,
      self,
      loadBalancer,
      stored,
      order,
      failedInstall: actions.failedInstall,
      renewAskedAt: actions.renewAskedAt,
      unsettledSince: this.#unsettledSince,
      routes: this.#routes,
      preflight: this.#preflight,
      wire: this.#wire,
      ourDeployment,
      pastNames: this.#pastNames,
      queue: undefined,
      failedLaunches: loadBalancer.ok ? this.#launches.note(loadBalancer.value) : [],
      neighbours: this.#neighbours,
    };
  }

  /** The looks that the plan asks for, added to the observation it was made from. */
  async lookCloser(seenSoFar: Observation, planned: Plan, signal: AbortSignal): Promise<Observation> {
    let closer = seenSoFar;
    for (const look of planned.looks) closer = await this.#closer(look, closer, planned, signal);
    return closer;
  }

  /** Forgets what the expensive looks saw, so that the next pass makes them anew. */
  forget(): void {
    this.#routes = undefined;
    this.#forgotten += 1;
    // Since when a name has been failing is still true.
    this.#preflight = this.#preflight.map((one) => ({ ...one, at: new Date(0) }));
    this.#wire = undefined;
    this.#neighbours = undefined;
  }

  /** The clock was set back: what was seen later than now would be believed, or waited for, until its time comes again. */
  #beginAnew(): void {
    this.forget();
    this.#lastRoutes = undefined;
    this.#preflight = [];
    this.#unsettledSince = undefined;
  }

  async #closer(look: Look, before: Observation, planned: Plan, signal: AbortSignal): Promise<Observation> {
    if (!before.loadBalancer.ok) return before;
    const lb = before.loadBalancer.value;
    const { domains, toBeServed } = planned.certificate;
    switch (look) {
      case 'routes':
        this.#routes = await this.#lookAtRoutes(lb, domains, signal);
        return { ...before, at: this.#routes.at, routes: this.#routes };
      case 'preflight':
        this.#preflight = await this.#lookAhead(planned.preflightDue, domains, { lb, signal });
        return { ...before, at: new Date(), preflight: this.#preflight };
      case 'wire':
        if (toBeServed === undefined) return before;
        this.#wire = await this.#lookAtWire(lb, commonTo(domains, toBeServed.domains), toBeServed.fingerprint, signal);
        return { ...before, at: this.#wire.at, wire: this.#wire };
      case 'queue':
        return { ...before, queue: await seen(() => this.#senses.marathon.queue(signal), signal) };
      case 'past':
        this.#pastNames = await this.#lookAtPast(signal);
        return { ...before, pastNames: this.#pastNames };
      case 'neighbours': {
        const apps = await seen(() => this.#senses.marathon.neighbours(groupsOf(lb), signal), signal);
        this.#neighbours = { at: new Date(), apps };
        return { ...before, neighbours: this.#neighbours };
      }
    }
  }

  async #lookAtRoutes(lb: App, domains: readonly string[], signal: AbortSignal): Promise<RoutesSeen> {
    const looks = await this.#senses.routes(instancesOf(lb, this.#senses.config), domains, signal);
    const at = new Date();
    const isWaiting = looks.some(({ verdict }) => verdict.kind !== 'ours');
    const isSameWait = domains.every((name) => this.#lastRoutes?.looks.some(({ domain }) => domain === name));
    const since = isSameWait ? this.#lastRoutes?.waitingSince : undefined;
    const lackingSince = lacking(looks, this.#lastRoutes?.lackingSince ?? {}, at);
    this.#lastRoutes = { at, looks, waitingSince: isWaiting ? (since ?? at) : undefined, lackingSince };
    return this.#lastRoutes;
  }

  /** At these names anew; what is known of the others stays, and names that nobody wants any more are forgotten. */
  async #lookAhead(
    due: readonly string[],
    wanted: readonly string[],
    { lb, signal }: { lb: App; signal: AbortSignal },
  ) {
    const hosts = instancesOf(lb, this.#senses.config).map(({ host }) => host);
    const before = this.#forgotten;
    const looks = await this.#senses.preflight(due, signal, hosts);
    const at = new Date();
    const isOutdated = before !== this.#forgotten;
    const known = new Map(this.#preflight.map((one) => [one.domain, one]));
    for (const look of looks) {
      const followed = followUp(look, known.get(look.domain), at);
      known.set(look.domain, isOutdated ? { ...followed, at: new Date(0) } : followed);
    }
    return [...known.values()].filter(({ domain }) => wanted.includes(domain));
  }

  async #lookAtWire(lb: App, domains: readonly string[], expected: string, signal: AbortSignal): Promise<WireSeen> {
    const { config } = this.#senses;
    const tasks = instancesOf(lb, config).map(({ host, httpsPort, taskId }) => ({
      host,
      port: httpsPort,
      taskId,
    }));
    const { servedCheck } = config.loadBalancer;
    const endpoints = servedCheck === undefined ? tasks : [...tasks, { ...servedCheck, taskId: undefined }];
    const looks = await this.#senses.wire(endpoints, domains, expected, signal);
    const at = new Date();
    const isFailing = looks.length === 0 || looks.some(({ verdict }) => verdict.kind !== 'served');
    const since = this.#wire?.expected === expected ? this.#wire.failingSince : undefined;
    const failingSince = isFailing ? (since ?? at) : undefined;
    return { at, expected, loadBalancerVersion: lb.version, failingSince, looks };
  }

  /** Our deployment's id while Marathon lists it; asked no more once it was not listed. */
  async #listedDeployment(signal: AbortSignal): Promise<string | undefined> {
    const { marathon, actions } = this.#senses;
    const id = actions.deploymentId;
    if (id === undefined || id === this.#endedDeployment) return undefined;
    const deployments = await seen(() => marathon.deployments(signal), signal);
    if (deployments.ok && deployments.value.some((deployment) => deployment.id === id)) return id;
    if (deployments.ok) this.#endedDeployment = id;
    return undefined; // not to be had: the app itself tells as much
  }

  /** Without the right to see versions, or an old Marathon that forgot them, there is no past. */
  async #lookAtPast(signal: AbortSignal): Promise<readonly string[]> {
    const { marathon, config } = this.#senses;
    const labels = await seen(() => marathon.pastLabels(config.appId, signal), signal);
    const publicCa = isPublicCa(config.acme.directoryUrl);
    const past = labels.ok ? labels.value : [];
    return [...new Set(past.flatMap((one) => wantedNames({ labels: one, override: undefined, publicCa }).domains))];
  }

  /** Marathon does not say since when a deployment runs, and its clock need not be ours. */
  #noteSettling(loadBalancer: Seen<App>, ourDeployment: string | undefined, at: Date): void {
    if (!loadBalancer.ok) return; // not seen: neither settled nor newly unsettled
    const settled = isSettled(loadBalancer.value) && ourDeployment === undefined;
    this.#unsettledSince = settled ? undefined : (this.#unsettledSince ?? at);
  }
}

/** Marathon's refusal is something seen, too; only shutting down is not. */
async function seen<T>(look: () => Promise<T>, signal: AbortSignal): Promise<Seen<T>> {
  try {
    return { ok: true, value: await look() };
  } catch (error) {
    signal.throwIfAborted();
    return { ok: false, problem: (error as Error).message };
  }
}

/** A certificate may lack names that are wanted; those it cannot be asked for. */
function commonTo(wanted: readonly string[], issued: readonly string[]): readonly string[] {
  return wanted.filter((name) => issued.includes(name));
}

/** Each name for itself: one that has had no route for days says nothing of one that lost it a moment ago. */
function lacking(
  looks: readonly RouteLook[],
  before: RoutesSeen['lackingSince'],
  at: Date,
): RoutesSeen['lackingSince'] {
  const names = looks.filter(({ verdict }) => verdict.kind !== 'ours').map(({ domain }) => domain);
  return Object.fromEntries(names.map((name) => [name, before[name] ?? at]));
}

/** A verdict with its past: since when it has not been good, and when it last became so. */
function followUp(look: PreflightLook, before: PreflightSeen | undefined, at: Date): PreflightSeen {
  const isGood = look.verdict.kind === 'good';
  return {
    ...look,
    at,
    badSince: isGood ? undefined : (before?.badSince ?? at),
    recoveredAt: isGood && before?.badSince !== undefined ? at : before?.recoveredAt,
  };
}

/** The running tasks of marathon-lb, each with the host ports that its own port 80 and 443 became. */
export function instancesOf(lb: App, { loadBalancer }: Pick<Config, 'loadBalancer'>): readonly LoadBalancerInstance[] {
  return lb.tasks
    .filter(({ state }) => state === 'TASK_RUNNING')
    .map((task) => ({
      taskId: task.id,
      host: task.host,
      httpPort: hostPort(lb, task, loadBalancer.httpPort),
      httpsPort: hostPort(lb, task, loadBalancer.httpsPort),
    }));
}
