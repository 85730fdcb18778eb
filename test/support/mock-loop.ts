/**
 * The loop for tests, with a clock that only the test moves: nothing here waits, and a year passes in a moment.
 */
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createLog } from '../../src/log.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { Reconciler, type Steps } from '../../src/reconciler.ts';
import { HOUR, NOW, observation, policy, SECOND } from './observation.ts';

/** Longer than the pause after a pass. */
export const PAUSE = 2 * SECOND;

export interface Loop {
  readonly reconciler: Reconciler;
  /** What was done, in order. */
  readonly done: string[];
  readonly plans: Plan[];
  readonly log: string[];
  readonly abort: AbortController;
  /** Resolves when the loop has ended. */
  readonly ended: Promise<void>;
  /** Lets time pass, in steps: the larger, the coarser and the sooner done. */
  pass(ms: number, stepMs?: number): Promise<void>;
  passes(): number;
}

/** The loop, started, with a clock that only the test moves; each step may be replaced. */
export function startLoop(
  t: TestContext,
  steps: Partial<Steps> & { readonly again?: (seenAt: Date) => Date } = {},
): Loop {
  const { again = (at: Date) => new Date(at.getTime() + HOUR), ...replaced } = steps;
  mockTime(t);
  const done: string[] = [];
  const log: string[] = [];
  const plans: Plan[] = [];
  const planned = plan(observation(), policy());
  const usual: Steps = {
    observe: async () => observation({ at: new Date() }),
    lookCloser: async (seen) => seen,
    plan: (seen) => ({ ...planned, at: seen.at, checkAgainAt: again(seen.at) }),
    act: async () => {},
  };
  const all = { ...usual, ...replaced };
  const noted =
    <Facts extends unknown[], Result>(what: string, step: (...facts: Facts) => Result) =>
    (...facts: Facts): Result => {
      done.push(what);
      return step(...facts);
    };
  const reconciler = new Reconciler(
    {
      observe: noted('observe', all.observe),
      lookCloser: noted('look closer', all.lookCloser),
      plan: noted('plan', all.plan),
      act: (action, ...rest) => noted(action.kind, all.act)(action, ...rest),
    },
    createLog({ level: 'trace', write: (line) => void log.push(line) }),
    noted('tell', (shown: Plan) => void plans.push(shown)),
  );
  const abort = new AbortController();
  const ended = reconciler.run(abort.signal);
  t.after(async () => {
    abort.abort();
    await ended;
  });
  const pass = async (ms: number, stepMs = 50): Promise<void> => {
    await settle();
    for (let left = ms; left > 0; left -= stepMs) {
      t.mock.timers.tick(Math.min(left, stepMs));
      await settle(2);
    }
    await settle();
  };
  const passes = () => done.filter((what) => what === 'observe').length;
  return { reconciler, done, plans, log, abort, ended, pass, passes };
}

/** Timers, wall clock and the steady clock: all stand still until `tick`. */
export function mockTime(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOW });
  t.mock.method(performance, 'now', () => Date.now() - NOW.getTime());
  syncBuiltinESMExports(); // what was imported by name, too
  t.after(() => {
    t.mock.timers.reset();
    syncBuiltinESMExports();
  });
}

/** Lets everything happen that needs no time. */
export async function settle(turns = 10): Promise<void> {
  for (let left = turns; left > 0; left -= 1) await turn();
}
