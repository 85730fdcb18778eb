/** Everything that the metrics can show, all of it there: what differs is for the row to say. */
import { Counts } from '../../src/metrics/counts.ts';
import type { Facts } from '../../src/metrics/families.ts';
import { plan } from '../../src/plan/plan.ts';
import { ago, DAY, observation, policy } from './observation.ts';

export function metricFacts(differing: Partial<Facts> = {}): Facts {
  const seen = observation();
  return {
    planned: plan(seen, policy()),
    seen,
    counts: new Counts(),
    loop: { alive: true, passes: 3, failedPasses: 0, lastPassMs: 120 },
    alerts: { sent: 2, failed: 1, waiting: 0 },
    process: { residentBytes: 64e6, cpuSeconds: 1.5, startedAt: ago(DAY), nodeVersion: 'v24.0.0' },
    version: '2.0.0',
    ...differing,
  };
}
