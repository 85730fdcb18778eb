/**
 * The state of one Marathon and its agents, and the one loop that moves it.
 *
 * Level-triggered like the real one's reconciliation: whatever happens (a PUT, an exit, a health check) only calls
 * `changed`, and a pass looks at everything again. Passes never overlap, since looking for ports takes time.
 */
import type { Agent } from './agents.ts';
import type { AppState } from './app-state.ts';
import type { Bus } from './bus.ts';
import type { Clock } from './clock.ts';
import type { ClusterView } from './executor.ts';
import type { AppWithTasks } from './model.ts';
import type { Traits } from './profiles.ts';
import type { Task } from './task.ts';

/** While something waits in the launch queue, offers keep coming this often: a port may become free behind our back. */
const OFFER_EVERY_MS = 250;

export interface ClusterParts {
  readonly traits: Traits;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly agents: readonly Agent[];
}

export class Cluster implements ClusterView {
  readonly traits: Traits;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly agents: readonly Agent[];
  readonly states = new Map<string, AppState>();
  /** Every task there ever was, oldest first. */
  readonly allTasks: Task[] = [];
  readonly #listeners = new Set<() => void>();
  #pass: () => Promise<void> = async () => undefined;
  #passing: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  closed = false;

  constructor(parts: ClusterParts) {
    this.traits = parts.traits;
    this.clock = parts.clock;
    this.bus = parts.bus;
    this.agents = parts.agents;
  }

  run(pass: () => Promise<void>): void {
    this.#pass = pass;
  }

  /** Something is different: look at everything again. */
  changed(): void {
    for (const listener of [...this.#listeners]) listener();
    this.wake();
  }

  wake(): void {
    this.#again = true;
    if (!this.closed) this.#passing ??= this.#loop().finally(() => this.#rest());
  }

  /** Somebody may have called between the last pass and now. */
  #rest(): void {
    this.#passing = undefined;
    if (this.#again) this.wake();
  }

  async #loop(): Promise<void> {
    while (this.#again && !this.closed) {
      this.#again = false;
      await Promise.resolve(); // let the request or exit that woke us finish its own bookkeeping
      await this.#pass();
    }
    clearTimeout(this.#timer);
    if (this.waiting() && !this.closed) this.#timer = setTimeout(() => this.wake(), OFFER_EVERY_MS);
  }

  waiting(): boolean {
    return [...this.states.values()].some(({ queue }) => queue.count > 0);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.#timer);
    await this.#passing;
  }

  /** Staged, running or being killed. */
  tasksOf(appId: string): readonly Task[] {
    return this.allTasks.filter((task) => task.appId === appId && !task.ended);
  }

  apps(): readonly AppWithTasks[] {
    return [...this.states.values()]
      .filter(({ deleted }) => !deleted)
      .map(({ definition, id }) => ({ ...definition, tasks: this.tasksOf(id) }));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
