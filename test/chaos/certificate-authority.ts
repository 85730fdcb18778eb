/**
 * Pebble, killed and started again: on the same address and with the same certificate of its own, as a CA behind a load
 * balancer would be, but with new roots, and with no memory of accounts, orders and nonces.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import type { Disposer, Pebble } from '../support/pebble.ts';
import { until } from '../support/until.ts';

const PATIENCE_MS = 10_000;

export class MortalPebble {
  readonly #pebble: Pebble;
  #pid: number;
  #successor: ChildProcess | undefined;
  /** Of this Pebble and of all that were before. */
  readonly roots: string[] = [];

  private constructor(pebble: Pebble, root: string) {
    this.#pebble = pebble;
    this.#pid = pebble.pid;
    this.roots.push(root);
  }

  static async of(t: Disposer, pebble: Pebble): Promise<MortalPebble> {
    const mortal = new MortalPebble(pebble, await pebble.rootPem());
    t.after(() => mortal.kill());
    return mortal;
  }

  async kill(): Promise<void> {
    const pid = this.#pid;
    if (pid === 0) return;
    this.#pid = 0;
    const isThere = this.#successor === undefined || this.#successor.exitCode === null;
    const gone = this.#successor !== undefined && isThere ? once(this.#successor, 'exit') : undefined;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      return; // the first one has been stopped by the cluster's own end
    }
    await gone;
  }

  async start(): Promise<void> {
    const config = join(dirname(this.#pebble.caFile), 'pebble.json');
    const calm = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' };
    const argv = ['-config', config, '-dnsserver', this.#pebble.dnsServer];
    this.#successor = spawn('/usr/bin/pebble', argv, { env: { ...process.env, ...calm }, stdio: 'ignore' });
    this.#pid = this.#successor.pid ?? 0;
    this.roots.push(await until(() => this.#pebble.rootPem(), 'Pebble to be back', PATIENCE_MS));
  }
}
