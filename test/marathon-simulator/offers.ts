/**
 * Offers: for every app that waits, ask each agent whether it fits, and launch where it does.
 *
 * Agents take turns so that tasks spread. What did not fit is counted for GET /v2/queue.
 */
import type { Agent, Reason } from './agents.ts';
import type { AppState } from './app-state.ts';
import type { Cluster } from './cluster.ts';
import type { Launcher } from './launcher.ts';
import { isResident } from './model.ts';

export class Offers {
  readonly #cluster: Cluster;
  readonly #launcher: Launcher;
  readonly #onLaunch: (appId: string, taskId: string) => void;

  constructor(cluster: Cluster, launcher: Launcher, onLaunch: (appId: string, taskId: string) => void) {
    this.#cluster = cluster;
    this.#launcher = launcher;
    this.#onLaunch = onLaunch;
  }

  async pass(): Promise<void> {
    for (const state of [...this.#cluster.states.values()]) {
      if (state.queue.count > 0 && (state.backoff?.until ?? 0) <= Date.now()) await this.#serve(state);
    }
  }

  async #serve(state: AppState): Promise<void> {
    const elsewhere = this.#launcher.externalHost(state.id);
    if (elsewhere !== undefined) return this.#launchElsewhere(state, elsewhere);
    for (const agent of this.#emptiestFirst(state)) {
      if (state.queue.count === 0 || this.#cluster.closed) return;
      await this.#offer(state, agent);
    }
  }

  /** Tasks spread: agents with fewer tasks of this app come first. */
  #emptiestFirst(state: AppState): readonly Agent[] {
    const hosts = this.#hosts(state);
    const load = (agent: Agent) => hosts.filter((host) => host === agent.host).length;
    return [...this.#cluster.agents].sort((a, b) => load(a) - load(b));
  }

  #hosts(state: AppState): readonly string[] {
    return this.#cluster.tasksOf(state.id).map(({ host }) => host);
  }

  async #offer(state: AppState, agent: Agent): Promise<void> {
    const version = state.current.version;
    const reservations = state.reservations.filter(({ taskId }) => taskId === undefined).map(({ host }) => host);
    const wish = { app: state.definition, neighbours: this.#hosts(state), reservations };
    const objection = agent.objection(wish);
    if (objection) return this.#decline(state, agent, objection);
    const ids = this.#launcher.newIds(state.id);
    const ports = await agent.reserve(state.definition, ids.taskId);
    if (!ports) return this.#decline(state, agent, 'InsufficientPorts');
    // Looking at ports took a moment: somebody may have changed their mind meanwhile.
    if (state.queue.count === 0 || state.current.version !== version || this.#cluster.closed) {
      agent.release(ids.taskId);
      return this.#cluster.wake();
    }
    if (isResident(state.definition)) reserveVolume(state, agent, ids.taskId);
    this.#launched(state, ids.taskId);
    this.#launcher.launch(state, { agent, host: agent.host, ports, ids });
  }

  #launchElsewhere(state: AppState, host: string): void {
    while (state.queue.count > 0) {
      const ids = this.#launcher.newIds(state.id);
      this.#launched(state, ids.taskId);
      this.#launcher.launch(state, { agent: undefined, host, ports: fixedPorts(state), ids });
    }
  }

  #launched(state: AppState, taskId: string): void {
    state.queue.count -= 1;
    state.queue.processed += 1;
    this.#onLaunch(state.id, taskId);
  }

  #decline(state: AppState, agent: Agent, reason: Reason): void {
    const { id: agentId, host, taken, role } = agent;
    const timestamp = this.#cluster.clock.stamp();
    state.queue.decline({ agentId, host, taken, role, reason, timestamp });
  }
}

function reserveVolume(state: AppState, agent: Agent, taskId: string): void {
  const free = state.reservations.find((one) => one.taskId === undefined && one.host === agent.host);
  if (free) free.taskId = taskId;
  else state.reservations.push({ host: agent.host, number: state.reservations.length, taskId });
}

/** A program that stands in for an app listens where the definition says. */
function fixedPorts({ definition }: AppState): readonly number[] {
  const mapped = (definition.container?.portMappings ?? []).map(
    ({ hostPort, containerPort }) => hostPort || containerPort,
  );
  return mapped.length > 0 ? mapped : definition.portDefinitions.map(({ port }) => port);
}
