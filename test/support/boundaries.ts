/**
 * The request boundaries of one order and its PUT, as a recording proxy before the CA and one before Marathon see them,
 * and how a process is cut off at one: before the reply reaches it, or right after.
 *
 * How it is killed there, and what comes in its place, is the caller's: see test/e2e/kills.test.ts.
 */
import type { Hooks, Recorded, RecordingProxy } from './recording-proxy.ts';

/** `lost`: the server has acted, the process never hears of it. `passed on`: it has the last byte, and no more. */
export type Moment = 'reply lost' | 'reply passed on';

/** By Pebble's paths. A POST-as-GET of a challenge does not occur. */
const RESOURCES: readonly (readonly [RegExp, string])[] = [
  [/^\/dir$/, 'directory'],
  [/^\/nonce-plz/, 'newNonce'],
  [/^\/sign-me-up/, 'newAccount'],
  [/^\/order-plz/, 'newOrder'],
  [/^\/authZ\//, 'authorization'],
  [/^\/chalZ\//, 'challenge'],
  [/^\/my-order\//, 'order poll'],
  [/^\/finalize-order\//, 'finalize'],
  [/^\/certZ\//, 'certificate'],
];

/** Gives each request its name, in the order of arrival: 'authorization', 'authorization 2', 'order poll after finalize'. */
class Labels {
  readonly #seen: string[] = [];

  /** Undefined: no boundary, such as a look at Marathon. */
  of({ method, path }: Recorded): string | undefined {
    const resource = method === 'PUT' ? 'PUT' : RESOURCES.find(([pattern]) => pattern.test(path))?.[1];
    if (resource === undefined) return undefined;
    const name = resource === 'order poll' && this.#seen.includes('finalize') ? `${resource} after finalize` : resource;
    this.#seen.push(name);
    const times = this.#seen.filter((one) => one === name).length;
    return times === 1 ? name : `${name} ${times}`;
  }
}

/** What is done at the boundary. */
export interface Blow {
  /** Ends the process, or has it ended; resolves when it is dead. It may wait until the process has asked for more, which gets no answer. */
  strike(asksForMore: () => boolean): Promise<void>;
  /** Whether the next process may have begun to ask: until then every request is the old one's. */
  successorAsks(): boolean;
}

/** Both proxies with one memory, as a process has one order at a time. */
export class Boundaries {
  readonly #labels = new Labels();
  readonly #named = new Map<Recorded, string>();
  #struck: Promise<void> | undefined;

  /** In the order of arrival. */
  get reached(): readonly string[] {
    return [...this.#named.values()];
  }

  get struck(): Promise<void> | undefined {
    return this.#struck;
  }

  /** Only writes down what comes by. */
  record(...proxies: readonly RecordingProxy[]): void {
    const hooks: Hooks = { onRequest: (_, request) => this.#note(request) };
    for (const proxy of proxies) proxy.hooks = hooks;
  }

  /** Strikes once, at this boundary. Whatever the old process asks after that moment gets no further. */
  arm(
    at: { readonly boundary: string; readonly moment: Moment },
    blow: Blow,
    ...proxies: readonly RecordingProxy[]
  ): void {
    const isThere = (request: Recorded, moment: Moment): boolean =>
      this.#struck === undefined && moment === at.moment && this.#named.get(request) === at.boundary;
    let isHeld = false;
    const strike = (): Promise<void> => blow.strike(() => isHeld);
    const hooks: Hooks = {
      onRequest: async (_, request) => {
        if (this.#struck === undefined) return this.#note(request);
        if (this.#labels.of(request) === undefined || blow.successorAsks()) return 'pass';
        isHeld = true;
        await this.#struck;
        return 'drop';
      },
      onReply: async (_, request) => {
        if (!isThere(request, 'reply lost')) return 'pass';
        this.#struck = strike();
        await this.#struck;
        return 'drop';
      },
      afterReply: (_, request) => {
        if (isThere(request, 'reply passed on')) this.#struck = strike();
      },
    };
    for (const proxy of proxies) proxy.hooks = hooks;
  }

  /** Nobody is cut off: the reply at this boundary waits until the work is done. */
  meanwhile(boundary: string, work: () => Promise<void>, ...proxies: readonly RecordingProxy[]): void {
    const hooks: Hooks = {
      onRequest: (_, request) => this.#note(request),
      onReply: async (_, request): Promise<'pass'> => {
        if (this.#struck !== undefined || this.#named.get(request) !== boundary) return 'pass';
        this.#struck = work();
        await this.#struck;
        return 'pass';
      },
    };
    for (const proxy of proxies) proxy.hooks = hooks;
  }

  #note(request: Recorded): 'pass' {
    const name = this.#labels.of(request);
    if (name !== undefined) this.#named.set(request, name);
    return 'pass';
  }
}
