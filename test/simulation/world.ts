/**
 * One run: the model world put together around the program, from one seed.
 *
 * It counts what fired, remembers what was said, and lets time be coarse where nothing happens: a task that sleeps may
 * wake late, as on a slow or suspended machine, but near faults, edits and due dates the loop turns at its full pace.
 */
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import type { Senses } from '../../src/observe.ts';
import type { Policy } from '../../src/plan/observation.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { Clock, realHash } from './clock.ts';
import { unmountAll } from './disk.ts';
import { schedule } from './faults.ts';
import { Fleet, type Storage } from './fleet.ts';
import { Health } from './health.ts';
import { ANY_TIME, WINDOWS } from './install-windows.ts';
import { Judge } from './judge.ts';
import { forgetParsed, LoadBalancer, read, servedBy } from './load-balancer.ts';
import { Marathon, type Put } from './marathon.ts';
import { Names } from './names.ts';
import type { Outside, Program } from './program.ts';
import { Random } from './random.ts';
import { Revocations } from './revocations.ts';
import { Telling } from './telling.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 1);
/** What the program sleeps for shorter than this, it waits for something that is about to happen. */
const SHORT_SLEEP = 9 * SECOND;
const KEPT_LINES = 400;

export interface Options {
  readonly seed: number;
  readonly days: number;
  /** Gets each line of the trace as it comes. */
  readonly onLine?: (line: string) => void;
}

export class World {
  readonly options: Options;
  readonly random: Random;
  readonly clock: Clock;
  readonly health: Health;
  readonly names = new Names();
  readonly authority: CertificateAuthority;
  readonly balancer: LoadBalancer;
  readonly marathon: Marathon;
  readonly fleet: Fleet;
  readonly judge: Judge;
  readonly revocations: Revocations;
  readonly telling: Telling;
  readonly fired = new Map<string, number>();
  readonly violations: string[] = [];
  readonly wantedSince = new Map<string, number>();
  readonly everWanted = new Set<string>();
  /** Slots that others have touched since we last wrote them. */
  readonly disturbed = new Set<string>();
  readonly lines: string[] = [];
  readonly end: number;
  /** No new fault begins from then on. */
  readonly calmFrom: number;
  readonly storage: Storage;
  /** What happens to the next order, and after the next PUT. */
  readonly atNextOrder: ((task: Program) => void)[] = [];
  readonly atNextPut: (() => void)[] = [];
  excusedAt = START;
  /** The CA was paid for certificates of no use until then. */
  signerBrokenUntil = Number.NEGATIVE_INFINITY;
  passes = 0;
  /** From a load balancer's port nothing comes back to us. */
  wireBlocked = false;
  #attention = 50;
  /** That Marathon took. */
  #puts = 0;
  readonly #coarse: Random;
  readonly #longestSleep: number;
  /** Some runs see much more at the full pace. */
  readonly #lively: number;
  readonly #hash = realHash();
  readonly #gists = new Map<Program, string>();

  constructor(options: Options) {
    this.options = options;
    this.random = new Random(`seed ${options.seed}`);
    this.clock = new Clock(START, this.random.stream('program'));
    this.end = START + options.days * DAY;
    this.calmFrom = this.end - 20 * DAY;
    this.health = new Health(this.clock);
    const draw = this.random.stream('shape');
    this.storage = draw.pick(['local', 'local', 'shared', 'none']);
    this.#coarse = this.random.stream('coarse');
    this.#longestSleep = draw.between(12, 60) * HOUR;
    this.#lively = draw.chance(0.12) ? 5 : 1;
    const clock = this.clock;
    const trace = (what: string): void => this.trace(what);
    const env = { HAPROXY_GLOBAL_DEFAULT_OPTIONS: 'redispatch', PORTS: '80,443', TOKEN: { secret: 'token' } };
    const instances = draw.integer(1, 3);
    this.balancer = new LoadBalancer({ clock, random: this.random.stream('balancer'), env, instances, trace });
    this.balancer.onChange = () => this.#changed();
    const { names } = this;
    this.authority = new CertificateAuthority({
      ...{ clock, names, trace, random: this.random.stream('authority') },
      answerAt: (_name, token) => this.#answer(token),
      isUndisturbedSince: (time) => this.#isUndisturbedSince(time),
      onIssued: (issued) => {
        this.attend(10);
        this.judge.issued(issued);
      },
      onViolation: (what) => this.violate(what),
    });
    const { balancer } = this;
    this.marathon = new Marathon({
      ...{ clock, balancer, trace, random: this.random.stream('marathon') },
      ownApp: () => this.fleet.app(),
      pastLabels: () => this.fleet.past.slice(-10),
      onPut: (put) => this.#onPut(put),
    });
    const preflight: Policy['preflight'] = draw.pick(['auto', 'auto', 'strict', 'off']);
    const window = draw.chance(0.3) ? (draw.pick(WINDOWS) ?? ANY_TIME) : ANY_TIME;
    const first = draw.pick([
      ['www.fleet.net'],
      ['www.fleet.net', 'api.fleet.net', 'shop.mart.org'],
      NAMES.slice(0, 5),
    ]);
    this.fleet = new Fleet({
      ...{
        clock,
        trace,
        preflight,
        installWindow: window.text,
        storage: this.storage,
        random: this.random.stream('fleet'),
      },
      outside: this.#outside(),
      hasHealthChecks: draw.chance(0.7),
      names: first,
      onChange: () => this.#changed(),
    });
    for (const name of first) this.wantedSince.set(name, START);
    for (const name of first) this.everWanted.add(name);
    const { health, wantedSince, everWanted } = this;
    const isRemembered = (fingerprint: string): boolean =>
      this.fleet.alive.some(({ volume }) => volume.find('ledger.json')?.data.includes(fingerprint));
    const isHeld = ({ pem }: CertificateBundle): boolean => {
      const text = JSON.stringify(pem).slice(1, -1);
      return this.fleet.alive.some(({ volume }) => volume.find('certificate.json')?.data.includes(text));
    };
    this.judge = new Judge({
      ...{ clock, health, names, balancer, wantedSince, everWanted, installWindow: window },
      ...{ isRemembered, isHeld },
      excusedAt: () => Math.max(this.excusedAt, this.fleet.startedAt),
      renewalAskedAt: () => this.revocations.askedAt,
      violate: (what) => this.violate(what),
      isDisturbed: (slot) => this.disturbed.has(slot),
    });
    this.telling = new Telling({
      clock,
      hasDisturbedSlots: () => this.disturbed.size > 0,
      violate: (what) => this.violate(what),
    });
    this.revocations = new Revocations({
      ...{ clock, health, names, trace, wantedSince, isRemembered, windowMs: window.everyMs },
      tasks: () => this.fleet.alive,
      served: () => this.#served(),
      excusedAt: () => Math.max(this.excusedAt, this.fleet.startedAt),
      spent: () => ({
        orders: this.authority.ordersMade,
        certificates: this.authority.issued.length,
        puts: this.#puts,
      }),
      violate: (what) => this.violate(what),
    });
    trace(
      `seed ${options.seed}: state ${this.storage}, preflight ${preflight}, ${instances} load balancers, window ${window.text || 'none'}, names ${first.join(', ')}`,
    );
  }

  /** To the end, or to the first violation. */
  async run(): Promise<void> {
    this.clock.late = (ms) => this.#late(ms);
    schedule(this);
    this.fleet.start();
    this.#daily();
    this.#judgeOften();
    await this.clock.run(this.end);
    if (this.violations.length === 0) {
      this.judge.served();
      this.judge.atTheEnd(this.fleet.alive);
    }
    for (const task of this.fleet.tasks) task.kill();
    unmountAll();
    forgetParsed();
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }

  trace(what: string): void {
    const line = `${new Date(this.clock.now).toISOString()} ${what}`;
    this.#hash.update(line).update('\n');
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.splice(0, KEPT_LINES / 2);
    this.options.onLine?.(line);
  }

  violate(what: string): void {
    this.violations.push(what);
    this.trace(`VIOLATION: ${what}`);
    this.clock.stop();
  }

  /** So many more passes at the full pace. */
  attend(passes: number): void {
    this.#attention = Math.max(this.#attention, passes * this.#lively);
  }

  /** Label edits: a name keeps since when it has been wanted. `unfit` are in the label and no names. */
  want(names: readonly string[], unfit: readonly string[] = []): void {
    for (const name of this.wantedSince.keys()) if (!names.includes(name)) this.wantedSince.delete(name);
    for (const name of names) if (!this.wantedSince.has(name)) this.wantedSince.set(name, this.clock.now);
    this.excusedAt = this.clock.now;
    for (const name of names) this.everWanted.add(name);
    this.fleet.upgrade([...names, ...unfit]);
  }

  /** An operator who is told that the app is locked comes back. */
  retry(change: () => boolean): void {
    if (!change()) this.clock.after(10 * MINUTE, () => this.retry(change));
  }

  /** A certificate of somebody else's that has one of our names. */
  readonly isBoughtForUs = (value: unknown): boolean => {
    const bundle = typeof value === 'string' ? read(value) : undefined;
    if (bundle === undefined || bundle.issuer !== 'CN=Bought CA') return false;
    return bundle.domains.some((name) => this.wantedSince.has(name) || NAMES.some((one) => one === name));
  };

  #outside(): Outside {
    return {
      marathon: (task) => this.marathon.client(task),
      authority: (task) => this.authority.authority(task.life),
      routes: async (...facts) => this.#routes(...facts),
      wire: async (...facts) => this.#wire(...facts),
      preflight: (domains) => domains.map((domain) => ({ domain, verdict: this.names.preflight(domain) })),
      onPlan: (task, planned) => this.#onPlan(task, planned),
      onLog: (task, line) => this.#onLog(task, line),
    };
  }

  /** A request on the challenge path finds whoever has the token: a follower asks its peers. */
  #answer(token: string): string | undefined {
    if (!this.balancer.isUp) return undefined;
    for (const task of this.fleet.alive) {
      const answer = task.challenges.answerTo(token);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  async #routes(...[instances, domains]: Parameters<Senses['routes']>): ReturnType<Senses['routes']> {
    const isKnown = this.fleet.alive.some(({ startedAt }) => startedAt < this.clock.now - 6 * SECOND);
    return domains.flatMap((domain) =>
      instances.map((instance) => {
        const task = this.balancer.taskAt(instance.host);
        if (this.wireBlocked || task === undefined || task.alive !== true)
          return { instance, domain, verdict: { kind: 'unreachable', note: 'connect ECONNREFUSED' } as const };
        if (this.names.has(domain, 'misrouted'))
          return { instance, domain, verdict: { kind: 'answered', status: 404, note: 'text/html' } as const };
        if (!isKnown)
          return { instance, domain, verdict: { kind: 'answered', status: 503, note: 'text/html' } as const };
        return { instance, domain, verdict: { kind: 'ours' } as const };
      }),
    );
  }

  async #wire(...[endpoints, domains, expected]: Parameters<Senses['wire']>): ReturnType<Senses['wire']> {
    return domains.flatMap((domain) =>
      endpoints.map(({ host, port, taskId }) => {
        const look = { endpoint: `${host}:${port}`, taskId, domain };
        const task = this.balancer.taskAt(host);
        if (this.wireBlocked || task === undefined || task.alive !== true)
          return { ...look, verdict: { kind: 'unreachable', note: `cannot connect to ${host}` } as const };
        const bundle = servedBy(task.env, domain);
        if (bundle?.fingerprint === expected) return { ...look, verdict: { kind: 'served' } as const };
        const { fingerprint, domains: has, notAfter } = bundle ?? PLACEHOLDER;
        return { ...look, verdict: { kind: 'other', fingerprint, domains: has, notAfter } as const };
      }),
    );
  }

  #isUndisturbedSince(time: number): boolean {
    const goodSince = this.health.goodSince(['clock', 'disk']);
    const excusedAt = Math.max(this.excusedAt, this.fleet.startedAt);
    return goodSince !== undefined && goodSince <= time && excusedAt <= time;
  }

  #onPut(put: Put): void {
    this.#puts += 1;
    this.judge.put(put);
    for (const slot of put.slots) this.disturbed.delete(slot);
    if (this.clock.now < this.calmFrom && this.atNextPut.length > 0) this.#happen(() => this.atNextPut.shift()?.());
    this.attend(12);
  }

  #onPlan(task: Program, planned: Plan): void {
    this.passes += 1;
    this.#attention -= 1;
    this.judge.plan(task, planned);
    this.telling.plan(planned);
    const { state, why, cure } = planned.certificate;
    const isOrder = planned.actions.some(({ kind }) => kind === 'issue');
    if (isOrder && this.clock.now < this.calmFrom && this.atNextOrder.length > 0)
      this.#happen(() => this.atNextOrder.shift()?.(task));
    const gist = gistOf(planned);
    if (this.#gists.get(task) === gist) return;
    this.#gists.set(task, gist);
    this.judge.changed(task, gist);
    this.attend(4);
    this.trace(`${task.id}: ${state}: ${why}${cure === undefined ? '' : ` [${cure}]`}`);
  }

  #onLog(task: Program, line: string): void {
    if (!task.isAlive) return;
    this.judge.log(task, line);
    const { level, msg, time: _, ...facts } = JSON.parse(line) as Record<string, unknown>;
    this.trace(`${task.id}: ${level} ${msg} ${JSON.stringify(facts)}`);
  }

  /** Marathon's event stream, which loses an event now and then. */
  #changed(): void {
    this.attend(4);
    this.#judge();
    if (this.#coarse.chance(0.05)) return;
    for (const task of this.fleet?.alive ?? []) this.clock.after(5, () => task.wake());
  }

  #daily(): void {
    this.clock.after(DAY * this.#coarse.between(0.98, 1.02), () => this.#daily());
    this.judge.served();
    for (const task of this.fleet.alive) task.lookAnew();
  }

  /** What expires does so with nobody's doing. */
  #judgeOften(): void {
    this.clock.after(6 * HOUR, () => this.#judgeOften());
    this.#judge();
  }

  /** What was prepared, and comes now. */
  #happen(change: () => void): void {
    this.telling.begin('', undefined, () => {
      change();
      return true;
    });
  }

  #judge(): void {
    this.judge?.served();
    this.revocations?.look();
  }

  /** By the load balancers that are up, for the names that are wanted. */
  #served(): ReadonlySet<string> {
    const { balancer, wantedSince } = this;
    const up = balancer.tasks.filter(({ alive }) => alive === true);
    const all = up.flatMap(({ env }) => [...wantedSince.keys()].map((name) => servedBy(env, name)?.fingerprint));
    return new Set(all.filter((one) => one !== undefined));
  }

  #late(ms: number): number {
    if (ms < SHORT_SLEEP || this.#attention > 0) return 0;
    const { now, offset } = this.clock;
    const longest = this.health.active === 0 ? this.#longestSleep : this.#longestSleep / 3;
    const shareOfLife = this.authority.lifeMs / 25;
    // Towards its end, what is left of a certificate is not slept away.
    const left = this.fleet.alive.flatMap(({ planned }) => planned?.certificate.bundle?.notAfter.getTime() ?? []);
    const shareOfRest = left.map((end) => (end - now - offset) / 12).filter((ms) => ms > 0);
    const late = this.#coarse.next() * Math.min(longest, shareOfLife, ...shareOfRest);
    const due = this.fleet.alive
      .flatMap(({ planned }) => [planned?.certificate.renewAt, awaited(planned)])
      .flatMap((at) => at?.getTime() ?? [])
      .map((at) => at - now - offset)
      .filter((left) => left > 0);
    return Math.max(0, Math.min(late, ...due));
  }
}

export const NAMES = [
  'www.fleet.net',
  'api.fleet.net',
  'shop.mart.org',
  'pay.mart.org',
  'blog.words.io',
  'cdn.words.io',
  'mail.fleet.net',
  'docs.words.io',
  'app.mart.org',
  'status.fleet.net',
] as const;

const PLACEHOLDER = { fingerprint: 'SELF:SIGNED', domains: ['*'], notAfter: new Date(START + 9999 * DAY) };

/** As service.ts has it: the state with its reason, but for what changes with every look. */
function gistOf({ certificate: { state, why, cure, domains } }: Plan): string {
  if (state === 'ordering' || state === 'deploying' || state === 'live') return state;
  const text = domains.reduce((rest, name) => rest.replaceAll(name, ''), `${state} ${why} ${cure}`);
  return text.replace(/ \(and \d+ more\)|\d+/g, '');
}

/** When the window opens that a certificate waits for. */
function awaited(planned: Plan | undefined): Date | undefined {
  return planned?.installWindow?.awaited ? planned.installWindow.opens : undefined;
}
