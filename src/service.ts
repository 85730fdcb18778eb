/**
 * `run` and its kin: puts the parts together, starts them, and stops them in reverse.
 */
import { obtain } from './acme/order.ts';
import { preflight } from './acme/preflight.ts';
import { Actions } from './act.ts';
import type { Alerter } from './alerts/alerter.ts';
import { type Config, ConfigError } from './config.ts';
import { Door } from './door.ts';
import type { Log } from './log.ts';
import { MarathonClient } from './marathon/client.ts';
import { Counts, type Traces } from './metrics/counts.ts';
import { type Family, familiesOf } from './metrics/families.ts';
import { Observer } from './observe.ts';
import { alerterOf, authOf, authorityOf, type CaFiles, policyOf, preflightOf, readCaFiles } from './parts.ts';
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
import { everComes, everyDay, onEvents, onHangup } from './wakers.ts';
import { listenAdmin } from './web/admin.ts';
import type { PublicListener } from './web/listening.ts';
import { ASKS } from './web/page-actions.ts';

/** What would be done, and what it follows from. */
export interface Preview {
  readonly seen: Observation;
  readonly planned: Plan;
  readonly policy: Policy;
}

export interface Surroundings {
  readonly onPlan?: (planned: Plan) => void;
  /** Open or not; undefined: one of its own. */
  readonly door?: Door;
}

export class Service {
  readonly #config: Config;
  readonly #policy: Policy;
  readonly #log: Log;
  readonly #door: Door;
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

  private constructor(config: Config, log: Log, files: CaFiles, { onPlan, door }: Required<Surroundings>) {
    this.#config = config;
    this.#log = log;
    this.#onPlan = onPlan;
    this.#door = door;
    this.#marathon = new MarathonClient({ ...config.marathon, auth: authOf(config), caPem: files.marathon });
    this.#store = new Store(config.stateDir);
    this.#alerter = alerterOf(config, log);
    const policy = policyOf(config, files);
    const authority = authorityOf(config, files.acme);
    const { challenges } = door;
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
    door.isAlive = () => this.#reconciler.isAlive();
  }

  /** Reads the CA files that the settings name. Throws ConfigError when one cannot be read, or the schedule never comes. */
  static async create(config: Config, log: Log, surroundings: Surroundings = {}): Promise<Service> {
    const { checkSchedule } = config;
    if (!(await everComes(checkSchedule))) {
      throw new ConfigError([
        `CHECK_SCHEDULE must be a cron expression whose day comes, such as '17 3 * * *', not '${checkSchedule}'`,
      ]);
    }
    const { onPlan = () => undefined, door = new Door(config) } = surroundings;
    return new Service(config, log, await readCaFiles(config), { onPlan, door });
  }

  /** Runs until the signal aborts; then stops what it started, in reverse. Throws when a port is taken. */
  async run(signal: AbortSignal): Promise<void> {
    const stops: (() => unknown)[] = [];
    try {
      // Before the first order: the CA comes back on this port. After the last one, for the same reason.
      await this.#door.open();
      stops.push(() => this.#door.close());
      stops.push(closing(await this.#listenAdmin()));
      stops.push(() => this.#door.peers.close());
      await takeOver(this.#config.stateDir, this.#config.runAs);
      become(this.#config.runAs);
      await this.#store.open();
      stops.push(
        () => this.#store.idle(),
        () => this.#actions.idle(),
        await this.#checkDaily(),
        onHangup(() => this.#lookAnew()),
      );
      void onEvents(this.#stream(), signal);
      const alerting = this.#alerter?.run(signal);
      stops.push(() => alerting);
      await this.#reconciler.run(signal);
    } finally {
      for (const stop of stops.reverse()) await stop();
    }
  }

  /** One look and what would follow from it; nothing is changed, and nobody listens for challenges. */
  async preview(signal: AbortSignal): Promise<Preview> {
    const before = await this.glance(signal);
    const { seen, planned, policy } = before;
    // Whether names route to us can only be seen by the process that answers challenges.
    if (planned.looks.length === 0 || planned.looks.includes('routes')) return before;
    const closer = await this.#observer.lookCloser(seen, planned, signal);
    return { seen: closer, planned: plan(closer, policy), policy };
  }

  /** The same without the looks that take their time. */
  async glance(signal: AbortSignal): Promise<Preview> {
    await this.#store.openToLook();
    const seen = await this.#observer.look(signal);
    return { seen, planned: plan(seen, this.#policy), policy: this.#policy };
  }

  /** While Marathon does not answer, those seen last are still the best guess of who else is there. */
  async #look(signal: AbortSignal): Promise<Observation> {
    const seen = await this.#observer.look(signal);
    if (seen.self.ok) this.#door.peers.learn(seen.self.value);
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

  #listenAdmin(): Promise<PublicListener> {
    const { listenAddress: host, adminPort: port, adminToken } = this.#config;
    return listenAdmin({
      ...{ host, port, log: this.#log, status: () => this.#status(), metrics: () => this.#metrics() },
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

  #stream() {
    const appIds = [this.#config.appId, this.#config.loadBalancer.id];
    return { marathon: this.#marathon, appIds, wake: () => this.#reconciler.wake(), log: this.#log };
  }

  #checkDaily(): Promise<() => unknown> {
    return everyDay(this.#config.checkSchedule, () => {
      this.#log.info({ state: this.#planned?.certificate.state, why: this.#planned?.certificate.why }, 'daily check');
      this.#lookAnew();
    });
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
}

function closing(listener: PublicListener): () => Promise<void> {
  return () => listener.close();
}
