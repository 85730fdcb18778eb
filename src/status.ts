/**
 * The status: the last plan and the health of the loop, as JSON-safe facts without secrets.
 *
 * What the admin listener and the command line show. Nothing is decided here; what is said stands in the plan.
 */
import type { Budget } from './certificates/budgets.ts';
import type { CertificateBundle } from './certificates/bundle.ts';
import type { Plan } from './plan/plan.ts';
import type { Action } from './plan/verdict.ts';

export interface Health {
  readonly version: string;
  readonly appId: string;
  readonly taskId: string | undefined;
  readonly startedAt: Date;
  /** Whether the loop still turns. */
  readonly alive: boolean;
  /** What was odd about the settings. */
  readonly warnings: readonly string[];
}

/** The last plan and who says so; before the first pass there is no plan yet. */
export function statusOf(planned: Plan | undefined, health: Health) {
  return { ...health, plan: planned === undefined ? null : planAsJson(planned) };
}

/** A plan as facts for people and scripts: no PEM, no key, no token. */
export function planAsJson(planned: Plan) {
  const { at, leader, paused, certificate, notes, actions, looks, budgets, checkAgainAt } = planned;
  const { state, why, cure, domains, names, refused, slot, bundle, renewAt, progress } = certificate;
  return {
    at,
    leader,
    paused,
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
    budgets,
    checkAgainAt,
  };
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
  const { certificate, leader, paused, notes, actions, looks, budgets, checkAgainAt } = planned;
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
    ['paused', paused ? 'PAUSE=true: nothing is changed' : undefined],
    ...certificate.names.flatMap(({ name, obstacle }) => (obstacle ? [[name, obstacle.why] as const] : [])),
    ...notes.map((note) => ['note', note] as const),
    ...budgets.map((budget) => ['budget', budgetAsText(budget)] as const),
    ...actions.map((action) => ['would', describe(action)] as const),
    ...looks.map((look) => ['first', `look at the ${look}`] as const),
    ['next look', checkAgainAt.toISOString()],
  ];
  return lines.flatMap(([name, text]) => (text === undefined ? [] : `${name.padEnd(10)} ${text}\n`)).join('');
}

/** "1 of 2 certificates for exactly these names in 7 days (the CA allows 5)". */
function budgetAsText({ what, used, allowed, limit, nextFreeAt }: Budget): string {
  const next = nextFreeAt === undefined ? '' : `, next free ${nextFreeAt.toISOString()}`;
  return `${used} of ${allowed} ${what} (the CA allows ${limit})${next}`;
}

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
