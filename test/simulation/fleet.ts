/**
 * Our app under Marathon: its labels, its tasks, and what becomes of them: upgrades, crashes, lost volumes, second ones.
 */
import type { App, TaskFailure } from '../../src/marathon/app.ts';
import type { Policy } from '../../src/plan/observation.ts';
import type { Clock } from './clock.ts';
import { Volume } from './disk.ts';
import { APP_ID, type Outside, Program } from './program.ts';
import type { Random } from './random.ts';

/**
 * Where the state is: on a volume that belongs to one task at a time, on one that an old and a new task share for a
 * while, or nowhere, so that it ends with each task.
 */
export type Storage = 'local' | 'shared' | 'none';

export interface FleetFacts {
  readonly clock: Clock;
  readonly random: Random;
  readonly outside: Outside;
  readonly storage: Storage;
  readonly preflight: Policy['preflight'];
  readonly installWindow: string;
  readonly hasHealthChecks: boolean;
  readonly names: readonly string[];
  readonly trace: (what: string) => void;
  readonly onChange: () => void;
}

export class Fleet {
  labels: Readonly<Record<string, string>>;
  tasks: Program[] = [];
  instances = 1;
  /** A setting: those that are running keep theirs. */
  keyType: 'ec256' | 'ec384' = 'ec256';
  lastFailure: TaskFailure | undefined;
  /** All there have ever been. */
  started = 0;
  /** When the latest was. */
  startedAt = 0;
  readonly volume = new Volume();
  readonly past: Readonly<Record<string, string>>[] = [];
  #version: string;
  #stampedAt = 0;
  #upgrading = false;
  /** Tasks that were started: each with the volume it got. */
  readonly #facts: FleetFacts;

  constructor(facts: FleetFacts) {
    this.#facts = facts;
    this.labels = labelsFor(facts.names);
    this.past.push(this.labels);
    this.#version = this.#stamp();
  }

  get alive(): Program[] {
    return this.tasks.filter(({ isAlive }) => isAlive);
  }

  get isUpgrading(): boolean {
    return this.#upgrading;
  }

  app(): App {
    const { hasHealthChecks } = this.#facts;
    return {
      id: APP_ID,
      version: this.#version,
      instances: this.instances,
      env: {},
      secrets: undefined,
      labels: this.labels,
      lastConfigChangeAt: this.#version,
      deployments: [],
      tasks: this.alive.map(({ id, version, startedAt, healthySince }) => ({
        id,
        host: '10.1.0.1',
        ports: [8080, 9000],
        state: 'TASK_RUNNING',
        version,
        stagedAt: new Date(startedAt),
        startedAt: new Date(startedAt),
        alive: hasHealthChecks && healthySince !== undefined ? true : undefined,
        passedAt: hasHealthChecks && healthySince !== undefined ? new Date(healthySince) : undefined,
      })),
      hasHealthChecks,
      containerPorts: [80, 9000],
      hostNetwork: false,
      containerType: 'DOCKER',
      lastTaskFailure: this.lastFailure,
      echoes: {},
      fixedPorts: [],
      upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 0 },
      args: [],
    } as App;
  }

  /** A task more. */
  start(): Program {
    const { clock, random, outside, storage, preflight, installWindow, trace, onChange } = this.#facts;
    const { keyType } = this;
    this.started += 1;
    this.startedAt = clock.now;
    const id = `letsencrypt-dcos.${this.started}`;
    const volume = storage === 'none' ? new Volume(true) : this.volume;
    const birth = { id, version: this.#version, startedAt: clock.now, volume, preflight, keyType, installWindow };
    const task = new Program(birth, outside);
    this.tasks = [...this.alive, task];
    trace(`${id} starts`);
    task.start();
    clock.after(random.between(2_000, 15_000), () => {
      task.healthySince = clock.now;
      onChange();
    });
    onChange();
    return task;
  }

  /** New labels or a new image: every task is replaced. */
  upgrade(names: readonly string[] | undefined): void {
    if (names !== undefined) {
      this.labels = labelsFor(names);
      this.past.push(this.labels);
    }
    this.#version = this.#stamp();
    this.#facts.trace(
      names === undefined ? 'Marathon: our app is upgraded' : `Marathon: labels are now ${names.join(', ')}`,
    );
    void this.#replace(this.#version);
  }

  async #replace(version: string): Promise<void> {
    const { clock, random, storage } = this.#facts;
    this.#upgrading = true;
    const old = this.alive.filter((task) => task.version !== version);
    for (const task of old) {
      if (this.#version !== version) return; // superseded by a later one
      if (storage === 'local') await this.#end(task);
      await clock.sleep(random.between(500, 8_000));
      if (this.#version !== version) return;
      const next = this.alive.length <= this.instances ? this.start() : undefined;
      await clock.sleep(random.between(15_000, 90_000));
      if (next?.isAlive === false) await clock.sleep(random.between(1_000, 60_000));
      if (storage !== 'local') await this.#end(task);
    }
    this.#upgrading = false;
    this.#fill();
  }

  scale(instances: number): void {
    this.instances = instances;
    this.#facts.trace(`Marathon: our app is scaled to ${instances}`);
    for (const task of this.alive.slice(instances)) void this.#end(task);
    this.#fill();
  }

  /** The process is gone between two of its operations, this many from now. */
  killWithin(task: Program, operations: number, after: boolean, alsoMachine: boolean): void {
    task.life.killWithin(operations, after, (what) => this.#died(task, what, alsoMachine));
    task.wake();
  }

  /** In good order: SIGTERM, then another one. */
  async restart(task: Program): Promise<void> {
    await this.#end(task);
    this.#comeBack();
  }

  #died(task: Program, what: string, alsoMachine: boolean): void {
    const { clock, random, trace, onChange } = this.#facts;
    trace(`${task.id} is killed ${what}${alsoMachine ? ', with its machine' : ''}`);
    if (alsoMachine) task.volume.crash(random);
    this.tasks = this.alive;
    const at = new Date(clock.now);
    this.lastFailure = {
      state: 'TASK_FAILED',
      message: 'killed',
      at,
      taskId: task.id,
      host: '10.1.0.1',
      version: undefined,
    };
    onChange();
    this.#comeBack();
  }

  async #end(task: Program): Promise<void> {
    const { clock, trace, onChange } = this.#facts;
    if (!task.isAlive) return;
    trace(`${task.id} is told to stop`);
    const forced = clock.after(30_000, () => task.kill());
    await Promise.race([task.stop(), clock.sleep(31_000)]);
    forced();
    task.kill();
    this.tasks = this.alive;
    onChange();
  }

  #comeBack(): void {
    const { clock, random } = this.#facts;
    clock.after(random.between(1_000, 60_000), () => {
      if (!this.#upgrading) this.#fill();
    });
  }

  #fill(): void {
    while (this.alive.length < this.instances) this.start();
    onlyEnds(this.alive.slice(this.instances), (task) => void this.#end(task));
  }

  #stamp(): string {
    this.#stampedAt = Math.max(this.#facts.clock.now, this.#stampedAt + 1);
    return new Date(this.#stampedAt).toISOString();
  }
}

function onlyEnds(tasks: readonly Program[], end: (task: Program) => void): void {
  for (const task of tasks) end(task);
}

export function labelsFor(names: readonly string[]): Readonly<Record<string, string>> {
  return { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: names.join(',') };
}
