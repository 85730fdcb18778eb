/** The loop under a clock that somebody sets: on real timers, which the mocked time of reconciler.test.ts cannot show. */
import { test } from 'node:test';
import { createLog } from '../../src/log.ts';
import { plan } from '../../src/plan/plan.ts';
import { Reconciler, type Steps } from '../../src/reconciler.ts';
import { DAY, observation, policy } from '../support/observation.ts';
import { until } from '../support/until.ts';

test('the clock is set back by a day in the middle of a short sleep: it stays a short sleep', async (t) => {
  let ahead = DAY;
  const now = Date.now.bind(Date);
  t.mock.method(Date, 'now', () => now() + ahead);
  let passes = 0;
  const steps: Steps = {
    observe: async () => observation(),
    lookCloser: async (seen) => seen,
    plan: (seen) => ({ ...plan(seen, policy()), checkAgainAt: new Date(seen.at.getTime() + 200) }),
    act: async () => {},
  };
  const abort = new AbortController();
  const reconciler = new Reconciler(steps, createLog({ level: 'silent' }), () => {
    passes += 1;
    setTimeout(() => {
      ahead = 0;
    }, 100);
  });
  const ended = reconciler.run(abort.signal);
  await until(() => passes >= 2, 'a second pass').finally(() => abort.abort());
  await ended;
});
