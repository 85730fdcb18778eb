/** What happens in the cluster, told to event streams, to the tests and to executors that watch the apps. */
import type { Clock } from './clock.ts';

export interface SimulatorEvent {
  readonly eventType: string;
  readonly timestamp: string;
  readonly [field: string]: unknown;
}

export class Bus {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: SimulatorEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(eventType: string, fields: Readonly<Record<string, unknown>>): void {
    const event = { ...fields, eventType, timestamp: this.#clock.stamp() };
    for (const listener of [...this.#listeners]) listener(event);
  }

  listen(listener: (event: SimulatorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
