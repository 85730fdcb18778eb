/**
 * The status: the last plan and the health of the loop, as JSON-safe facts without secrets.
 *
 * What the admin listener and the command line show. Nothing is decided here; what is said stands in the plan.
 */
import type { Budget } from './certificates/budgets.ts';
import type { CertificateBundle } from './certificates/bundle.ts';
import type { WireSeen } from './plan/observation.ts';
import type { Plan } from './plan/plan.ts';
import type { Action, Look } from './plan/verdict.ts';
import type { ServedLook } from './served.ts';
import type { DeploymentSeen, TimelineEvent } from './timeline.ts';

export interface Health {
  readonly version: string;
  readonly appId: string;
  readonly taskId: string | undefined;
  readonly loadBalancerId: string;
  readonly directoryUrl: string;
  readonly startedAt: Date;
  /** Whether the loop still turns. */
  readonly alive: boolean;
  /** What was odd about the settings. */
  readonly warnings: readonly string[];
  /** Since this task started, oldest first. */
  readonly deployments: readonly DeploymentSeen[];
  readonly events: readonly TimelineEvent[];
}

export type Status = ReturnType<typeof statusOf>;
export type PlanFacts = ReturnType<typeof planAsJson>;

/** The last plan and who says so; before the first pass there is no plan yet. */
export function statusOf(planned: Plan | undefined, health: Health) {
  return { ...health, plan: planned === undefined ? null : planAsJson(planned) };
}

/** A plan as facts for people and scripts: no PEM, no key, no token. */
export function planAsJson(planned: Plan) {
  const { at, leader, paused, certificate, notes, actions, looks, wire, installWindow, checkAgainAt } = planned;
  const { budgets, validations } = planned;
  const { state, why, cure, domains, names, refused, slot, bundle, renewAt, progress } = certificate;
  return {
    at,
    leader,
    paused,
    installWindow: installWindow ?? null,
    certificate: {
      state,
      why,
      cure,
      domains,
      names,
      refused,
      slot,
      progress,
      renewAt,
      ...(bundle && { held: facts(bundle) }),
    },
    notes,
    actions: actions.map(actionAsJson),
    looks,
    budgets: [...budgets, ...validations].map((budget) => ({ ...budget, says: budgetAsText(budget) })),
    next: nextSteps(planned),
    served: wire === undefined ? null : servedFacts(wire),
    checkAgainAt,
  };
}

export interface NextStep {
  readonly what: string;
  /** Undefined: now. */
  readonly at: Date | undefined;
}

/**
 * What comes next, and when: the soonest first. Forgetting a file is done within the pass and followed by no other, so it
 * would stand there as coming for a quarter of an hour.
 */
function nextSteps({ actions, looks, certificate, installWindow, checkAgainAt, at }: Plan): readonly NextStep[] {
  const told = actions.filter(({ kind }) => kind !== 'forget');
  const now = [...told.map(describe), ...looks.map((look) => LOOKS[look])];
  const { renewAt, names } = certificate;
  const tries = names.flatMap(({ name, obstacle }) =>
    obstacle !== undefined && obstacle.until > at ? [{ what: `try ${name} again`, at: obstacle.until }] : [],
  );
  const renewal = renewAt !== undefined && renewAt > at ? [{ what: 'renew the certificate', at: renewAt }] : [];
  const install = installWindow?.awaited
    ? [{ what: 'install the certificate, in the install window', at: installWindow.opens }]
    : [];
  const later = [{ what: 'look at everything again', at: checkAgainAt }, ...install, ...tries, ...renewal];
  later.sort((one, other) => one.at.getTime() - other.at.getTime());
  return [...now.map((what) => ({ what, at: undefined })), ...later];
}

export interface InstanceServes {
  readonly endpoint: string;
  /** Undefined: the public address of SERVED_CHECK. */
  readonly taskId: string | undefined;
  /** How many names were asked for, and for how many ours was shown. */
  readonly asked: number;
  readonly right: number;
  /** The others. */
  readonly wrong: readonly Pick<ServedLook, 'domain' | 'verdict'>[];
}

function servedFacts({ at, expected, looks }: WireSeen) {
  const endpoints = Map.groupBy(looks, ({ endpoint }) => endpoint);
  const instances = [...endpoints].map(([endpoint, all]): InstanceServes => {
    const wrong = all.filter(({ verdict }) => verdict.kind !== 'served');
    return {
      endpoint,
      taskId: all[0]?.taskId,
      asked: all.length,
      right: all.length - wrong.length,
      wrong: wrong.map(({ domain, verdict }) => ({ domain, verdict })),
    };
  });
  return { at, expected, instances };
}

function facts({ fingerprint, issuer, domains, notBefore, notAfter }: CertificateBundle) {
  return { fingerprint, issuer, domains, notBefore, notAfter };
}

function actionAsJson(action: Action) {
  switch (action.kind) {
    case 'adopt':
      return { kind: action.kind, fingerprint: action.bundle.fingerprint };
    case 'issue':
      return {
        kind: action.kind,
        domains: action.spec.domains,
        keyType: action.spec.keyType,
        resumes: action.resume !== undefined,
      };
    case 'install':
      return { kind: action.kind, slots: action.slots, fingerprint: action.bundle.fingerprint };
    case 'restore':
      return { kind: action.kind, slots: action.slots, fingerprint: action.fingerprint };
    case 'forget':
      return { kind: action.kind };
  }
}

/** A plan for a terminal: what is so, why, and what would happen next. */
export function planAsText(planned: Plan): string {
  const { certificate, leader, paused, notes, actions, looks, budgets, validations, installWindow, checkAgainAt } =
    planned;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['names', certificate.domains.join(', ') || 'none'],
    ['state', certificate.state],
    ['why', certificate.why],
    ['cure', certificate.cure],
    [
      'held',
      certificate.bundle && `${certificate.bundle.fingerprint} until ${certificate.bundle.notAfter.toISOString()}`,
    ],
    ['renewal', certificate.renewAt?.toISOString()],
    ['leader', leader.isUs ? 'this task' : (leader.taskId ?? 'nobody yet')],
    ['window', installWindow && `${installWindow.text}: ${installWindow.says}`],
    ['paused', paused ? 'PAUSE=true: nothing is changed' : undefined],
    ...certificate.names.flatMap(({ name, obstacle }) => (obstacle ? [[name, obstacle.why] as const] : [])),
    ...notes.map((note) => ['note', note] as const),
    ...[...budgets, ...validations].map((budget) => ['budget', budgetAsText(budget)] as const),
    ...actions.map((action) => ['would', describe(action)] as const),
    ...looks.map((look) => ['first', LOOKS[look]] as const),
    ['next look', checkAgainAt.toISOString()],
  ];
  return lines.flatMap(([name, text]) => (text === undefined ? [] : `${name.padEnd(10)} ${text}\n`)).join('');
}

/** "2 of 5 certificates for exactly these names in 7 days used, of which we allow ourselves 2; next free Fri 27 Nov 12:00 UTC". */
function budgetAsText({ what, used, allowed, limit, nextFreeAt }: Budget): string {
  const next = nextFreeAt === undefined ? '' : `; next free ${clockAndDay(nextFreeAt)}`;
  return `${used} of ${limit} ${what} used, of which we allow ourselves ${allowed}${next}`;
}

/** "Fri 27 Nov 12:00 UTC", rounded up: at that minute it is free. */
function clockAndDay(at: Date): string {
  const minute = new Date(Math.ceil(at.getTime() / 60_000) * 60_000);
  const [weekday, day, month, , time] = minute.toUTCString().split(/,? /);
  return `${weekday} ${day} ${month} ${time?.slice(0, 5)} UTC`;
}

const LOOKS: Readonly<Record<Look, string>> = {
  routes: 'ask on the challenge path of each name, through every load balancer',
  preflight: 'ask for each name from outside, as the CA would',
  wire: 'ask every load balancer which certificate it serves',
  queue: "look into Marathon's launch queue",
  past: 'ask Marathon what our labels were before',
  neighbours: 'look at the labels of the other apps',
};

function describe(action: Action): string {
  switch (action.kind) {
    case 'adopt':
      return `keep the certificate that was found (${action.bundle.fingerprint}) in the state folder as ours`;
    case 'issue':
      return `${action.resume ? 'go on with the order' : 'order a certificate'} for ${action.spec.domains.join(', ')}`;
    case 'install':
      return `post ${action.bundle.fingerprint} to ${action.slots.join(', ')}, which redeploys marathon-lb`;
    case 'restore':
      return `put back what ${action.slots.join(', ')} held before ${action.fingerprint}, by force`;
    case 'forget':
      return 'forget what was served before the last change';
  }
}
