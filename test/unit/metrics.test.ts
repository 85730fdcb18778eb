/** What Prometheus reads: the format to the letter, each figure where the plan has it, and what is counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counts, type Traces } from '../../src/metrics/counts.ts';
import { type Facts, familiesOf } from '../../src/metrics/families.ts';
import type { Observation } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import type { Action } from '../../src/plan/verdict.ts';
import { exposition } from '../../src/web/metrics.ts';
import { readExposition } from '../support/exposition.ts';
import { metricFacts } from '../support/metric-facts.ts';
import {
  ago,
  BAD,
  CURRENT,
  failure,
  HOUR,
  ledger,
  MINUTE,
  NOW,
  observation,
  policy,
  stored,
  tried,
  wire,
} from '../support/observation.ts';

function scrape(seen: Partial<Observation> = {}, differing: Partial<Facts> = {}) {
  const all = observation(seen);
  const planned = plan(all, policy({ preflight: 'auto' }));
  const families = readExposition(exposition(familiesOf(metricFacts({ planned, seen: all, ...differing }))));
  return (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
    families
      .get(name.startsWith('process_') ? name : `letsencrypt_dcos_${name}`)
      ?.samples.find((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
      ?.value;
}

const unix = (at: Date | undefined): number | undefined => at && at.getTime() / 1000;

test('the times of the certificate are Unix times in seconds', () => {
  const value = scrape();
  assert.equal(value('certificate_not_before_timestamp_seconds'), unix(CURRENT.notBefore));
  assert.equal(value('certificate_not_after_timestamp_seconds'), unix(CURRENT.notAfter));
  assert.equal(value('certificate_renewal_timestamp_seconds'), unix(plan(observation(), policy()).certificate.renewAt));
});

test('exactly one state is 1, and all the others are told as 0', () => {
  const value = scrape({ stored: stored({ problems: ['x'] }) });
  assert.equal(value('certificate_state', { state: 'live' }), 1);
  assert.equal(value('certificate_state', { state: 'stuck' }), 0);
  const states = familiesOf(metricFacts()).find(({ name }) => name.endsWith('certificate_state'))?.samples ?? [];
  assert.deepEqual([states.length, states.reduce((sum, { value: one }) => sum + one, 0)], [17, 1]);
});

test('a name that fails is counted, and told by its name', () => {
  const failed = failure({ scope: 'name', names: ['b.net'], pace: 'name' });
  const value = scrape({
    stored: stored({ ledger: { ...stored().ledger, failures: [failed] } }),
    preflight: [tried('a.net', BAD)],
  });
  assert.deepEqual([value('names_wanted'), value('names_issued'), value('names_failing')], [2, 2, 2]);
  assert.deepEqual([value('name_failing', { name: 'b.net' }), value('name_issued', { name: 'b.net' })], [1, 1]);
  assert.equal(value('preflight_bad_names'), 1);
});

test('what each load balancer serves is told by its endpoint', () => {
  const other = { kind: 'other', fingerprint: 'AB', domains: [], notAfter: NOW } as const;
  const value = scrape({ wire: wire({ 'lb.2': other }) });
  assert.deepEqual(
    ['10.0.0.1:443', '10.0.0.2:443'].map((endpoint) => value('endpoint_served', { endpoint })),
    [1, 0],
  );
  assert.equal(value('endpoint_names', { endpoint: '10.0.0.2:443', verdict: 'other' }), 2);
  assert.equal(value('endpoint_names', { endpoint: '10.0.0.2:443', verdict: 'served' }), 0);
  assert.equal(value('endpoint_check_timestamp_seconds'), unix(ago(HOUR)));
});

test('budgets are told as used, allowed and limit', () => {
  const orders = [{ at: ago(MINUTE), directory: policy().directoryUrl }];
  const value = scrape({ stored: stored({ ledger: ledger({ orders }) }) });
  const figures = ['budget_used', 'budget_allowed', 'budget_limit'].map((name) => value(name, { budget: 'orders' }));
  assert.deepEqual(figures, [1, 20, 300]);
});

test('the process and the loop are told', () => {
  const value = scrape({}, { loop: { alive: false, passes: 7, failedPasses: 1, lastPassMs: 250 } });
  assert.deepEqual(
    [value('loop_alive'), value('passes_total'), value('failed_passes_total'), value('last_pass_duration_seconds')],
    [0, 7, 1, 0.25],
  );
  assert.deepEqual([value('process_cpu_seconds_total'), value('process_resident_memory_bytes')], [1.5, 64e6]);
  assert.equal(value('build_info', { version: '2.0.0' }), 1);
});

test('before the first pass nothing is invented: the loop and the process, and no certificate', () => {
  const text = exposition(familiesOf(metricFacts({ planned: undefined, seen: undefined })));
  const names = [...readExposition(text).keys()];
  assert.ok(names.includes('letsencrypt_dcos_loop_alive') && names.includes('process_start_time_seconds'));
  assert.deepEqual(
    names.filter((name) => /certificate|names|endpoint|budget|leader/.test(name)),
    [],
  );
});

test('whatever a label or a help text holds, the format stands', () => {
  const value = 'a\\b"c\nd\\n{}=,# é';
  const help = 'one\\two\nthree "four"';
  const text = exposition([
    { name: 'x', type: 'gauge', help, samples: [{ labels: { one: value, two: '' }, value: 1e21 }, { value: -0.5 }] },
    {
      name: 'y',
      type: 'counter',
      help: 'h',
      samples: [{ value: Number.POSITIVE_INFINITY }, { labels: { a: 'b' }, value: 1e-7 }],
    },
    { name: 'z', type: 'gauge', help: 'nothing yet', samples: [] },
  ]);
  const read = readExposition(text);
  assert.deepEqual(read.get('x')?.samples, [
    { labels: { one: value, two: '' }, value: 1e21 },
    { labels: {}, value: -0.5 },
  ]);
  assert.equal(read.get('x')?.help, 'one\\\\two\\nthree "four"');
  assert.deepEqual(
    read.get('y')?.samples.map((sample) => sample.value),
    [Number.POSITIVE_INFINITY, 1e-7],
  );
  assert.equal(read.has('z'), false);
});

const install: Action = { kind: 'install', bundle: CURRENT, slots: [], replacement: undefined, keep: false };
const none: Traces = { failedInstall: undefined, deploymentId: undefined };
const refused: Traces = {
  ...none,
  failedInstall: {
    ...{ at: NOW, fingerprint: 'AB', loadBalancerVersion: 'v', problem: 'p', retryable: true, count: 1 },
  },
};

test('a deployment, a refusal, and a PUT that was not sent are counted apart', () => {
  const counts = new Counts();
  counts.acted(install, none, none); // the world had changed
  counts.acted(install, none, refused);
  counts.acted(install, refused, refused); // the world had changed again
  counts.acted(install, refused, { ...none, deploymentId: 'd-1' });
  counts.acted({ kind: 'restore', fingerprint: 'AB', slots: [] }, none, { ...none, deploymentId: 'd-2' });
  counts.acted({ kind: 'forget' }, none, refused);
  assert.deepEqual([counts.deployments, counts.putsRefused, counts.orders], [{ install: 1, restore: 1 }, 1, 0]);
});

test('an order that failed counts once, whatever number of names is to blame; what was before the start does not', () => {
  const counts = new Counts();
  const old = failure({ at: ago(HOUR) });
  const both = ['a.net', 'b.net'].map((name) => failure({ at: ago(MINUTE), scope: 'name', names: [name] }));
  const look = (...failures: (typeof old)[]) =>
    counts.looked(observation({ stored: stored({ ledger: ledger({ failures }) }) }));
  look(old);
  look(old);
  look(old, ...both);
  look(...both);
  look(...both, failure({ scope: 'directory' }));
  assert.deepEqual(counts.failedOrders, { name: 1, certificate: 0, account: 0, directory: 1 });
});

test('what Marathon does not answer is counted by app', () => {
  const counts = new Counts();
  counts.looked(observation({ self: { ok: false, problem: 'no' } }));
  counts.looked(observation());
  assert.deepEqual(counts.unreadable, { self: 1, loadBalancer: 0 });
});
