/**
 * `run` and its kin: puts the parts together, starts them, and stops them in reverse.
 *
 * Here is where the outside wakes the loop: Marathon's events, the daily check, SIGHUP, an order that ended. None of
 * them says what changed.
 */
import { randomInt } from 'node:crypto';
import { createTask, type ScheduledTask, validate } from 'node-cron';
import { Challenges } from './acme/challenges.ts';
import { obtain } from './acme/order.ts';
import { preflight } from './acme/preflight.ts';
import { Actions } from './act.ts';
import type { Alerter } from './alerts/alerter.ts';
import { type Config, ConfigError } from './config.ts';
import type { Log } from './log.ts';
import { MarathonClient } from './marathon/client.ts';
import { Counts, type Traces } from './metrics/counts.ts';
import { type Family, familiesOf } from './metrics/families.ts';
import { Observer } from './observe.ts';
import { alerterOf, authOf, authorityOf, type CaFiles, policyOf, preflightOf, readCaFiles } from './parts.ts';
import { pause } from './pause.ts';
import { Peers } from './peers.ts';
import { type Ask, askObstacle } from './plan/asking.ts';
import type { Observation, Policy } from './plan/observation.ts';
import { type Plan, plan } from './plan/plan.ts';
import { type Action, ALARMING } from './plan/verdict.ts';
import { become, takeOver } from './privileges.ts';
import { Reconciler } from './reconciler.ts';
import { lookAtRoutes } from './route.ts';
import { lookAtServed } from './served.ts';
import { statusOf } from './status.ts';
import { Store } from './store.ts';
import { gist, Timeline } from './timeline.ts';
import { VERSION } from './version.ts';
import { ASKS } from './web/page-actions.ts';
import { listenAdmin, listenPublic, type PublicListener } from './web/server.ts';

/** Reconnecting to the event stream: at first soon, then once a minute; polling alone is enough meanwhile. */
const RECONNECT_MS = { first: 1_000, longest: 60_000 };

export class Service {
  readonly #config: Config;
  readonly #policy: Policy;
  readonly #log: Log;
  readonly #challenges = new Challenges();
  readonly #peers: Peers;
  readonly #startedAt = new Date();
  readonly #timeline = new Timeline(this.#startedAt, `letsencrypt-dcos ${VERSION} started`);
  readonly #marathon: MarathonClient;
  readonly #store: Store;
  readonly #actions: Actions;
  readonly #observer: Observer;
  readonly #reconciler: Reconciler;
  readonly #onPlan: (planned: Plan) => void;
  readonly #counts = new Counts();
  readonly #alerter: Alerter | undefined;
  #planned: Plan | undefined;
  /** What the last plan was made from. */
  #seen: Observation | undefined;

  private constructor(config: Config, log: Log, files: CaFiles, onPlan: (planned: Plan) => void) {
    this.#config = config;
    this.#log = log;
    this.#onPlan = onPlan;
    this.#peers = new Peers(config.taskId);
    this.#marathon = new MarathonClient({ ...config.marathon, auth: authOf(config), caPem: files.marathon });
    this.#store = new Store(config.stateDir);
    this.#alerter = alerterOf(config, log);
    const policy = policyOf(config, files);
    const authority = authorityOf(config, files.acme);
    const challenges = this.#challenges;
    this.#actions = new Actions({
      directoryUrl: config.acme.directoryUrl,
      settingsMark: policy.settingsMark,
      marathon: this.#marathon,
      store: this.#store,
      obtain: async (spec, resume, deps) => obtain(spec, resume, { ...deps, challenges, authority: await authority() }),
      log,
      wake: () => this.#reconciler.wake(),
    });
    const timeoutMs = config.probeTimeoutMs;
    const ahead = preflightOf(config, files.acme);
    this.#observer = new Observer({
      config,
      marathon: this.#marathon,
      store: this.#store,
      actions: this.#actions,
      routes: (instances, domains, signal) => lookAtRoutes(instances, domains, { challenges, timeoutMs, signal }),
      wire: (endpoints, domains, expected, signal) => lookAtServed(endpoints, domains, expected, { timeoutMs, signal }),
      preflight: (domains, signal, loadBalancerHosts) =>
        preflight(domains, { ...ahead, challenges, accountUrl: () => this.#accountUrl(), loadBalancerHosts, signal }),
    });
    this.#policy = policy;
    this.#reconciler = new Reconciler(
      {
        observe: (signal) => this.#look(signal),
        lookCloser: (seen, planned, signal) => this.#observer.lookCloser(seen, planned, signal),
        plan: (seen) => {
          this.#seen = seen;
          return plan(seen, policy);
        },
        act: (action, seen, signal) => this.#act(action, seen, signal),
      },
      log,
      (planned) => this.#note(planned),
    );
  }

  /** Reads the CA files that the settings name. Throws ConfigError when one cannot be read, or the schedule never comes. */
  static async create(config: Config, log: Log, onPlan: (planned: Plan) => void = () => {}): Promise<Service> {
    const { checkSchedule } = config;
    if (checkSchedule !== undefined && !validate(checkSchedule)) {
      throw new ConfigError([`CHECK_SCHEDULE must be a cron expression whose day comes, not '${checkSchedule}'`]);
    }
    return new Service(config, log, await readCaFiles(config), onPlan);
  }

  /** Runs until the signal aborts; then stops what it started, in reverse. Throws when a port is taken. */
  async run(signal: AbortSignal): Promise<void> {
    const stops: (() => unknown)[] = [];
    try {
      // Before the first order: the CA comes back on this port. After the last one, for the same reason.
      stops.push(closing(await this.#listenPublic()), closing(await this.#listenAdmin()));
      stops.push(() => this.#peers.close());
      await takeOver(this.#config.stateDir, this.#config.runAs);
      become(this.#config.runAs);
      await this.#store.open();
      stops.push(
        () => this.#store.idle(),
        () => this.#actions.idle(),
        this.#wakeDaily(),
        this.#wakeOnHangup(),
      );
      void this.#wakeOnEvents(signal);
      const alerting = this.#alerter?.run(signal);
      stops.push(() => alerting);
      await this.#reconciler.run(signal);
    } finally {
      for (const stop of stops.reverse()) await stop();
    }
  }

  /** One look and what would follow from it; nothing is changed, and nobody listens for challenges. */
  async preview(signal: AbortSignal): Promise<Plan> {
    const policy = this.#policy;
    await this.#store.openToLook();
    const seen = await this.#observer.look(signal);
    const planned = plan(seen, policy);
    // Whether names route to us can only be seen by the process that answers challenges.
    if (planned.looks.length === 0 || planned.looks.includes('routes')) return planned;
    return plan(await this.#observer.lookCloser(seen, planned, signal), policy);
  }

  /** While Marathon does not answer, those seen last are still the best guess of who else is there. */
  async #look(signal: AbortSignal): Promise<Observation> {
    const seen = await this.#observer.look(signal);
    if (seen.self.ok) this.#peers.learn(seen.self.value);
    this.#counts.looked(seen);
    return seen;
  }

  async #act(action: Action, seen: Observation, signal: AbortSignal): Promise<void> {
    const traces = (): Traces => ({
      failedInstall: this.#actions.failedInstall,
      deploymentId: this.#actions.deploymentId,
    });
    const before = traces();
    await this.#actions.carryOut(action, seen, signal);
    this.#counts.acted(action, before, traces());
  }

  /** For CAA records that name accounts; a folder that cannot be read is told elsewhere. */
  async #accountUrl(): Promise<string | undefined> {
    const account = await this.#store.account(this.#config.acme.directoryUrl).catch(() => undefined);
    return account?.url;
  }

  #listenPublic(): Promise<PublicListener> {
    const { listenAddress: host, httpPort: port } = this.#config;
    const isAlive = (): boolean => this.#reconciler.isAlive();
    return listenPublic({ host, port, challenges: this.#challenges, peers: this.#peers, isAlive });
  }

  #listenAdmin(): Promise<PublicListener> {
    const { listenAddress: host, adminPort: port, adminToken } = this.#config;
    return listenAdmin({
      ...{ host, port, status: () => this.#status(), metrics: () => this.#metrics() },
      isReady: () => this.#planned !== undefined,
      asks:
        adminToken === undefined ? undefined : { token: adminToken, log: this.#log, ask: (what) => this.#asked(what) },
    });
  }

  #metrics(): readonly Family[] {
    const { user, system } = process.cpuUsage();
    return familiesOf({
      planned: this.#planned,
      seen: this.#seen,
      counts: this.#counts,
      loop: { alive: this.#reconciler.isAlive(), ...this.#reconciler.turns },
      alerts: this.#alerter?.figures,
      process: {
        residentBytes: process.memoryUsage.rss(),
        cpuSeconds: (user + system) / 1e6,
        startedAt: this.#startedAt,
        nodeVersion: process.version,
      },
      version: VERSION,
    });
  }

  #status() {
    const { appId, taskId, warnings, acme, loadBalancer } = this.#config;
    const { events, deployments } = this.#timeline;
    return statusOf(this.#planned, {
      ...{ version: VERSION, appId, taskId, loadBalancerId: loadBalancer.id, directoryUrl: acme.directoryUrl },
      ...{ startedAt: this.#startedAt, alive: this.#reconciler.isAlive(), warnings, events, deployments },
    });
  }

  /** What changed is logged; a quiet day is one line. */
  #note(planned: Plan): void {
    const before = this.#planned;
    this.#planned = planned;
    this.#timeline.note(planned);
    this.#alerter?.note(planned);
    const { state, why, cure, slot } = planned.certificate;
    if (before === undefined || gist(before) !== gist(planned)) {
      const level = ALARMING.has(state) ? 'warn' : 'info';
      this.#log[level]({ from: before?.certificate.state, to: state, why, cure, slot }, 'state changed');
    }
    for (const note of planned.notes) if (!before?.notes.includes(note)) this.#log.warn({ note }, 'take note');
    this.#onPlan(planned);
  }

  #wakeDaily(): () => void {
    const schedule = this.#config.checkSchedule ?? `${randomInt(60)} ${randomInt(24)} * * *`;
    const check = (): void => {
      this.#log.info({ state: this.#planned?.certificate.state, why: this.#planned?.certificate.why }, 'daily check');
      this.#lookAnew();
    };
    const task: ScheduledTask = createTask(schedule, check, { timezone: 'UTC' });
    task.start();
    return () => task.destroy();
  }

  #wakeOnHangup(): () => void {
    const wake = (): void => this.#lookAnew();
    process.on('SIGHUP', wake);
    return () => process.off('SIGHUP', wake);
  }

  /** An operator pressed a button. Undefined: it is done; else why it is not. */
  async #asked(what: Ask): Promise<string | undefined> {
    const obstacle = askObstacle(what, this.#planned);
    if (obstacle !== undefined) return obstacle;
    if (what === 'renew') this.#actions.askRenewal();
    else await this.#actions.liftHolds();
    this.#timeline.add({ at: new Date(), kind: 'asked', text: `an operator pressed "${ASKS[what]}"` });
    this.#lookAnew();
    return undefined;
  }

  /** At everything, as if for the first time. What the CA has refused keeps its time: its limits are not ours to lift. */
  #lookAnew(): void {
    this.#observer.forget();
    this.#actions.forgetFailedInstall();
    this.#reconciler.wake();
  }

  /** Events only hasten the next look; without them the loop is slower and nothing else. */
  async #wakeOnEvents(signal: AbortSignal): Promise<void> {
    const ours = [this.#config.appId, this.#config.loadBalancer.id];
    let wait = RECONNECT_MS.first;
    while (!signal.aborted) {
      const connectedAt = performance.now();
      try {
        for await (const { appId } of this.#marathon.events(signal)) {
          if (appId === undefined || ours.includes(appId)) this.#reconciler.wake();
        }
      } catch (error) {
        // It breaks once in a while; one that never holds is worth an operator's eye, once.
        const level = wait < RECONNECT_MS.longest && wait * 2 >= RECONNECT_MS.longest ? 'warn' : 'debug';
        if (!signal.aborted) this.#log[level]({ err: error as Error, waitMs: wait }, 'no event stream');
      }
      const held = performance.now() - connectedAt > RECONNECT_MS.longest;
      wait = held ? RECONNECT_MS.first : Math.min(wait * 2, RECONNECT_MS.longest);
      await pause(wait * (0.5 + Math.random() / 2), signal);
    }
  }
}

function closing(listener: PublicListener): () => Promise<void> {
  return () => listener.close();
}
