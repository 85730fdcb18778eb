/**
 * The keeper's public side, apart from all the rest: what it answers the CA, and the port it answers at.
 *
 * It can be opened before the rest of the program is even read: in a share of 0.05 CPU that takes seconds, in which the
 * load balancer and the other tasks' challenges would meet a closed port.
 */
import { Challenges } from './acme/challenges.ts';
import type { Config } from './config.ts';
import { Peers } from './peers.ts';
import type { PublicListener } from './web/listening.ts';
import { listenPublic } from './web/public.ts';

export class Door {
  readonly challenges = new Challenges();
  readonly peers: Peers;
  /** Whether the loop turns; it is well as long as there is none. */
  isAlive: () => boolean = () => true;
  readonly #place: { readonly host: string; readonly port: number };
  #listener: PublicListener | undefined;

  constructor({ taskId, listenAddress: host, httpPort: port }: Pick<Config, 'taskId' | 'listenAddress' | 'httpPort'>) {
    this.peers = new Peers(taskId);
    this.#place = { host, port };
  }

  /** Does nothing when it is open. Throws when the port is taken. */
  async open(): Promise<void> {
    const { challenges, peers } = this;
    this.#listener ??= await listenPublic({ ...this.#place, challenges, peers, isAlive: () => this.isAlive() });
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }
}
