/**
 * A model of marathon-lb under Marathon: tasks that each run with the environment of the day they started, replaced
 * one after the other by a deployment, and what HAProxy in each of them serves.
 */
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import type { App, EnvValue, Task, TaskFailure } from '../../src/marathon/app.ts';
import type { QueueItem } from '../../src/marathon/client.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export type Env = Readonly<Record<string, EnvValue>>;

export const CERT_ENV = 'HAPROXY_SSL_CERT';
export const SLOTS = [CERT_ENV, ...Array.from({ length: 29 }, (_, n) => `${CERT_ENV}${n}`)];
const ID = '/marathon-lb';

interface LbTask {
  readonly id: string;
  readonly host: string;
  readonly version: string;
  readonly startedAt: number;
  env: Env;
  alive: boolean | undefined;
  passedAt: number | undefined;
}

interface Running {
  readonly id: string;
  readonly startedAt: number;
  /** Whether our program began it. */
  readonly ours: boolean;
}

/** Parsed once for each text: what Marathon keeps does not change. */
const parsed = new Map<string, CertificateBundle | undefined>();

export function read(pem: string): CertificateBundle | undefined {
  if (parsed.has(pem)) return parsed.get(pem);
  let bundle: CertificateBundle | undefined;
  try {
    bundle = CertificateBundle.parse(pem);
  } catch {
    bundle = undefined;
  }
  parsed.set(pem, bundle);
  return bundle;
}

export function forgetParsed(): void {
  parsed.clear();
}

/** HAProxy does not start with a certificate that it cannot read; an empty first variable makes it skip the others. */
function comesUp(env: Env): boolean {
  return certificatesOf(env).every((bundle) => bundle !== undefined);
}

function certificatesOf(env: Env): readonly (CertificateBundle | undefined)[] {
  const first = env[CERT_ENV];
  if (first === undefined || (typeof first === 'string' && first.trim() === '')) return [];
  return SLOTS.flatMap((slot) => {
    const value = env[slot];
    return typeof value === 'string' && value.trim() !== '' ? [read(value)] : [];
  });
}

/** By SNI: the first certificate that has the name, else the first of all; undefined: a self-signed placeholder. */
export function servedBy(env: Env, name: string): CertificateBundle | undefined {
  const certificates = certificatesOf(env);
  return certificates.find((bundle) => bundle?.domains.includes(name)) ?? certificates[0];
}

export class LoadBalancer {
  env: Env;
  tasks: LbTask[] = [];
  deployments: Running[] = [];
  instances: number;
  /** Offers do not fit: no new task comes up. */
  stuck = false;
  lastFailure: TaskFailure | undefined;
  /** Marathon's answers to the next PUTs of anybody. */
  deploymentsMade = 0;
  onChange: () => void = () => undefined;
  #version: string;
  #configuredAt: string;
  #turn = 0;
  #serial = 0;
  #history: Env[] = [];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #trace: (what: string) => void;

  constructor(facts: { clock: Clock; random: Random; env: Env; instances: number; trace: (what: string) => void }) {
    this.#clock = facts.clock;
    this.#random = facts.random;
    this.#trace = facts.trace;
    this.env = facts.env;
    this.instances = facts.instances;
    this.#version = this.#stamp();
    this.#configuredAt = this.#version;
    for (let count = 0; count < facts.instances; count += 1) this.tasks.push(this.#newTask(true));
  }

  get isLocked(): boolean {
    return this.deployments.length > 0;
  }

  get version(): string {
    return this.#version;
  }

  app(): App {
    return {
      id: ID,
      version: this.#version,
      instances: this.instances,
      env: this.env,
      secrets: undefined,
      labels: {},
      lastConfigChangeAt: this.#configuredAt,
      deployments: this.deployments.map(({ id }) => id),
      tasks: this.tasks.map(taskShown),
      hasHealthChecks: true,
      containerPorts: [80, 443],
      hostNetwork: true,
      containerType: 'DOCKER',
      lastTaskFailure: this.lastFailure,
      echoes: {},
      fixedPorts: [],
      upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 0 },
      args: [],
    } as App;
  }

  queue(): readonly QueueItem[] {
    if (!this.stuck || !this.isLocked) return [];
    return [{ appId: ID, count: 1, overdue: true, timeLeftSeconds: 0, declined: { InsufficientPorts: 7 } }];
  }

  /** A change of the environment and what follows; `force` puts a running deployment aside. */
  deploy(env: Env, ours: boolean, force = false): string {
    if (force) this.deployments = [];
    this.#history.push(this.env);
    this.env = env;
    this.#version = this.#stamp();
    this.#configuredAt = this.#version;
    this.#serial += 1;
    this.deploymentsMade += 1;
    const running = { id: `d-${this.#serial}`, startedAt: this.#clock.now, ours };
    this.deployments = [running];
    this.#trace(`Marathon: deployment ${running.id} of marathon-lb begins${ours ? '' : ', by somebody else'}`);
    this.#roll(running);
    this.onChange();
    return running.id;
  }

  /** Somebody cancels it: Marathon goes back to what was before, in a deployment of its own. */
  cancel(): boolean {
    const before = this.#history.at(-1);
    if (!this.isLocked || before === undefined) return false;
    this.#trace(`Marathon: deployment ${this.deployments[0]?.id} is cancelled`);
    this.deploy(before, false, true);
    return true;
  }

  scale(instances: number): void {
    if (this.isLocked) return;
    this.instances = instances;
    this.#version = this.#stamp(); // scaling moves the version, and leaves lastConfigChangeAt alone
    this.#trace(`Marathon: marathon-lb is scaled to ${instances}`);
    while (this.tasks.length > instances) this.tasks.shift();
    while (this.tasks.length < instances) this.#startAndHeal();
    this.onChange();
  }

  crash(): void {
    const task = this.#random.pick(this.tasks);
    if (task === undefined || this.tasks.length <= 1) return;
    this.tasks = this.tasks.filter((one) => one !== task);
    this.lastFailure = {
      state: 'TASK_FAILED',
      message: 'exited with 137',
      at: new Date(this.#clock.now),
      taskId: task.id,
      host: task.host,
      version: undefined,
    };
    this.#trace(`Marathon: ${task.id} of marathon-lb crashes`);
    this.onChange();
    this.#clock.after(this.#random.between(2_000, 40_000), () => {
      if (this.tasks.length < this.instances && !this.isLocked) this.#startAndHeal();
    });
  }

  /** One task goes on with what it had before: a start script that hangs, a process that was not replaced. */
  keepOld(): boolean {
    const task = this.#random.pick(this.tasks);
    const before = this.#history.at(-1);
    if (task === undefined || before === undefined || !comesUp(before) || this.isLocked) return false;
    task.env = before;
    this.#trace(`marathon-lb: ${task.id} serves an old environment`);
    return true;
  }

  renewTasks(): void {
    for (const task of this.tasks)
      if (task.env !== this.env && !this.isLocked && comesUp(this.env)) task.env = this.env;
    this.onChange();
  }

  taskAt(host: string): LbTask | undefined {
    return this.tasks.find((task) => task.host === host && task.alive !== undefined);
  }

  /** Some task passes requests on. */
  get isUp(): boolean {
    return this.tasks.some(({ alive }) => alive === true);
  }

  #roll(running: Running): void {
    const isOn = (): boolean => this.deployments.includes(running);
    const next = (): void => {
      if (!isOn()) return;
      const old = this.tasks.filter(({ version }) => version !== this.#version);
      const good = this.tasks.filter(({ version, alive }) => version === this.#version && alive === true);
      const [first] = old;
      if (first === undefined && good.length >= this.instances) return void this.#end(running);
      const coming = this.tasks.some(({ version, alive }) => version === this.#version && alive !== true);
      if (!this.stuck && !coming && this.tasks.length <= this.instances) this.#startNew(isOn);
      if (first !== undefined && good.length + old.length > this.instances)
        this.tasks = this.tasks.filter((one) => one !== first);
      // Marathon, too, waits longer each time that nothing comes of it.
      const age = this.#clock.now - running.startedAt;
      this.#clock.after(this.#random.between(0.5, 1) * Math.min(Math.max(age / 10, 6_000), 600_000), next);
    };
    this.#clock.after(this.#random.between(500, 3_000), next);
  }

  #startNew(isOn: () => boolean): void {
    const task = this.#newTask(undefined);
    this.tasks.push(task);
    const heal = (): void => {
      if (!isOn() || !this.tasks.includes(task)) return;
      task.alive = comesUp(task.env);
      task.passedAt = this.#clock.now;
      if (task.alive) return;
      this.tasks = this.tasks.filter((one) => one !== task);
      this.lastFailure = {
        state: 'TASK_FAILED',
        message: 'haproxy: cannot load',
        at: new Date(this.#clock.now),
        taskId: task.id,
        host: task.host,
        version: undefined,
      };
    };
    this.#clock.after(this.#random.between(3_000, 20_000), heal);
  }

  #end(running: Running): void {
    this.deployments = this.deployments.filter((one) => one !== running);
    this.#trace(`Marathon: deployment ${running.id} has ended`);
    this.onChange();
  }

  #startAndHeal(): void {
    const task = this.#newTask(undefined);
    this.tasks.push(task);
    this.#clock.after(this.#random.between(3_000, 20_000), () => {
      task.alive = comesUp(task.env);
      task.passedAt = this.#clock.now;
      this.onChange();
    });
  }

  #newTask(alive: boolean | undefined): LbTask {
    this.#turn += 1;
    const id = `marathon-lb.${this.#turn}`;
    const host = `10.0.${Math.floor(this.#turn / 250)}.${(this.#turn % 250) + 1}`;
    return {
      id,
      host,
      version: this.#configuredAt,
      startedAt: this.#clock.now,
      env: this.env,
      alive,
      passedAt: alive ? this.#clock.now : undefined,
    };
  }

  /** Marathon's clock; two versions are never the same. */
  #stamp(): string {
    this.#stampedAt = Math.max(this.#clock.now, this.#stampedAt + 1);
    return new Date(this.#stampedAt).toISOString();
  }
  #stampedAt = 0;
}

function taskShown({ id, host, version, startedAt, alive, passedAt: passed }: LbTask): Task {
  const started = new Date(startedAt);
  const times = {
    stagedAt: started,
    startedAt: started,
    passedAt: passed === undefined ? undefined : new Date(passed),
  };
  return { id, host, ports: [80, 443], state: 'TASK_RUNNING', version, alive, ...times };
}
