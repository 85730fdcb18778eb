/**
 * What has changed since the last look: at the CA's log, Marathon's tasks and deployments, and what our program logged.
 *
 * Each fact is told once, when it is first seen. Looking is cheap and touches nothing.
 */
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Cluster, LOAD_BALANCER, SIDECAR } from '../support/cluster.ts';
import { seconds, type Teller } from './teller.ts';

/** Apps whose tasks are part of the story from here on. */
const APPS = [SIDECAR, LOAD_BALANCER];

export class Progress {
  readonly #cluster: Cluster;
  readonly #names: number;
  readonly #teller: Teller;
  readonly #told = new Set<string>();
  readonly #loggedBefore = new Set<string>();
  #validated = 0;
  #state: string | undefined;
  #why = '';

  constructor(cluster: Cluster, names: number, teller: Teller) {
    this.#cluster = cluster;
    this.#names = names;
    this.#teller = teller;
    for (const task of this.#tasks()) this.#told.add(keyOf(task));
    for (const { id } of cluster.marathon.deploymentsOf(LOAD_BALANCER)) this.#told.add(`${id} ended`);
  }

  /** What our program said last about itself. */
  get state(): string | undefined {
    return this.#state;
  }

  async tell(): Promise<void> {
    for (const task of this.#tasks()) this.#tellTask(task);
    this.#tellCa();
    this.#tellDeployments();
    for (const line of await this.#cluster.log()) this.#tellLine(line);
  }

  /** For the reason of a failure: where it hung, as far as anybody said. */
  async whyNot(): Promise<string> {
    const failure = this.#tasks().findLast(({ state }) => state === 'TASK_FAILED');
    if (this.#state !== undefined) return `the program is in the state '${this.#state}': ${this.#why}`;
    return failure === undefined ? 'nothing was heard of the program' : `${failure.id} failed: ${failure.message}`;
  }

  #tasks(): readonly SimTask[] {
    return APPS.flatMap((app) => this.#cluster.marathon.tasksOf(app));
  }

  #once(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    return true;
  }

  #tellTask(task: SimTask): void {
    const word = wordFor(task);
    if (word === undefined || !this.#once(keyOf(task))) return;
    const { appId, host, id, state } = task;
    this.#teller.tell(`Marathon: a task of ${appId} ${word} on ${host}`, {
      event: 'task',
      app: appId,
      task: id,
      state,
      host,
    });
  }

  #tellCa(): void {
    const { pebble } = this.#cluster;
    const orders = pebble.orders();
    if (orders > 0 && this.#once(`order ${orders}`)) this.#teller.tell('CA: took an order', { event: 'order', orders });
    const validated = (pebble.log().match(/set VALID by completed challenge/g) ?? []).length;
    // Ten steps at most, however many names there are.
    const step = Math.max(1, Math.floor(this.#names / 10));
    if (validated > this.#validated && (validated >= this.#names || validated >= this.#validated + step)) {
      this.#validated = validated;
      const sentence = `CA: validated ${validated} of ${this.#names}`;
      this.#teller.tell(sentence, { event: 'validated', validated, names: this.#names });
    }
    const issued = pebble.issued();
    if (issued > 0 && this.#once(`issued ${issued}`))
      this.#teller.tell('CA: issued the certificate', { event: 'issued', certificates: issued });
  }

  #tellDeployments(): void {
    for (const deployment of this.#cluster.marathon.deploymentsOf(LOAD_BALANCER)) {
      const { id } = deployment;
      if (this.#told.has(`${id} ended`)) continue;
      if (this.#once(id))
        this.#teller.tell('Marathon: redeploys the load balancer with the certificate', { event: 'deployment', id });
      if (deployment.endedAt === undefined) continue;
      this.#told.add(`${id} ended`);
      const tookMs = deployment.endedAt.getTime() - deployment.startedAt.getTime();
      this.#teller.tell(`Marathon: finished that after ${seconds(tookMs)}`, { event: 'deployed', id, tookMs });
    }
  }

  #tellLine(line: Readonly<Record<string, unknown>>): void {
    const key = JSON.stringify(line);
    if (this.#loggedBefore.has(key)) return;
    this.#loggedBefore.add(key);
    if (line.msg === 'state changed') {
      this.#state = String(line.to);
      this.#why = String(line.why);
      this.#teller.tell(`Program: ${this.#state} – ${this.#why}`, {
        event: 'state',
        state: this.#state,
        why: this.#why,
      });
    } else if (line.level === 'warn' || line.level === 'error') {
      const about = line.err ?? line.note ?? line.warning ?? line.problem ?? '';
      this.#teller.tell(`Program: ${line.level}: ${line.msg} ${about}`, { event: 'warning', line });
    }
  }
}

function wordFor({ state, alive }: SimTask): string | undefined {
  if (state === 'TASK_RUNNING') return alive ? 'is healthy' : 'is starting';
  if (state === 'TASK_KILLED') return 'has stopped';
  return state === 'TASK_FAILED' || state === 'TASK_FINISHED' ? 'has ended by itself' : undefined;
}

function keyOf(task: SimTask): string {
  return `${task.id} ${wordFor(task) ?? ''}`;
}
