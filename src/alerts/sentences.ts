/**
 * What an alert says: who, what happened, since when, and what to do.
 *
 * Pure. It repeats the plan's own sentences, so that alert, page and log never disagree.
 */
import type { NameStanding, Obstacle } from '../plan/names.ts';
import type { Plan } from '../plan/plan.ts';
import { list } from '../plan/verdict.ts';
import { printable } from '../printable.ts';

export const ALERT_KINDS = ['name-failing', 'unhealthy', 'ending', 'stuck', 'not-served'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

export interface Alert {
  readonly kind: AlertKind;
  readonly status: 'firing' | 'resolved';
  /** The conditions that it tells of. */
  readonly keys: readonly string[];
  readonly severity: 'info' | 'warning' | 'critical';
  /** The names that it is about. */
  readonly names: readonly string[];
  readonly text: string;
  readonly cure: string | undefined;
  /** Since when it has been so. */
  readonly since: Date;
  readonly at: Date;
}

type Subject = Pick<Alert, 'kind' | 'status' | 'keys' | 'since'>;
type Saying = Pick<Alert, 'severity' | 'text'> & { readonly cure?: string | undefined };

const LONGEST = { text: 2_500, cure: 1_000 };
const TOLD_NAMES = 5;
const ELSEWHERE = 'see the status page or /api/status on the admin port';

export function sentence(subject: Subject, planned: Plan): Alert {
  const names = namesOf(subject, planned);
  const said = subject.status === 'resolved' ? resolved(subject, names, planned) : firing(subject, names, planned);
  const { severity, text, cure } = said;
  const isOver = subject.status === 'resolved';
  return {
    ...subject,
    severity,
    names,
    text: printable(text, LONGEST.text),
    cure: isOver ? undefined : printable(cure ?? ELSEWHERE, LONGEST.cure),
    at: planned.at,
  };
}

function namesOf({ kind, keys }: Subject, { certificate }: Plan): readonly string[] {
  return kind === 'name-failing' ? keys.map((key) => key.slice('name:'.length)) : certificate.domains;
}

function firing({ kind, keys, since }: Subject, names: readonly string[], planned: Plan): Saying {
  const { state, why, cure, bundle } = planned.certificate;
  const ends = bundle === undefined ? 'there is no certificate' : `the certificate ends ${iso(bundle.notAfter)}`;
  switch (kind) {
    case 'name-failing':
      return failing(names, planned);
    case 'unhealthy':
      return { severity: 'critical', text: `not live since ${iso(since)}, and ${ends}: ${state}: ${why}`, cure };
    case 'ending': {
      const isLate = keys.includes('tenth');
      const left = isLate ? 'a tenth' : 'a quarter';
      const text = `less than ${left} of the life of the certificate for ${list(names)} is left, and ${ends}: ${state}: ${why}`;
      return { severity: isLate ? 'critical' : 'warning', text, cure };
    }
    case 'stuck':
      return { severity: 'critical', text: `the deployment of marathon-lb does not end, ${why}`, cure };
    case 'not-served':
      return {
        severity: 'critical',
        text: `the certificate that is installed is not the one on the wire: ${why}`,
        cure,
      };
  }
}

/** Each name with its own reason; of many the first few, for the others stand in the status. */
function failing(names: readonly string[], { certificate }: Plan): Saying {
  const standings = certificate.names.filter(({ name }) => names.includes(name));
  const reasons = standings.slice(0, TOLD_NAMES).map((standing) => {
    const lacks = standing.issued ? 'could not be renewed as things are' : 'is not on the certificate';
    return `${standing.name} ${lacks}: ${troubleOf(standing)?.why}`;
  });
  const more = standings.length > TOLD_NAMES ? [`and ${standings.length - TOLD_NAMES} names more`] : [];
  const cures = new Set(standings.slice(0, TOLD_NAMES).flatMap((standing) => troubleOf(standing)?.cure ?? []));
  return {
    severity: 'warning',
    text: [...reasons, ...more].join('; '),
    cure: cures.size > 0 ? [...cures].join('; ') : undefined,
  };
}

/** What the CA is asked in spite of is in the way all the same. */
export function troubleOf({ obstacle, overruled }: NameStanding): Obstacle | undefined {
  return obstacle ?? overruled;
}

function resolved({ kind }: Subject, names: readonly string[], { certificate }: Plan): Saying {
  const { why, bundle } = certificate;
  const severity = 'info';
  switch (kind) {
    case 'name-failing':
      return { severity, text: `well again: ${list(names)}` };
    case 'unhealthy':
      return { severity, text: `live again: ${why}` };
    case 'ending':
      return { severity, text: `renewed: the certificate for ${list(names)} ends ${iso(bundle?.notAfter)}` };
    case 'stuck':
      return { severity, text: `the deployment of marathon-lb has ended: ${why}` };
    case 'not-served':
      return { severity, text: `the certificate that is installed is the one on the wire again: ${why}` };
  }
}

function iso(at: Date | undefined): string {
  return at?.toISOString() ?? 'at an unknown time';
}
