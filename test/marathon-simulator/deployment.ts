/**
 * One deployment: its plan, and how far the tasks have got with it.
 *
 * A step is done when the tasks say so, never because time has passed: a deployment can stay for ever, as in Marathon.
 */
import { randomUUID } from 'node:crypto';
import type { AppState } from './app-state.ts';
import { isScaling } from './definitions.ts';
import type { AppDefinition } from './model.ts';
import { isResident } from './model.ts';
import { restartStrategy } from './strategy.ts';
import type { Task } from './task.ts';

export type ActionName = 'StartApplication' | 'ScaleApplication' | 'RestartApplication' | 'StopApplication';

export interface Action {
  readonly action: ActionName;
  readonly app: string;
}

export interface Step {
  readonly actions: readonly Action[];
}

/** What the tests see of a deployment, also after it has left the list. */
export interface FinishedOrRunningDeployment {
  readonly id: string;
  readonly version: string;
  readonly appId: string;
  readonly action: ActionName | undefined;
  readonly state: 'running' | 'succeeded' | 'cancelled';
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  /** Tasks launched while it ran. */
  readonly launches: readonly { readonly taskId: string; readonly at: Date }[];
}

interface Rolling {
  readonly maxCapacity: number;
  /** How many old tasks may be dead by now: those at once, and one more for each new one that became healthy. */
  allowed: number;
  killed: number;
  readonly ready: Set<string>;
}

/** What a deployment may ask of the world. */
export interface Hands {
  tasks(): readonly Task[];
  kill(task: Task): void;
  /** How many tasks should wait for an offer. */
  queue(count: number): void;
}

export class Deployment implements FinishedOrRunningDeployment {
  readonly id = randomUUID();
  readonly version: string;
  readonly app: AppState;
  readonly original: AppDefinition | undefined;
  readonly steps: readonly Step[];
  currentStep = 0;
  state: 'running' | 'succeeded' | 'cancelled' = 'running';
  readonly startedAt = new Date();
  endedAt: Date | undefined;
  readonly launches: { taskId: string; at: Date }[] = [];
  #rolling: Rolling | undefined;
  #before: ReadonlySet<string> | undefined;

  constructor(version: string, app: AppState, original: AppDefinition | undefined, steps: readonly Step[]) {
    this.version = version;
    this.app = app;
    this.original = original;
    this.steps = steps;
  }

  get appId(): string {
    return this.app.id;
  }

  get action(): ActionName | undefined {
    return this.steps.at(-1)?.actions[0]?.action;
  }

  get step(): Step | undefined {
    return this.steps[this.currentStep - 1];
  }

  /** A new leader begins the current step anew. */
  restartStep(): void {
    this.#rolling = undefined;
    this.#before = undefined;
  }

  /** Moves the current step as far as the tasks allow. True: the step is done. */
  advance(hands: Hands): boolean {
    const action = this.step?.actions[0]?.action;
    if (action === 'RestartApplication') return this.#restart(hands);
    if (action === 'StopApplication') return this.#stop(hands);
    if (action === 'ScaleApplication') return this.#scale(hands);
    return true;
  }

  #stop(hands: Hands): boolean {
    hands.queue(0);
    for (const task of hands.tasks()) hands.kill(task);
    return hands.tasks().length === 0;
  }

  #scale(hands: Hands): boolean {
    this.#before ??= new Set(hands.tasks().map(({ id }) => id));
    scaleTo(this.app, hands);
    const tasks = hands.tasks();
    const started = tasks.filter(({ id }) => !this.#before?.has(id));
    const settled = tasks.length === this.app.target && tasks.every(({ state }) => state === 'TASK_RUNNING');
    return settled && started.every((task) => task.healthy && task.ready);
  }

  #restart(hands: Hands): boolean {
    const isNew = (task: Task) => this.app.isCurrent(task);
    this.#rolling ??= this.#begin(hands.tasks());
    const rolling = this.#rolling;
    for (const task of hands.tasks().filter(isNew)) {
      if (!task.healthy || !task.ready || rolling.ready.has(task.id)) continue;
      rolling.ready.add(task.id);
      rolling.allowed += 1;
    }
    this.#killOld(hands, rolling);
    const fresh = hands.tasks().filter((task) => isNew(task) && task.wanted);
    const old = hands.tasks().filter((task) => !isNew(task));
    const room = rolling.maxCapacity - old.length - fresh.length;
    hands.queue(Math.max(0, Math.min(this.app.target - fresh.length, room)));
    return old.length === 0 && fresh.filter((task) => task.healthy && task.ready).length >= this.app.target;
  }

  #killOld(hands: Hands, rolling: Rolling): void {
    const old = hands.tasks().filter((task) => task.wanted && !this.app.isCurrent(task));
    old.sort((a, b) => Number(a.healthy) - Number(b.healthy)); // unhealthy ones first; before 1.10 any
    for (const task of old.slice(0, Math.max(0, rolling.allowed - rolling.killed))) {
      rolling.killed += 1;
      hands.kill(task);
    }
  }

  #begin(tasks: readonly Task[]): Rolling {
    const wanted = tasks.filter((task) => task.wanted);
    const { counted } = this.app.traits;
    const waiting = this.app.queue.count;
    const consideredHealthy = {
      healthy: wanted.filter((task) => task.healthy).length,
      'goal-running': wanted.length + waiting,
      launched: wanted.length,
    }[counted];
    const { nrToKillImmediately, maxCapacity } = restartStrategy({
      instances: this.app.target,
      strategy: this.app.definition.upgradeStrategy,
      consideredHealthy,
      currentInstances: wanted.length + waiting,
      resident: isResident(this.app.definition),
      killsExtra: counted === 'healthy',
    });
    const ready = wanted.filter((task) => this.app.isCurrent(task) && task.healthy && task.ready).map(({ id }) => id);
    // Those that still wait for an offer with an older configuration are old ones too, and 1.10 kills them first.
    const waitingOld = counted === 'healthy' && this.app.queueIsOld ? waiting : 0;
    const allowed = Math.max(0, nrToKillImmediately - waitingOld);
    return { maxCapacity, allowed, killed: 0, ready: new Set(ready) };
  }
}

/** As many as wanted: start what is missing, kill what is too much, those not running first, then the youngest. */
export function scaleTo(app: AppState, hands: Hands): void {
  const wanted = hands.tasks().filter((task) => task.wanted);
  hands.queue(Math.max(0, app.target - wanted.length));
  const order = (task: Task) => (task.state === 'TASK_RUNNING' ? 1 : 0);
  const victims = [...wanted].sort((a, b) => order(a) - order(b) || b.stagedAt.localeCompare(a.stagedAt));
  for (const task of victims.slice(0, Math.max(0, wanted.length - app.target))) hands.kill(task);
}

export interface Difference {
  readonly id: string;
  readonly before: AppDefinition | undefined;
  readonly after: AppDefinition | undefined;
  /** Restart although nothing differs. */
  readonly restart: boolean;
}

/** Marathon's DeploymentPlan, for one app. */
export function stepsFrom({ id, before, after, restart }: Difference): readonly Step[] {
  const step = (action: ActionName): Step => ({ actions: [{ action, app: id }] });
  if (!after) return [step('StopApplication')];
  if (!before) return [step('StartApplication'), ...(after.instances > 0 ? [step('ScaleApplication')] : [])];
  const scales = after.instances === 0 || (!restart && isScaling(before, after));
  return [step(scales ? 'ScaleApplication' : 'RestartApplication')];
}
