/**
 * The program's own loop in this process, against the in-process simulator: no CA, for its certificate is in the state
 * folder already. For stories of what comes after the order, at a fraction of a cluster's cost.
 */
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { type Environment, parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { Service } from '../../src/service.ts';
import { Store } from '../../src/store.ts';
import type { Disposer } from './pebble.ts';
import { until } from './until.ts';

export const DIRECTORY = 'https://ca.internal/directory';

/** A state folder that holds this certificate. */
export async function withCertificate(stateDir: string, pem: string): Promise<void> {
  const store = new Store(stateDir);
  await store.open();
  await store.saveBundle(CertificateBundle.parse(pem), DIRECTORY);
}

export interface Saying {
  readonly state: string;
  readonly why?: RegExp;
  readonly cure?: RegExp;
}

export interface Program {
  readonly log: string[];
  readonly plans: readonly Plan[];
  /** Waits for a plan that says so, a past one too. */
  says(saying: Saying): Promise<Plan>;
  /** Waits until it says so now. */
  saysNow(saying: Saying): Promise<Plan>;
  stop(): Promise<void>;
}

const PATIENCE_MS = 30_000;

/** `host`: an address that nobody else listens on. */
export async function startProgram(t: Disposer, host: string, env: Environment): Promise<Program> {
  const log: string[] = [];
  const plans: Plan[] = [];
  const config = parseConfig({
    LISTEN_ADDRESS: host,
    HTTP_PORT: '31080',
    ADMIN_PORT: '31900',
    LETSENCRYPT_SERVER_URL: DIRECTORY,
    PREFLIGHT: 'off',
    ...env,
  });
  const service = await Service.create(config, createLog({ level: 'info', write: (line) => void log.push(line) }), {
    onPlan: (plan) => void plans.push(plan),
  });
  const abort = new AbortController();
  const ended = service.run(abort.signal);
  const stop = async (): Promise<void> => {
    abort.abort();
    await ended;
  };
  t.after(stop);
  const wait = (among: () => readonly Plan[], saying: Saying): Promise<Plan> =>
    until(
      () => {
        const found = among().find((plan) => isSo(plan, saying));
        const last = plans.at(-1)?.certificate;
        if (!found) throw new Error(`it says ${last?.state}: ${last?.why} (cure: ${last?.cure})`);
        return found;
      },
      `the program to say ${saying.state} ${saying.why ?? ''} ${saying.cure ?? ''}`,
      PATIENCE_MS,
    );
  return {
    log,
    plans,
    says: (saying) => wait(() => plans, saying),
    saysNow: (saying) => wait(() => plans.slice(-1), saying),
    stop,
  };
}

function isSo({ certificate: it }: Plan, { state, why, cure }: Saying): boolean {
  return it.state === state && (why?.test(it.why) ?? true) && (cure?.test(it.cure ?? '') ?? true);
}
