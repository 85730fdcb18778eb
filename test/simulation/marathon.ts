/**
 * A model of Marathon as our program asks it: our app, marathon-lb, one change of an environment, and its bad days.
 *
 * It stands in for MarathonClient. The body of a change is made by the production code, and Marathon replaces the whole
 * environment by it; so what is lost in that body is lost here.
 */
import type { App } from '../../src/marathon/app.ts';
import type { Deployment, MarathonClient } from '../../src/marathon/client.ts';
import { MarathonError, refusal } from '../../src/marathon/error.ts';
import { appUpdate } from '../../src/marathon/update.ts';
import type { Clock } from './clock.ts';
import type { Env, LoadBalancer } from './load-balancer.ts';
import { APP_ID, type Program } from './program.ts';
import type { Random } from './random.ts';

/** What becomes of one change. */
export type PutFault = 'locked' | 'lost' | 'applied-unknown' | 'refused';

export interface Put {
  readonly by: Program;
  readonly before: Env;
  readonly after: Env;
  /** The slots that it means to change. */
  readonly slots: readonly string[];
}

export interface MarathonFacts {
  readonly clock: Clock;
  readonly random: Random;
  readonly balancer: LoadBalancer;
  readonly ownApp: () => App;
  readonly pastLabels: () => readonly App['labels'][];
  readonly onPut: (put: Put) => void;
  readonly trace: (what: string) => void;
}

type Client = Pick<MarathonClient, 'app' | 'deployments' | 'queue' | 'pastLabels' | 'neighbours' | 'putEnv'>;

export class Marathon {
  outage: 'away' | 'leaderless' | 'slow' | undefined;
  putFaults: { readonly fault: PutFault; readonly meet: () => void }[] = [];
  puts = 0;
  readonly #facts: MarathonFacts;

  constructor(facts: MarathonFacts) {
    this.#facts = facts;
  }

  client(task: Program): Client {
    const { balancer, ownApp, pastLabels } = this.#facts;
    const ask = <T>(what: string, signal: AbortSignal, effect: () => T): Promise<T> =>
      this.#exchange(task, what, signal, effect);
    return {
      app: (id, signal) => ask(`GET /v2/apps${id}`, signal, () => (id === APP_ID ? ownApp() : balancer.app())),
      deployments: (signal) => ask('GET /v2/deployments', signal, () => balancer.deployments.map(deploymentShown)),
      queue: (signal) => ask('GET /v2/queue', signal, () => balancer.queue()),
      pastLabels: (_id, signal) => ask('GET versions', signal, pastLabels),
      neighbours: (_groups, signal) => ask('GET apps', signal, () => []),
      putEnv: (app, changes, signal, options = {}) => {
        const body = appUpdate(app, changes);
        return ask(`PUT /v2/apps${app.id}`, signal, () =>
          this.#put(task, body, { slots: Object.keys(changes), force: options.force ?? false }),
        );
      },
    };
  }

  async #exchange<T>(task: Program, what: string, signal: AbortSignal, effect: () => T): Promise<T> {
    const { clock, random } = this.#facts;
    await task.life.gate(what);
    await clock.sleep(this.outage === 'slow' ? random.between(1_000, 9_000) : random.between(3, 60));
    signal.throwIfAborted();
    await task.life.gate(`${what}, sent`);
    if (this.outage === 'away') throw new MarathonError(`${what}: connect ECONNREFUSED 10.0.0.1:8080`, 'does it run?');
    if (this.outage === 'leaderless') {
      const text = '{"message":"Could not determine the current leader"}';
      throw refusal(what, { status: 503, contentType: 'application/json', text });
    }
    const result = effect();
    await task.life.after(what);
    return result;
  }

  #put(
    by: Program,
    body: Readonly<Record<string, unknown>>,
    { slots, force }: { readonly slots: readonly string[]; readonly force: boolean },
  ) {
    const { balancer, onPut, trace } = this.#facts;
    const what = 'PUT /v2/apps/marathon-lb';
    const after = body.env as Env;
    const next = this.putFaults.shift();
    next?.meet();
    const fault = next?.fault;
    this.puts += 1;
    trace(`${by.id}: PUT ${slots.join(', ')}${fault === undefined ? '' : ` (${fault})`}`);
    if (fault === 'refused') {
      const text = '{"message":"Object is not valid","details":[{"path":"/env","errors":["must not be"]}]}';
      throw refusal(what, { status: 422, contentType: 'application/json', text });
    }
    if (fault === 'locked' || (balancer.isLocked && !force)) {
      const locks = balancer.deployments.map(({ id }) => ({ id }));
      const message = "App is locked by one or more deployments. Override with the option '?force=true'.";
      const text = JSON.stringify({ message, deployments: locks });
      throw refusal(what, { status: 409, contentType: 'application/json', text });
    }
    const unknown = { outcomeUnknown: true, retryable: true };
    if (fault === 'lost') throw new MarathonError(`${what}: socket hang up`, 'look again', unknown);
    onPut({ by, before: balancer.env, after, slots });
    const deploymentId = balancer.deploy(after, true, force);
    if (fault === 'applied-unknown') throw new MarathonError(`${what}: socket hang up`, 'look again', unknown);
    return { deploymentId, version: balancer.version };
  }
}

function deploymentShown({ id }: { readonly id: string }): Deployment {
  return { id, affectedApps: ['/marathon-lb'], currentStep: 1, totalSteps: 1, actions: ['RestartApplication'] };
}
