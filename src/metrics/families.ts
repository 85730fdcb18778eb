/**
 * The metrics: a table of names, meanings, and where each is read. It shows what the plan says, and decides nothing.
 *
 * Names and units are those of the ecosystem: seconds, Unix times, `_total` for what only grows. Labels are bounded:
 * at most 100 names (the most that a certificate takes), the load balancer's endpoints, and words of ours.
 */
import type { NameStanding } from '../plan/names.ts';
import type { Observation } from '../plan/observation.ts';
import type { CertificateStatus, Plan } from '../plan/plan.ts';
import type { State } from '../plan/verdict.ts';
import type { ServedLook } from '../served.ts';
import type { Counts } from './counts.ts';

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Everything that is shown, at one moment. */
export interface Facts {
  /** The last plan and what it was made from; undefined before the first pass. */
  readonly planned: Plan | undefined;
  readonly seen: Observation | undefined;
  readonly counts: Counts;
  readonly loop: {
    readonly alive: boolean;
    readonly passes: number;
    readonly failedPasses: number;
    readonly lastPassMs: number | undefined;
  };
  /** Undefined: no webhook is set. */
  readonly alerts: { readonly sent: number; readonly failed: number; readonly waiting: number } | undefined;
  readonly process: {
    readonly residentBytes: number;
    readonly cpuSeconds: number;
    readonly startedAt: Date;
    readonly nodeVersion: string;
  };
  readonly version: string;
}

interface Row {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly read: (facts: Facts) => readonly Sample[];
}

/** In the type's order; the compiler misses none. */
const STATES: Readonly<Record<State, true>> = {
  'no-names': true,
  blind: true,
  following: true,
  'waiting-for-route': true,
  'not-writable': true,
  ordering: true,
  'backing-off': true,
  'not-installable': true,
  contested: true,
  installing: true,
  'waiting-for-window': true,
  deploying: true,
  stuck: true,
  'not-served': true,
  unproven: true,
  degraded: true,
  live: true,
};

const one = (value: number | undefined): readonly Sample[] => (value === undefined ? [] : [{ value }]);
const flag = (is: boolean | undefined): readonly Sample[] => one(is === undefined ? undefined : Number(is));
const unix = (at: Date | undefined): readonly Sample[] => one(at && at.getTime() / 1000);
const by = (label: string, values: readonly (readonly [string, number])[]): readonly Sample[] =>
  values.map(([word, value]) => ({ labels: { [label]: word }, value }));
const certificate = ({ planned }: Facts): CertificateStatus | undefined => planned?.certificate;

export const TABLE: readonly Row[] = [
  gauge('certificate_not_before_timestamp_seconds', 'When the certificate that is held begins, as a Unix time.', (f) =>
    unix(certificate(f)?.bundle?.notBefore),
  ),
  gauge('certificate_not_after_timestamp_seconds', 'When the certificate that is held ends, as a Unix time.', (f) =>
    unix(certificate(f)?.bundle?.notAfter),
  ),
  gauge('certificate_renewal_timestamp_seconds', 'When its renewal is due, as a Unix time.', (f) =>
    unix(certificate(f)?.renewAt),
  ),
  gauge('certificate_state', '1 for the state that the certificate is in, 0 for the others.', (f) =>
    by(
      'state',
      Object.keys(STATES).flatMap((state) =>
        f.planned ? [[state, Number(state === f.planned.certificate.state)]] : [],
      ),
    ),
  ),
  gauge('names_wanted', 'How many names the certificate should have.', (f) => one(certificate(f)?.names.length)),
  gauge('names_issued', 'How many of them the certificate that is held has.', (f) =>
    one(certificate(f)?.names.filter(({ issued }) => issued).length),
  ),
  gauge('names_failing', 'How many of them fail: the CA refused them, or they do not lead to us.', (f) =>
    one(certificate(f)?.names.filter(isFailing).length),
  ),
  gauge(
    'names_refused',
    'How many names of labels or DOMAINS can never be on it (no public DNS name, or beyond 100).',
    (f) => one(certificate(f)?.refused.length),
  ),
  gauge('name_issued', '1 where the certificate that is held has the name. At most 100 names.', (f) =>
    ofNames(f, ({ issued }) => issued),
  ),
  gauge(
    'name_failing',
    '1 where the name fails: the CA refused it, or it does not lead to us. At most 100 names.',
    (f) => ofNames(f, isFailing),
  ),
  gauge('preflight_bad_names', 'How many names answer wrongly when asked for as the CA would ask.', ({ seen }) =>
    one(seen?.preflight.filter(({ verdict }) => verdict.kind === 'bad').length),
  ),
  gauge(
    'endpoint_served',
    '1 where the endpoint serves the certificate that is held for each of its names.',
    ({ seen }) =>
      by(
        'endpoint',
        [...endpoints(seen)].map(([endpoint, looks]) => [endpoint, Number(looks.every(isServed))]),
      ),
  ),
  gauge(
    'endpoint_names',
    'How many names the endpoint serves rightly (served), with another certificate (other), or not at all (unreachable).',
    ({ seen }) =>
      [...endpoints(seen)].flatMap(([endpoint, looks]) =>
        (['served', 'other', 'unreachable'] as const).map((verdict) => ({
          labels: { endpoint, verdict },
          value: looks.filter((look) => look.verdict.kind === verdict).length,
        })),
      ),
  ),
  gauge('endpoint_check_timestamp_seconds', 'When the endpoints were last asked, as a Unix time.', ({ seen }) =>
    unix(seen?.wire?.at),
  ),
  gauge('budget_used', "How much of a public CA's limit is used up.", (f) => ofBudgets(f, 'used')),
  gauge('budget_allowed', 'How much of it we allow ourselves.', (f) => ofBudgets(f, 'allowed')),
  gauge('budget_limit', 'How much of it the CA allows.', (f) => ofBudgets(f, 'limit')),
  counter('orders_total', 'Orders begun, or taken up again, since the start.', ({ counts }) => one(counts.orders)),
  counter(
    'failed_orders_total',
    'Orders that failed, by what was to blame: one name, the set of names, the account, the CA.',
    ({ counts }) => by('scope', Object.entries(counts.failedOrders)),
  ),
  counter(
    'deployments_total',
    'Changes of marathon-lb that Marathon took: a new certificate, or what was there before put back.',
    ({ counts }) => by('kind', Object.entries(counts.deployments)),
  ),
  counter('put_refusals_total', 'Changes of marathon-lb that Marathon did not take.', ({ counts }) =>
    one(counts.putsRefused),
  ),
  counter(
    'marathon_read_failures_total',
    'Looks at an app that Marathon did not answer with one.',
    ({ counts: { unreadable } }) =>
      by('app', [
        ['self', unreadable.self],
        ['load_balancer', unreadable.loadBalancer],
      ]),
  ),
  gauge(
    'leader',
    "1 where this task leads by Marathon's list; the others answer challenges and watch.",
    ({ planned }) => flag(planned?.leader.isUs),
  ),
  gauge('paused', '1 where PAUSE=true: nothing is changed.', ({ planned }) => flag(planned?.paused)),
  gauge('state_folder_writable', '1 where the state folder can be read and written.', ({ seen }) =>
    flag(seen?.stored.writable),
  ),
  gauge('loop_alive', '1 while the loop turns within its deadline.', ({ loop }) => flag(loop.alive)),
  counter('passes_total', 'Passes of the loop.', ({ loop }) => one(loop.passes)),
  counter('failed_passes_total', 'Passes that ended in an error, which none should.', ({ loop }) =>
    one(loop.failedPasses),
  ),
  gauge('last_pass_duration_seconds', 'How long the last pass took.', ({ loop }) =>
    one(loop.lastPassMs && loop.lastPassMs / 1000),
  ),
  gauge('last_pass_timestamp_seconds', 'When the last plan was made, as a Unix time.', ({ planned }) =>
    unix(planned?.at),
  ),
  counter('alerts_sent_total', 'Alerts that the webhook took. Only with WEBHOOK_URL.', ({ alerts }) =>
    one(alerts?.sent),
  ),
  counter(
    'alerts_failed_total',
    'Tries at the webhook that failed; each is repeated. Only with WEBHOOK_URL.',
    ({ alerts }) => one(alerts?.failed),
  ),
  gauge('alerts_waiting', 'Alerts that the webhook has not taken yet. Only with WEBHOOK_URL.', ({ alerts }) =>
    one(alerts?.waiting),
  ),
  gauge('build_info', 'Always 1; what runs here.', (f) => [
    { labels: { version: f.version, node_version: f.process.nodeVersion }, value: 1 },
  ]),
  plain('process_resident_memory_bytes', 'gauge', 'Memory that the process has in RAM.', ({ process }) =>
    one(process.residentBytes),
  ),
  plain('process_cpu_seconds_total', 'counter', 'CPU time that the process has used, user and system.', ({ process }) =>
    one(process.cpuSeconds),
  ),
  plain('process_start_time_seconds', 'gauge', 'When the process started, as a Unix time.', ({ process }) =>
    unix(process.startedAt),
  ),
];

/** All of them now; one that has nothing to show yet has no samples. */
export function familiesOf(facts: Facts): readonly Family[] {
  return TABLE.map(({ read, ...family }) => ({ ...family, samples: read(facts) }));
}

/** Prometheus' own names, which every dashboard of processes knows, stand without our prefix. */
function plain(name: string, type: Row['type'], help: string, read: Row['read']): Row {
  return { name, type, help, read };
}

function gauge(name: string, help: string, read: Row['read']): Row {
  return plain(`letsencrypt_dcos_${name}`, 'gauge', help, read);
}

function counter(name: string, help: string, read: Row['read']): Row {
  return plain(`letsencrypt_dcos_${name}`, 'counter', help, read);
}

function isFailing({ obstacle, overruled }: NameStanding): boolean {
  return (obstacle ?? overruled) !== undefined;
}

function ofNames({ planned }: Facts, is: (standing: NameStanding) => boolean): readonly Sample[] {
  const names = planned?.certificate.names ?? [];
  return by(
    'name',
    names.map((standing) => [standing.name, Number(is(standing))]),
  );
}

function ofBudgets({ planned }: Facts, figure: 'used' | 'allowed' | 'limit'): readonly Sample[] {
  return by(
    'budget',
    (planned?.budgets ?? []).map((budget) => [budget.kind, budget[figure]]),
  );
}

function endpoints(seen: Observation | undefined): ReadonlyMap<string, readonly ServedLook[]> {
  return Map.groupBy(seen?.wire?.looks ?? [], ({ endpoint }) => endpoint);
}

function isServed({ verdict }: ServedLook): boolean {
  return verdict.kind === 'served';
}
