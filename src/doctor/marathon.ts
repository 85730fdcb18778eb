/** What Marathon shows: itself, our own app, the load balancer, and what a change of it would do. Pure. */
import { type App, hostPort, isHealthy } from '../marathon/app.ts';
import type { Neighbour } from '../marathon/client.ts';
import { leaderOf } from '../marathon/leader.ts';
import { fearsLabels, foretell, labelNotes, type Roll } from '../plan/foretelling.ts';
import type { Observation, Policy, Seen } from '../plan/observation.ts';
import type { Situation } from '../plan/situation.ts';
import { list } from '../plan/verdict.ts';
import { type Diagnosis, diagnosis, type Health } from './diagnosis.ts';

export interface MarathonInfo {
  readonly version: string | undefined;
}

/** It answers if anything of it does: /v2/info may be closed to us, and is of no other use. */
export function aboutMarathon(url: string, info: Seen<MarathonInfo>, { self }: Pick<Observation, 'self'>): Diagnosis {
  const of = ['marathon', url] as const;
  if (info.ok) {
    const { version } = info.value;
    return version === undefined
      ? diagnosis(
          of,
          'warning',
          'answers, but as no Marathon does: it tells no version',
          'See whether MARATHON_URL is right.',
        )
      : diagnosis(of, 'good', `Marathon ${version} answers`);
  }
  if (self.ok) return diagnosis(of, 'good', `answers; its version cannot be read (${info.problem})`);
  return diagnosis(of, 'wrong', info.problem);
}

/** Whether it told anything: where it did not, that is said once, and what it would have shown is not known. */
export function isSilent(info: Seen<MarathonInfo>, { self, loadBalancer }: Observation): boolean {
  return !info.ok && !self.ok && !loadBalancer.ok;
}

export function aboutUnseen({ appId, loadBalancerId }: Policy): readonly Diagnosis[] {
  const says = 'is not seen, because Marathon does not answer';
  return [diagnosis(['app', appId], 'unknown', says), diagnosis(['balancer', loadBalancerId], 'unknown', says)];
}

/** Our own app, and the names that its labels or DOMAINS want. */
export function aboutOurApp({ seen, policy, names }: Situation): readonly Diagnosis[] {
  const of = ['app', policy.appId] as const;
  const refused = names.refused.map(({ name, reason }) =>
    diagnosis(
      ['name', name],
      'warning',
      `is left out: it ${reason}`,
      `Take ${name} out of ${sourceOf(policy)}, or correct it.`,
    ),
  );
  if (!seen.self.ok) {
    const cure =
      'MARATHON_APP_ID must be the id of the app that keeps the certificate, and the account must be allowed to read it.';
    return [diagnosis(of, 'wrong', seen.self.problem, cure), ...refused];
  }
  const app = seen.self.value;
  return [diagnosis(of, ...tasksOf(app)), aboutNames(of[1], names.domains, policy), ...refused];
}

function sourceOf({ domains, appId }: Policy): string {
  return domains === undefined ? `the HAPROXY_n_VHOST labels of ${appId}` : 'DOMAINS';
}

function aboutNames(appId: string, names: readonly string[], policy: Policy): Diagnosis {
  const source = sourceOf(policy);
  if (names.length > 0)
    return diagnosis(['names', appId], 'good', `${names.length} wanted by ${source}: ${list(names)}`);
  return diagnosis(
    ['names', appId],
    'wrong',
    `${source} names nothing that a certificate can be had for`,
    `Put a public DNS name into ${source}.`,
  );
}

function tasksOf(app: App): [Health, string, string?] {
  const running = app.tasks.filter(({ state }) => state === 'TASK_RUNNING');
  const leader = leaderOf(app);
  if (leader !== undefined) {
    const more = running.length > 1 ? `; ${running.length - 1} more answer challenges and watch` : '';
    return ['good', `task ${leader.id} on ${leader.host} keeps the certificate${more}`];
  }
  const last = app.lastTaskFailure;
  const words =
    last === undefined ? '' : `; the last one ended ${last.at.toISOString()}: ${last.state} ${last.message}`;
  const see = `See its log (dcos task log ${app.id.replace(/^\//, '')}), and its health check: /.well-known/acme-challenge/ping at HTTP_PORT.`;
  if (running.length > 0) return ['wrong', `${running.length} of its tasks run, and none is healthy${words}`, see];
  return ['wrong', `no task of it is running${words}`, app.instances === 0 ? 'Scale it to one instance.' : see];
}

/** Reading is seen; updating can only be seen by doing it, and Marathon has no rehearsal for one app. */
export function aboutRights({ seen, policy, slots }: Situation): readonly Diagnosis[] {
  const { self, loadBalancer, stored } = seen;
  const unseen = [self, loadBalancer].flatMap((one) => (one.ok ? [] : one.problem));
  const read =
    unseen.length === 0
      ? diagnosis(['rights', 'read'], 'good', `${policy.appId} and ${policy.loadBalancerId} may be read`)
      : diagnosis(['rights', 'read'], 'wrong', unseen.join('; '), GRANTS);
  const ours = slots.find(({ name, content }) => {
    return 'bundle' in content && stored.ledger.posted[name] === content.bundle.fingerprint;
  });
  const update =
    ours === undefined
      ? diagnosis(
          ['rights', 'update'],
          'unknown',
          `whether ${policy.loadBalancerId} may be updated shows with the first certificate: Marathon cannot be asked without a change`,
          `On DC/OS Enterprise the account needs update on dcos:service:marathon:marathon:services:${policy.loadBalancerId}.`,
        )
      : diagnosis(
          ['rights', 'update'],
          'good',
          `${policy.loadBalancerId} could be updated before: ${ours.name} holds the certificate that we posted`,
        );
  return [read, update];
}

const GRANTS =
  'Give the account the right to read both apps; MARATHON_USER, MARATHON_TOKEN or DCOS_SERVICE_ACCOUNT_CREDENTIAL says who it is.';

export interface BalancerPorts {
  readonly httpPort: number;
  readonly httpsPort: number;
}

export function aboutBalancer(now: Situation, ports: BalancerPorts): readonly Diagnosis[] {
  const { loadBalancer } = now.seen;
  const of = ['balancer', now.policy.loadBalancerId] as const;
  if (!loadBalancer.ok) {
    return [
      diagnosis(
        of,
        'wrong',
        loadBalancer.problem,
        'MARATHON_LB_ID must be the id of marathon-lb, as Marathon shows it.',
      ),
    ];
  }
  const app = loadBalancer.value;
  return [diagnosis(of, ...instancesIn(app)), ...aboutPorts(app, ports), aboutRoll(app), aboutSlot(now)];
}

function instancesIn(app: App): [Health, string, string?] {
  const healthy = app.tasks.filter((task) => isHealthy(app, task));
  const hosts = list(healthy.map(({ host }) => host));
  if (healthy.length === 0) {
    const last = app.lastTaskFailure;
    const words =
      last === undefined ? '' : `; the last one ended ${last.at.toISOString()}: ${last.state} ${last.message}`;
    return [
      'wrong',
      `none of its ${app.instances} instances is healthy${words}`,
      'See the log of marathon-lb: without it no name is served.',
    ];
  }
  const deploying = app.deployments.length > 0 ? `; deployment ${app.deployments.join(', ')} runs` : '';
  const found = `${healthy.length} of ${app.instances} instances are healthy, on ${hosts}${deploying}`;
  if (healthy.length >= app.instances && deploying === '') return ['good', found];
  return [
    'warning',
    found,
    'A certificate is posted only while no deployment runs; see in Marathon what it waits for.',
  ];
}

function aboutPorts(app: App, { httpPort, httpsPort }: BalancerPorts): readonly Diagnosis[] {
  const [task] = app.tasks;
  if (task === undefined) return [];
  const wanted = [
    ['MARATHON_LB_HTTP_PORT', httpPort],
    ['MARATHON_LB_HTTPS_PORT', httpsPort],
  ] as const;
  const lacking = wanted.filter(([, port]) => hostPort(app, task, port) === undefined);
  if (lacking.length > 0) {
    return lacking.map(([setting, port]) =>
      diagnosis(
        ['ports', app.id],
        'wrong',
        `Marathon shows no host port for its port ${port}`,
        `Let ${setting} name the port that it has inside its container, or map that port in ${app.id}.`,
      ),
    );
  }
  const found = wanted.map(([, port]) => `${port} at ${task.host}:${hostPort(app, task, port)}`).join(', ');
  return [diagnosis(['ports', app.id], 'good', found)];
}

const ROLLS: Readonly<Record<Roll, Health>> = {
  idle: 'unknown',
  gapless: 'good',
  gap: 'warning',
  'needs-agent': 'warning',
  'held-up': 'wrong',
};

function aboutRoll(app: App): Diagnosis {
  const { roll, why, cure } = foretell(app);
  return diagnosis(['redeploy', app.id], ROLLS[roll], `with each new certificate ${why}`, cure);
}

function aboutSlot({ placement, policy }: Situation): Diagnosis {
  const of = ['variable', policy.loadBalancerId] as const;
  if (placement === undefined) return diagnosis(of, 'unknown', 'the load balancer was not seen');
  if (!placement.ok) return diagnosis(of, 'wrong', placement.why, placement.cure);
  const { name, content } = placement.slot;
  return diagnosis(
    of,
    'good',
    `${name} ${content.kind === 'ours' ? 'holds our certificate' : 'is free for our certificate'}`,
  );
}

/** Only where labels of other apps can hurt. */
export function aboutNeighbours(app: App, neighbours: Seen<readonly Neighbour[]>): readonly Diagnosis[] {
  if (!fearsLabels(app)) return [];
  const of = ['labels', app.id] as const;
  if (!neighbours.ok)
    return [diagnosis(of, 'unknown', `the labels of other apps cannot be read: ${neighbours.problem}`)];
  const found = labelNotes(app, neighbours.value);
  if (found.length > 0) return found.map((note) => diagnosis(of, 'warning', note));
  return [diagnosis(of, 'good', `no label of its ${neighbours.value.length} apps keeps it from a fresh start`)];
}
