/**
 * Changing apps: versions, locks, force, rollback, and the list of deployments.
 *
 * As Marathon's GroupManager and DeploymentManagerActor: one app is changed by one deployment at a time; a change that
 * changes nothing gets an id and a version that nobody will ever see again.
 */
import { LOCKED, locked, tooManyDeployments } from './api-error.ts';
import { AppState, type Snapshot } from './app-state.ts';
import type { Cluster } from './cluster.ts';
import { isSame, isScaling, withServicePorts } from './definitions.ts';
import { Deployment, type Difference, type Step, scaleTo, stepsFrom } from './deployment.ts';
import { type AppDefinition, servicePorts } from './model.ts';
import { lightPlan, planFields } from './render-deployment.ts';
import type { Task } from './task.ts';

export interface ChangeResult {
  readonly version: string;
  readonly deploymentId: string;
}

export interface ChangeOptions {
  readonly force: boolean;
  /** A restart makes a new version although nothing differs. */
  readonly restart?: boolean;
}

export interface DeploymentHooks {
  readonly kill: (task: Task) => void;
  /** How many deployments may run at once; 0: a fault says "too many". */
  readonly limit: () => number;
  /** Held by something that is no deployment: ≤1.3 locked during kills and scalings with an empty list. */
  readonly lockedOtherwise: (appId: string) => boolean;
}

export class Deployments {
  readonly #cluster: Cluster;
  readonly #hooks: DeploymentHooks;
  readonly all: Deployment[] = [];

  constructor(cluster: Cluster, hooks: DeploymentHooks) {
    this.#cluster = cluster;
    this.#hooks = hooks;
  }

  running(appId?: string): readonly Deployment[] {
    return this.all.filter((one) => one.state === 'running' && (appId === undefined || one.appId === appId));
  }

  /** Creates, changes or (without `next`) deletes an app. Throws ApiError 409 or 403. */
  change(id: string, next: AppDefinition | undefined, options: ChangeOptions): ChangeResult {
    const state = this.#cluster.states.get(id);
    const before = state?.deleted ? undefined : state?.definition;
    const wanted = next && withServicePorts(next, before, this.#takenPorts(id));
    const version = this.#cluster.clock.nextVersion();
    if (before && wanted && isSame(before, wanted) && !options.restart) return this.#nothing(version);
    const difference = { id, before, after: wanted, restart: options.restart ?? false };
    const steps = stepsFrom(difference);
    this.#makeWay(id, version, steps, options.force);
    const stored = this.#store(difference, version);
    const deployment = new Deployment(version, stored, before, steps);
    this.all.push(deployment);
    this.#cluster.bus.publish('group_change_success', { groupId: '/', version });
    this.#cluster.changed();
    return { version, deploymentId: deployment.id };
  }

  #takenPorts(id: string): ReadonlySet<number> {
    const others = [...this.#cluster.states.values()].filter((state) => state.id !== id && !state.deleted);
    return new Set(others.flatMap(({ definition }) => servicePorts(definition)));
  }

  #nothing(version: string): ChangeResult {
    const id = crypto.randomUUID();
    this.#cluster.bus.publish('group_change_success', { groupId: '/', version });
    this.#cluster.bus.publish('deployment_success', { id, plan: lightPlan(id, version, [], this.#cluster.traits) });
    return { version, deploymentId: id };
  }

  #makeWay(id: string, version: string, steps: readonly Step[], force: boolean): void {
    const { traits } = this.#cluster;
    if (traits.tooManyDeployments && this.running().length >= this.#hooks.limit()) throw tooManyDeployments();
    const holding = this.running(id);
    if (force) {
      for (const deployment of holding) this.#cancel(deployment);
      return;
    }
    if (holding.length === 0 && !this.#hooks.lockedOtherwise(id)) return;
    if (traits.refusalEvents) this.#refused(version, steps);
    throw locked(holding.map((deployment) => deployment.id));
  }

  /** 1.5 and later announce a refused change as a failed deployment whose id nobody was told. */
  #refused(version: string, steps: readonly Step[]): void {
    const { bus, traits } = this.#cluster;
    const id = crypto.randomUUID();
    const reason = traits.failureReason ? { reason: LOCKED } : {};
    bus.publish('deployment_failed', { id, plan: lightPlan(id, version, steps, traits), ...reason });
    bus.publish('group_change_failed', { groupId: '/', version, reason: LOCKED });
  }

  #store({ id, before, after, restart }: Difference, version: string): AppState {
    const state = this.#cluster.states.get(id);
    if (!after) {
      if (!state) throw new Error(`no app ${id} to delete`);
      state.deleted = true;
      return state;
    }
    const { traits } = this.#cluster;
    const scaled = before !== undefined && !restart && isScaling(before, after);
    const lastConfigChangeAt = scaled && state ? state.current.versionInfo.lastConfigChangeAt : version;
    const next: Snapshot = { definition: after, version, versionInfo: { lastScalingAt: version, lastConfigChangeAt } };
    if (state && before) {
      state.update(next, traits.versionsKept);
      return state;
    }
    const created = new AppState(next, traits);
    this.#cluster.states.set(id, created);
    return created;
  }

  #cancel(deployment: Deployment): void {
    const { bus, traits } = this.#cluster;
    deployment.state = 'cancelled';
    deployment.endedAt = new Date();
    const plan = planFields(deployment, traits);
    if (deployment.step) bus.publish('deployment_step_failure', { plan, currentStep: deployment.step });
    const reason = traits.failureReason ? { reason: 'The upgrade has been cancelled' } : {};
    bus.publish('deployment_failed', { id: deployment.id, plan, ...reason });
    this.#cluster.changed();
  }

  /** DELETE with force: just stop. The definition stays new, the tasks stay as they are. */
  stop(deployment: Deployment): void {
    this.#cancel(deployment);
  }

  /** DELETE without force: a new, forced deployment of what was there before. */
  rollback(deployment: Deployment): ChangeResult {
    return this.change(deployment.appId, deployment.original, { force: true, restart: true });
  }

  /** A new leader goes on with the stored plans, each from the start of its step. */
  resume(): void {
    for (const deployment of this.running()) deployment.restartStep();
    this.#cluster.changed();
  }

  /** One look at every app: deployments first, then the apps that have none. */
  pass(): void {
    for (const deployment of this.running()) this.#advance(deployment);
    for (const state of this.#cluster.states.values()) {
      if (this.running(state.id).length === 0) scaleTo(state, this.#hands(state));
    }
  }

  #hands(state: AppState) {
    return {
      tasks: () => this.#cluster.tasksOf(state.id),
      kill: this.#hooks.kill,
      queue: (count: number) => state.queue.want(count, state.current.version, this.#cluster.clock.stamp()),
    };
  }

  #advance(deployment: Deployment): void {
    if (deployment.currentStep === 0) this.#enterStep(deployment);
    while (deployment.state === 'running' && deployment.advance(this.#hands(deployment.app))) {
      this.#tell(deployment, 'deployment_step_success');
      if (deployment.currentStep < deployment.steps.length) this.#enterStep(deployment);
      else this.#finish(deployment);
    }
  }

  #enterStep(deployment: Deployment): void {
    deployment.currentStep += 1;
    deployment.restartStep();
    this.#tell(deployment, 'deployment_info');
  }

  #tell(deployment: Deployment, event: string): void {
    const { bus, traits } = this.#cluster;
    bus.publish(event, { plan: planFields(deployment, traits), currentStep: deployment.step });
  }

  #finish(deployment: Deployment): void {
    const { bus, traits, states } = this.#cluster;
    deployment.state = 'succeeded';
    deployment.endedAt = new Date();
    if (deployment.action === 'StopApplication') {
      states.delete(deployment.appId);
      bus.publish('app_terminated_event', { appId: deployment.appId });
    }
    bus.publish('deployment_success', { id: deployment.id, plan: planFields(deployment, traits) });
    this.#cluster.changed();
  }
}
