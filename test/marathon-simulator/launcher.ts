/**
 * The life of a task: sandbox, volumes, start, SIGTERM → grace → SIGKILL, and what its end means for the app.
 *
 * A task that ends by itself, well or badly, makes its app wait longer before the next one; a killed one does not.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Agent } from './agents.ts';
import type { AppState, LastTaskFailure } from './app-state.ts';
import type { Cluster } from './cluster.ts';
import { type Executor, type Exit, processExecutor, type RunningTask } from './executor.ts';
import type { LaunchFaults } from './faults.ts';
import type { HealthChecker } from './health.ts';
import { type AppDefinition, imageOf, type TaskState, type Volume } from './model.ts';
import { Task } from './task.ts';
import { taskEnv } from './task-env.ts';

export interface LauncherOptions {
  readonly workDir: string;
  readonly images: Readonly<Record<string, Executor>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly external: Readonly<Record<string, string>>;
  readonly faults: LaunchFaults;
}

/** What the command executor of an agent waits when the app names no grace period. */
const DEFAULT_GRACE_SECONDS = 3;

export class Launcher {
  readonly #cluster: Cluster;
  readonly #options: LauncherOptions;
  readonly #health: HealthChecker;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #starting = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(cluster: Cluster, health: HealthChecker, options: LauncherOptions) {
    this.#cluster = cluster;
    this.#health = health;
    this.#options = options;
  }

  externalHost(appId: string): string | undefined {
    return this.#options.external[appId];
  }

  /** Marathon ≤1.7: `app.<uuid>`; later `app.instance-<uuid>._app.<n>`. Opaque to clients. */
  newIds(appId: string): { instanceId: string; taskId: string } {
    const name = appId.slice(1).replaceAll('/', '_');
    if (!this.#cluster.traits.instanceIds) {
      const id = `${name}.${randomUUID()}`;
      return { instanceId: id, taskId: id };
    }
    const instanceId = `${name}.instance-${randomUUID()}`;
    return { instanceId, taskId: `${instanceId}._app.1` };
  }

  /** The task exists from here on; the process comes when it comes. */
  launch(
    state: AppState,
    place: { agent: Agent | undefined; host: string; ports: readonly number[]; ids: ReturnType<Launcher['newIds']> },
  ): Task {
    const task = new Task({
      id: place.ids.taskId,
      instanceId: place.ids.instanceId,
      definition: state.definition,
      version: state.current.version,
      agent: place.agent,
      host: place.host,
      ports: place.ports,
      sandbox: join(this.#options.workDir, 'sandboxes', place.ids.taskId),
      stagedAt: this.#cluster.clock.stamp(),
    });
    this.#cluster.allTasks.push(task);
    this.#moved(task);
    if (place.agent) this.#begin(task, state, place.agent);
    else this.#runs(task);
    return task;
  }

  #begin(task: Task, state: AppState, agent: Agent): void {
    const started = this.#start(task, state, agent).finally(() => this.#starting.delete(started));
    this.#starting.add(started);
  }

  async #start(task: Task, state: AppState, agent: Agent): Promise<void> {
    try {
      const running = await this.#execute(task, state, agent);
      task.running = running;
      void running.exited.then((exit) => this.#exited(task, exit));
      if (this.#cluster.closed || !task.wanted) return this.#stop(task, running);
      if (this.#options.faults.crashes(task.appId)) running.kill('SIGKILL');
      else this.#runs(task);
    } catch (error) {
      this.#end(task, task.wanted ? 'TASK_FAILED' : 'TASK_KILLED', (error as Error).message);
    }
  }

  async #execute(task: Task, state: AppState, agent: Agent): Promise<RunningTask> {
    const executor = this.#executorFor(task.origin.definition);
    await mkdir(task.sandbox, { recursive: true });
    const volumes = await this.#volumes(task, state, agent);
    const { traits } = this.#cluster;
    const facts = { ...task.origin, taskId: task.id, role: agent.role };
    task.env = taskEnv(task.origin.definition, facts, traits, (source) => this.#options.secrets[source]);
    await this.#options.faults.beforeStart(task.appId, this.#closing.signal);
    if (!task.wanted) throw new Error('Container killed');
    this.#enter(task, 'TASK_STARTING');
    const { host, ports, sandbox } = task;
    const launch = { taskId: task.id, app: task.origin.definition, host, ports, env: task.env, sandbox, volumes };
    return executor(launch, this.#cluster);
  }

  #executorFor(app: AppDefinition): Executor {
    const image = imageOf(app);
    if (image === undefined) return processExecutor({ argv: [] });
    const { images } = this.#options;
    const found = images[image] ?? images[image.replace(/:[^:/]*$/, '')] ?? images['*'];
    if (!found) throw new Error(`Failed to launch container: pull access denied for ${image}`);
    return found;
  }

  /** containerPath → folder. Persistent ones stay on their agent, host paths belong to the agent, external ones to all. */
  async #volumes(task: Task, state: AppState, agent: Agent): Promise<Readonly<Record<string, string>>> {
    const all = task.origin.definition.container?.volumes ?? [];
    const folders: Record<string, string> = {};
    for (const volume of all) {
      const folder = this.#folderOf(volume, task, state, agent);
      await mkdir(folder, { recursive: true });
      folders[volume.containerPath] = folder;
      if (!volume.containerPath.includes('/')) await symlink(folder, join(task.sandbox, volume.containerPath));
    }
    return folders;
  }

  #folderOf(volume: Volume, task: Task, state: AppState, agent: Agent): string {
    const { workDir } = this.#options;
    const all = task.origin.definition.container?.volumes ?? [];
    if (volume.persistent) return this.#persistentFolder(volume, task, state, agent);
    if (volume.external) return join(workDir, 'external', volume.external.name ?? volume.containerPath);
    const hostPath = volume.hostPath ?? volume.containerPath;
    if (hostPath.startsWith('/')) return join(workDir, 'agents', agent.host, hostPath);
    // Docker's trick: a relative host path is under the sandbox, where a persistent volume of that name may be mounted.
    const twin = all.find(({ persistent, containerPath }) => persistent && containerPath === hostPath);
    return twin ? this.#persistentFolder(twin, task, state, agent) : join(task.sandbox, hostPath);
  }

  #persistentFolder(volume: Volume, task: Task, state: AppState, agent: Agent): string {
    const reservation = state.reservations.find(({ taskId }) => taskId === task.id);
    const folder = `${state.id.slice(1).replaceAll('/', '_')}.${reservation?.number ?? 0}`;
    return join(this.#options.workDir, 'volumes', agent.host, folder, volume.containerPath);
  }

  #runs(task: Task): void {
    task.startedAt = this.#cluster.clock.stamp();
    this.#enter(task, 'TASK_RUNNING');
    this.#health.watch(task, (why) => this.#unhealthy(task, why));
  }

  #unhealthy(task: Task, why: string): void {
    if (!task.wanted) return;
    const { traits, bus } = this.#cluster;
    const eventType = traits.instanceEvents ? 'unhealthy_instance_kill_event' : 'unhealthy_task_kill_event';
    const { id: taskId, appId, version, host } = task;
    const { instanceId, agent } = task.origin;
    bus.publish(eventType, { appId, taskId, instanceId, version, reason: why, host, slaveId: agent?.id ?? null });
    this.#remember(task, 'TASK_KILLED', `Task was killed since health check failed. Reason: ${why}`);
    this.kill(task);
  }

  kill(task: Task): void {
    if (!task.wanted) return;
    this.#enter(task, 'TASK_KILLING');
    this.#health.forget(task);
    if (!task.origin.agent) this.#end(task, 'TASK_KILLED', 'Container killed');
    else if (task.running) this.#stop(task, task.running);
  }

  #stop(task: Task, running: RunningTask): void {
    running.kill('SIGTERM');
    const seconds = task.origin.definition.taskKillGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const timer = setTimeout(() => running.kill('SIGKILL'), seconds * 1000);
    this.#timers.add(timer);
    void running.exited.then(() => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    });
  }

  #exited(task: Task, { code, signal }: Exit): void {
    const how = signal ? `terminated with signal ${signal}` : `exited with status ${code}`;
    if (task.state === 'TASK_KILLING') this.#end(task, 'TASK_KILLED', 'Container killed');
    else this.#end(task, code === 0 ? 'TASK_FINISHED' : 'TASK_FAILED', `Command ${how}`);
  }

  #end(task: Task, state: TaskState, message: string): void {
    if (task.ended) return;
    this.#health.forget(task);
    task.message = message;
    task.endedAt = this.#cluster.clock.stamp();
    task.origin.agent?.release(task.id);
    const app = this.#cluster.states.get(task.appId);
    for (const reservation of app?.reservations ?? []) {
      if (reservation.taskId === task.id) reservation.taskId = undefined;
    }
    if (state === 'TASK_FAILED') this.#remember(task, state, message);
    if (state !== 'TASK_KILLED' && app?.isCurrent(task)) this.#backOff(app);
    this.#enter(task, state);
  }

  #remember(task: Task, state: LastTaskFailure['state'], message: string): void {
    const app = this.#cluster.states.get(task.appId);
    if (!app) return;
    const { appId, host, id: taskId, version } = task;
    const slaveId = task.origin.agent?.id;
    const timestamp = this.#cluster.clock.stamp();
    app.lastTaskFailure = { appId, host, message, state, taskId, timestamp, version, ...(slaveId ? { slaveId } : {}) };
  }

  #backOff(app: AppState): void {
    const { backoffSeconds, backoffFactor, maxLaunchDelaySeconds } = app.definition;
    const longer = app.backoff ? app.backoff.delaySeconds * backoffFactor : backoffSeconds;
    const delaySeconds = Math.min(longer, maxLaunchDelaySeconds);
    const delayMs = this.#cluster.clock.duration(delaySeconds);
    app.backoff = { delaySeconds, until: Date.now() + delayMs };
    const timer = setTimeout(() => this.#cluster.wake(), delayMs + 1);
    this.#timers.add(timer);
  }

  #enter(task: Task, state: TaskState): void {
    if (task.ended) return;
    task.state = state;
    this.#moved(task);
  }

  #moved(task: Task): void {
    const { bus, traits } = this.#cluster;
    const { agent, instanceId } = task.origin;
    const common = { host: task.host, slaveId: agent?.id ?? null };
    if (traits.instanceEvents) {
      const condition = CONDITIONS[task.state];
      const { version: runSpecVersion, appId: runSpecId } = task;
      const agentId = common.slaveId;
      bus.publish('instance_changed_event', {
        instanceId,
        condition,
        runSpecId,
        agentId,
        host: task.host,
        runSpecVersion,
      });
    }
    const { id: taskId, appId, ports, version, message } = task;
    const ipAddresses = [{ ipAddress: task.host, protocol: 'IPv4' }];
    const status = { taskId, taskStatus: task.state, message, appId, ipAddresses, ports, version };
    bus.publish('status_update_event', { ...common, ...status });
    this.#cluster.changed();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#starting);
    const running = this.#cluster.allTasks.filter((task) => !task.ended && task.running);
    for (const task of running) task.running?.kill('SIGTERM');
    const force = setTimeout(() => {
      for (const task of running) task.running?.kill('SIGKILL');
    }, 2000);
    await Promise.all(running.map((task) => task.running?.exited));
    clearTimeout(force);
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

const CONDITIONS: Readonly<Record<TaskState, string>> = {
  TASK_STAGING: 'Staging',
  TASK_STARTING: 'Starting',
  TASK_RUNNING: 'Running',
  TASK_KILLING: 'Killing',
  TASK_KILLED: 'Killed',
  TASK_FAILED: 'Failed',
  TASK_FINISHED: 'Finished',
};
