/**
 * The agents: addresses of this machine with a role and ports, and whether an app fits on one.
 *
 * A port is free when no task of ours has it and binding it really works. The order of the questions is Mesos offers'
 * funnel as Marathon's NoOfferMatchReason lists it; only the first "no" of an offer counts.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type AppDefinition, isResident, mappings, onHostNetwork } from './model.ts';

export interface AgentOptions {
  readonly host: string;
  /** Default '*'. */
  readonly role?: string;
  /** Offered for host port 0; fixed ports are only checked by binding them. Default 31000 to 32000. */
  readonly ports?: readonly [number, number];
}

export const REASONS = [
  'UnfulfilledRole',
  'UnfulfilledConstraint',
  'NoCorrespondingReservationFound',
  'AgentMaintenance',
  'InsufficientCpus',
  'InsufficientMemory',
  'InsufficientDisk',
  'InsufficientGpus',
  'InsufficientPorts',
  'DeclinedScarceResources',
] as const;
export type Reason = (typeof REASONS)[number];

/** What an offer is matched against, besides the agent itself. */
export interface Wish {
  readonly app: AppDefinition;
  /** Hosts of the app's tasks that are there already: for UNIQUE and MAX_PER. */
  readonly neighbours: readonly string[];
  /** Hosts with a free persistent volume of this app; only these, if there is any. */
  readonly reservations: readonly string[];
}

export class Agent {
  readonly id: string;
  readonly host: string;
  readonly role: string;
  readonly #range: readonly [number, number];
  readonly #taken = new Map<number, string>();
  #next: number;

  constructor(options: AgentOptions, index: number) {
    this.id = `${randomUUID()}-S${index}`;
    this.host = options.host;
    this.role = options.role ?? '*';
    this.#range = options.ports ?? [31_000, 32_000];
    this.#next = this.#range[0];
  }

  get taken(): readonly number[] {
    return [...this.#taken.keys()].sort((a, b) => a - b);
  }

  /** Why this agent's offer does not fit, ports aside. */
  objection(wish: Wish): Reason | undefined {
    const roles = wish.app.acceptedResourceRoles ?? ['*', wish.app.role ?? '*'];
    if (!roles.includes(this.role)) return 'UnfulfilledRole';
    if (!wish.app.constraints.every((constraint) => this.#fulfils(constraint, wish))) return 'UnfulfilledConstraint';
    if (!isResident(wish.app) || wish.reservations.length === 0) return undefined;
    return wish.reservations.includes(this.host) ? undefined : 'NoCorrespondingReservationFound';
  }

  #fulfils([field, operator, value]: readonly string[], { neighbours }: Wish): boolean {
    if (field !== 'hostname' && field !== '@hostname') return true;
    const here = neighbours.filter((host) => host === this.host).length;
    if (operator === 'UNIQUE') return here === 0;
    if (operator === 'MAX_PER') return here < Number(value);
    if (operator === 'LIKE') return new RegExp(`^(?:${value})$`).test(this.host);
    if (operator === 'UNLIKE') return !new RegExp(`^(?:${value})$`).test(this.host);
    if (operator !== 'CLUSTER') return true;
    return this.host === (value || (neighbours[0] ?? this.host));
  }

  /** Takes the app's ports for a task, all or none. Undefined: not all are free. */
  async reserve(app: AppDefinition, taskId: string): Promise<readonly number[] | undefined> {
    const ports: number[] = [];
    for (const wanted of wantedPorts(app)) {
      const port = wanted === undefined ? 0 : await this.#take(wanted, taskId);
      if (port === undefined) {
        this.release(taskId);
        return undefined;
      }
      if (port !== 0) ports.push(port);
    }
    return ports;
  }

  release(taskId: string): void {
    for (const [port, owner] of this.#taken) if (owner === taskId) this.#taken.delete(port);
  }

  async #take(wanted: number, taskId: string): Promise<number | undefined> {
    for (const port of wanted === 0 ? this.#candidates() : [wanted]) {
      if (this.#taken.has(port)) continue;
      this.#taken.set(port, taskId);
      if (await canBind(this.host, port)) return port;
      this.#taken.delete(port);
    }
    return undefined;
  }

  /** Round the range, so that a port is not given to the next task while clients still know the last one there. */
  *#candidates(): Generator<number> {
    const [first, last] = this.#range;
    for (let tries = first; tries <= last; tries++) {
      const port = this.#next;
      this.#next = port >= last ? first : port + 1;
      yield port;
    }
  }
}

/** By port index; 0: any. Undefined: a container port that is not mapped. */
export function wantedPorts(app: AppDefinition): readonly (number | undefined)[] {
  if (!onHostNetwork(app)) return mappings(app).map(({ hostPort }) => hostPort);
  return app.portDefinitions.map(({ port }) => (app.requirePorts ? port : 0));
}

export async function canBind(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
