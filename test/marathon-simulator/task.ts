/** One task: what it was started with, where it stands, and what its health checks say. */
import { join } from 'node:path';
import type { Agent } from './agents.ts';
import type { RunningTask } from './executor.ts';
import type { AppDefinition, HealthResult, SimTask, TaskState } from './model.ts';

export interface TaskOrigin {
  readonly id: string;
  readonly instanceId: string;
  readonly definition: AppDefinition;
  readonly version: string;
  /** Undefined: an external task, which somebody else runs on `host`. */
  readonly agent: Agent | undefined;
  readonly host: string;
  readonly ports: readonly number[];
  readonly sandbox: string;
  readonly stagedAt: string;
}

const ENDED: readonly TaskState[] = ['TASK_KILLED', 'TASK_FAILED', 'TASK_FINISHED'];

export class Task implements SimTask {
  readonly origin: TaskOrigin;
  state: TaskState = 'TASK_STAGING';
  message = '';
  startedAt: string | undefined;
  endedAt: string | undefined;
  running: RunningTask | undefined;
  /** By index of the health check. */
  readonly health = new Map<number, HealthResult>();
  ready: boolean;
  env: Readonly<Record<string, string>> = {};

  constructor(origin: TaskOrigin) {
    this.origin = origin;
    this.ready = origin.definition.readinessChecks.length === 0;
  }

  get id(): string {
    return this.origin.id;
  }
  get appId(): string {
    return this.origin.definition.id;
  }
  get host(): string {
    return this.origin.host;
  }
  get ports(): readonly number[] {
    return this.origin.ports;
  }
  get version(): string {
    return this.origin.version;
  }
  get stagedAt(): string {
    return this.origin.stagedAt;
  }
  get sandbox(): string {
    return this.origin.sandbox;
  }
  get stdout(): string {
    return join(this.sandbox, 'stdout');
  }
  get stderr(): string {
    return join(this.sandbox, 'stderr');
  }
  get pid(): number | undefined {
    return this.running?.pid;
  }

  get ended(): boolean {
    return ENDED.includes(this.state);
  }

  /** Marathon still wants it: neither ended nor told to end. */
  get wanted(): boolean {
    return !this.ended && this.state !== 'TASK_KILLING';
  }

  get alive(): boolean | undefined {
    if (this.health.size < this.origin.definition.healthChecks.length || this.health.size === 0) {
      return [...this.health.values()].some(({ alive }) => !alive) ? false : undefined;
    }
    return [...this.health.values()].every(({ alive }) => alive);
  }

  get healthy(): boolean {
    return this.state === 'TASK_RUNNING' && (this.origin.definition.healthChecks.length === 0 || this.alive === true);
  }
}
