/**
 * One task of our app: the production parts, put together as service.ts does, over the model world.
 *
 * What stands in for the outside: Marathon's client, the CA's session, and the looks over the network. No line of
 * Store, Observer, Reconciler, planner, ledger or order is another one than in production.
 */
import { Challenges } from '../../src/acme/challenges.ts';
import { obtain } from '../../src/acme/order.ts';
import type { PreflightLook } from '../../src/acme/preflight.ts';
import type { Authority } from '../../src/acme/transport.ts';
import { Actions, type Tools } from '../../src/act.ts';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import type { MarathonClient } from '../../src/marathon/client.ts';
import { Observer, type Senses } from '../../src/observe.ts';
import { policyOf } from '../../src/parts.ts';
import { askObstacle } from '../../src/plan/asking.ts';
import type { Policy } from '../../src/plan/observation.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { Reconciler } from '../../src/reconciler.ts';
import { Store } from '../../src/store.ts';
import { mount, type Volume } from './disk.ts';
import { Lifeline } from './task.ts';

/** Parsing is pure and a bundle never changes: once for each text, or it were all that a run does. */
const parse = CertificateBundle.parse.bind(CertificateBundle);
const bundles = new Map<string, CertificateBundle>();
CertificateBundle.parse = (pem) => {
  const known = bundles.get(pem);
  if (known !== undefined) return known;
  if (bundles.size > 1_000) bundles.clear();
  const made = parse(pem);
  bundles.set(pem, made);
  return made;
};

export const APP_ID = '/letsencrypt-dcos';

export interface Outside {
  readonly marathon: (
    task: Program,
  ) => Pick<MarathonClient, 'app' | 'deployments' | 'queue' | 'pastLabels' | 'neighbours' | 'putEnv'>;
  readonly authority: (task: Program) => Authority;
  readonly routes: Senses['routes'];
  readonly wire: Senses['wire'];
  readonly preflight: (domains: readonly string[]) => readonly PreflightLook[];
  readonly onPlan: (task: Program, planned: Plan) => void;
  readonly onLog: (task: Program, line: string) => void;
}

export interface Birth {
  readonly id: string;
  readonly version: string;
  readonly startedAt: number;
  readonly volume: Volume;
  readonly preflight: Policy['preflight'];
  readonly keyType: string;
  /** Empty: at any time. */
  readonly installWindow: string;
}

export class Program {
  readonly id: string;
  readonly version: string;
  readonly startedAt: number;
  readonly volume: Volume;
  readonly life = new Lifeline();
  readonly challenges = new Challenges();
  /** By Marathon's health check. */
  healthySince: number | undefined;
  planned: Plan | undefined;
  passes = 0;
  readonly #abort = new AbortController();
  readonly #store: Store;
  readonly #actions: Actions;
  readonly #observer: Observer;
  readonly #reconciler: Reconciler;
  #ended: Promise<void> = Promise.resolve();

  constructor(birth: Birth, outside: Outside) {
    const { id, version, startedAt, volume, preflight, keyType, installWindow } = birth;
    this.id = id;
    this.version = version;
    this.startedAt = startedAt;
    this.volume = volume;
    const stateDir = mount(id, {
      volume,
      gate: (what) => this.life.gate(what),
      after: (what) => this.life.after(what),
    });
    const config = parseConfig({
      MARATHON_APP_ID: APP_ID,
      MESOS_TASK_ID: id,
      MARATHON_LB_ID: '/marathon-lb',
      LETSENCRYPT_EMAIL: 'ops@fleet.net',
      STATE_DIR: stateDir,
      KEY_TYPE: keyType,
      INSTALL_WINDOW: installWindow,
    });
    const policy: Policy = { ...policyOf(config, { acme: undefined, marathon: undefined }), preflight };
    const log = createLog({ level: 'info', write: (line) => outside.onLog(this, line) });
    const marathon = outside.marathon(this);
    this.#store = new Store(config.stateDir);
    const authority = outside.authority(this);
    const { challenges } = this;
    const tools: Tools = {
      directoryUrl: config.acme.directoryUrl,
      settingsMark: policy.settingsMark,
      marathon,
      store: this.#store,
      obtain: (spec, resume, deps) => obtain(spec, resume, { ...deps, challenges, authority }),
      log,
      wake: () => this.#reconciler.wake(),
    };
    this.#actions = new Actions(tools);
    this.#observer = new Observer({
      config,
      marathon,
      store: this.#store,
      actions: this.#actions,
      routes: outside.routes,
      wire: outside.wire,
      preflight: async (domains) => outside.preflight(domains),
    });
    this.#reconciler = new Reconciler(
      {
        observe: (signal) => this.#observer.look(signal),
        lookCloser: (seen, planned, signal) => this.#observer.lookCloser(seen, planned, signal),
        plan: (seen) => plan(seen, policy),
        act: (action, seen, signal) => this.#actions.carryOut(action, seen, signal),
      },
      log,
      (planned) => {
        if (this.life.isDead) return;
        this.planned = planned;
        this.passes += 1;
        outside.onPlan(this, planned);
      },
    );
  }

  get isAlive(): boolean {
    return !this.life.isDead;
  }

  get isOrdering(): boolean {
    return this.#actions.order !== undefined;
  }

  start(): void {
    this.#ended = this.#run();
  }

  wake(): void {
    this.#reconciler.wake();
  }

  /** What the daily check and SIGHUP do. */
  lookAnew(): void {
    this.#observer.forget();
    this.#actions.forgetFailedInstall();
    this.#reconciler.wake();
  }

  /** What the button of the status page does. False: it said why not. */
  askRenewal(): boolean {
    if (askObstacle('renew', this.planned) !== undefined) return false;
    this.#actions.askRenewal();
    this.lookAnew();
    return true;
  }

  /** SIGTERM. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
    this.life.kill();
  }

  kill(): void {
    this.life.kill();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    await this.#store.open();
    await this.#reconciler.run(signal);
    await this.#actions.idle();
    await this.#store.idle();
  }
}
