/**
 * Health and readiness checks, really made against the task.
 *
 * Failures count for nothing within the grace period until the first success. Marathon makes HTTP and TCP checks over
 * the network at once and then at each interval; Mesos makes MESOS_* and COMMAND checks beside the task after
 * `delaySeconds`. Ours all go to the task's host and host port (see DIFFERENCES.md).
 */
import type { Bus } from './bus.ts';
import type { Clock } from './clock.ts';
import type { HealthCheck, HealthResult } from './model.ts';
import { mappings, onHostNetwork } from './model.ts';
import { probe, probeCommand } from './probe.ts';
import type { Traits } from './profiles.ts';
import type { Task } from './task.ts';

export interface HealthParts {
  readonly clock: Clock;
  readonly bus: Bus;
  readonly traits: Traits;
  readonly changed: () => void;
  /** A fault of the cluster: checks of this app fail whatever the task answers. */
  readonly neverHealthy: (appId: string) => boolean;
}

export class HealthChecker {
  readonly #parts: HealthParts;
  readonly #watched = new Map<Task, Set<NodeJS.Timeout>>();

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  watch(task: Task, kill: (why: string) => void): void {
    this.#watched.set(task, new Set());
    const { healthChecks, readinessChecks } = task.origin.definition;
    for (const [index, check] of healthChecks.entries()) {
      const mesos = check.protocol.startsWith('MESOS_') || check.protocol === 'COMMAND';
      this.#after(task, mesos ? check.delaySeconds : 0, () => this.#check(task, index, check, kill));
    }
    if (readinessChecks.length > 0) this.#after(task, 0, () => this.#checkReady(task));
  }

  forget(task: Task): void {
    for (const timer of this.#watched.get(task) ?? []) clearTimeout(timer);
    this.#watched.delete(task);
  }

  close(): void {
    for (const task of [...this.#watched.keys()]) this.forget(task);
  }

  #after(task: Task, seconds: number, look: () => Promise<void>): void {
    const timers = this.#watched.get(task);
    if (!timers) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      void look();
    }, this.#parts.clock.duration(seconds));
    timers.add(timer);
  }

  async #check(task: Task, index: number, check: HealthCheck, kill: (why: string) => void): Promise<void> {
    const cause = this.#parts.neverHealthy(task.appId) ? 'made to fail' : await failureOf(task, check);
    if (!this.#watched.has(task)) return;
    const before = task.health.get(index);
    if (cause === undefined) this.#record(task, index, success(before, this.#parts.clock.stamp()));
    else if (this.#counts(task, check, before)) this.#failed(task, index, check, cause, kill);
    this.#after(task, check.intervalSeconds, () => this.#check(task, index, check, kill));
  }

  #counts(task: Task, check: HealthCheck, before: HealthResult | undefined): boolean {
    if (before?.firstSuccess !== undefined) return true;
    const started = Date.parse(task.startedAt ?? task.stagedAt);
    return this.#parts.clock.now() >= started + this.#parts.clock.duration(check.gracePeriodSeconds);
  }

  #failed(task: Task, index: number, check: HealthCheck, cause: string, kill: (why: string) => void): void {
    const consecutiveFailures = (task.health.get(index)?.consecutiveFailures ?? 0) + 1;
    const at = this.#parts.clock.stamp();
    this.#record(task, index, {
      ...task.health.get(index),
      alive: false,
      consecutiveFailures,
      lastFailure: at,
      lastFailureCause: cause,
    });
    const { appId, version } = task;
    const { instanceId } = task.origin;
    this.#parts.bus.publish('failed_health_check_event', { appId, taskId: instanceId, healthCheck: check });
    // 0 means "never" for Marathon's own checks and "at once" for those Mesos runs.
    const limit = check.maxConsecutiveFailures || (check.protocol.startsWith('MESOS_') ? 1 : Number.POSITIVE_INFINITY);
    if (consecutiveFailures >= limit) kill(`${cause} (${consecutiveFailures} times, version ${version})`);
  }

  #record(task: Task, index: number, result: HealthResult): void {
    const was = task.health.get(index)?.alive;
    task.health.set(index, result);
    if (was === result.alive) return;
    const { bus, traits } = this.#parts;
    const { appId, version } = task;
    const { instanceId } = task.origin;
    if (traits.instanceEvents) {
      const healthy = task.alive ?? null;
      bus.publish('instance_health_changed_event', { instanceId, runSpecId: appId, healthy, runSpecVersion: version });
    }
    const who = traits.instanceEvents ? { instanceId } : { taskId: task.id };
    bus.publish('health_status_changed_event', { appId, ...who, version, alive: result.alive });
    this.#parts.changed();
  }

  async #checkReady(task: Task): Promise<void> {
    const [check] = task.origin.definition.readinessChecks;
    if (!check) return;
    const port = portNamed(task, check.portName);
    const seconds = check.timeoutSeconds;
    const target = { host: task.host, port: port ?? 0, path: check.path, timeoutMs: seconds * 1000 };
    const answer = await probe(check.protocol, target);
    if (!this.#watched.has(task)) return;
    task.ready = answer.status !== undefined && check.httpStatusCodesForReady.includes(answer.status);
    if (task.ready) this.#parts.changed();
    else this.#after(task, check.intervalSeconds, () => this.#checkReady(task));
  }
}

function success(before: HealthResult | undefined, at: string): HealthResult {
  return { ...before, alive: true, consecutiveFailures: 0, firstSuccess: before?.firstSuccess ?? at, lastSuccess: at };
}

async function failureOf(task: Task, check: HealthCheck): Promise<string | undefined> {
  const timeoutMs = check.timeoutSeconds * 1000;
  if (check.protocol === 'COMMAND') return probeCommand(check.command?.value ?? 'true', task, timeoutMs);
  const port = portOf(task, check);
  if (port === undefined) return `no port for health check ${check.protocol}`;
  const { failure } = await probe(check.protocol, { host: task.host, port, path: check.path ?? '/', timeoutMs });
  return failure;
}

/** Mesos' checks name a container port, which our tasks are reached at by the host port mapped to it. */
function portOf(task: Task, check: HealthCheck): number | undefined {
  const app = task.origin.definition;
  if (check.port === undefined) return task.ports[check.portIndex ?? 0];
  const index = mappings(app).findIndex(({ containerPort }) => containerPort === check.port);
  return onHostNetwork(app) || index < 0 ? check.port : task.ports[index];
}

function portNamed(task: Task, name: string): number | undefined {
  const app = task.origin.definition;
  const named = onHostNetwork(app) ? app.portDefinitions : mappings(app);
  return task.ports[named.findIndex((port) => port.name === name)];
}
