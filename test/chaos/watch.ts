/**
 * The watch that is kept over a run: every second a visit to each HAProxy, a look at Marathon's record and at our program.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimTask } from '../marathon-simulator/model.ts';
import { LOAD_BALANCER, SIDECAR } from '../support/cluster.ts';
import { isDeploying, type Status, statusOf } from '../support/episode.ts';
import type { Chronicle } from './chronicle.ts';
import type { Judge } from './judge.ts';
import { type Visit, visit } from './prober.ts';
import { environmentOf, STEADY, type Stage, sidecars } from './stage.ts';

const EVERY_MS = 1_000;

export class Watch {
  readonly #stage: Stage;
  readonly #judge: Judge;
  readonly #chronicle: Chronicle;
  readonly #last = new Map<string, string>();
  readonly #over = new AbortController();
  readonly #watching: Promise<void>;
  /** Of any of our processes, in MiB. */
  peakMib = 0;

  constructor(stage: Stage, judge: Judge, chronicle: Chronicle) {
    this.#stage = stage;
    this.#judge = judge;
    this.#chronicle = chronicle;
    this.#watching = this.#watch();
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  /** Whether all names are served well at every load balancer, Marathon has finished, and the program knows it. */
  async isWell(): Promise<boolean> {
    const { cluster, names, pebble } = this.#stage;
    if (isDeploying(cluster, SIDECAR) || isDeploying(cluster, LOAD_BALANCER)) return false;
    const visits = await visit(cluster.publicHosts, names, pebble.roots);
    if (!visits.every(({ verdict }) => verdict.kind === 'good')) return false;
    return (await this.#leading())?.plan?.certificate.state === 'live';
  }

  async #watch(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const began = Date.now();
      await this.#look();
      const rest = Math.max(0, EVERY_MS - (Date.now() - began));
      await sleep(rest, undefined, { signal: this.#over.signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { cluster, names, pebble } = this.#stage;
    const [visits, leading] = await Promise.all([
      visit(cluster.publicHosts, names, pebble.roots),
      this.#leading(),
      ...sidecars(this.#stage).map((task) => this.#weigh(task)),
    ]);
    const calm = this.#chronicle.isCalm() && leading !== undefined;
    this.#judge.moment({ at: Date.now(), calm, held: isHeld(leading) });
    for (const one of visits) this.#judge.visited(one, STEADY.includes(one.name));
    this.#tell(visits, leading);
    this.#lookForLoss();
  }

  /** What the task says that leads; undefined: nobody says so. */
  async #leading(): Promise<Status | undefined> {
    const all = await Promise.all(sidecars(this.#stage).map((task) => statusOf(task).catch(() => undefined)));
    return all.find((status) => status?.plan?.leader.isUs);
  }

  #tell(visits: readonly Visit[], leading: Status | undefined): void {
    for (const host of this.#stage.cluster.publicHosts) {
      const seen = visits.filter((one) => one.host === host).map(({ verdict }) => verdict);
      const serials = new Set(seen.map((one) => ('leaf' in one ? ` ${one.leaf.serialNumber.slice(-8)}` : '')));
      this.#onChange(host, `${[...new Set(seen.map(({ kind }) => kind))].join(', ')}${[...serials].join(',')}`);
    }
    const { state, why } = leading?.plan?.certificate ?? { state: 'nobody leads', why: '' };
    this.#onChange('program', state, `${state}: ${why}`.slice(0, 300));
    this.#stage.cluster.hear('/api/status', JSON.stringify(leading?.plan?.certificate ?? {}));
  }

  #onChange(who: string, fact: string, text = fact): void {
    if (this.#last.get(who) === fact) return;
    this.#last.set(who, fact);
    this.#chronicle.note(who, text);
  }

  #lookForLoss(): void {
    const env = environmentOf(this.#stage);
    for (const [name, value] of this.#stage.foreign) {
      if (env[name] !== value)
        this.#judge.breach(`somebody else's ${name} was lost from the load balancer's environment`);
    }
  }

  /** The most there ever was, without the pages of files, which are not counted against a container. */
  async #weigh({ pid }: SimTask): Promise<void> {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const kib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
    this.peakMib = Math.max(this.peakMib, Math.round((kib('VmHWM') - kib('RssFile')) / 1024));
  }
}

/** A name, or all of them, waits for the next try after a failed order. */
function isHeld(leading: Status | undefined): boolean {
  const certificate = leading?.plan?.certificate;
  if (certificate === undefined) return false;
  return certificate.state === 'backing-off' || JSON.stringify(certificate).includes('"from":"ca"');
}
