/**
 * What has happened since this task started: the last events, and the last deployments of marathon-lb.
 *
 * For people who look at the page or the status after something went wrong. In memory only, and bounded: the log has all of
 * it, and keeps it. Fed with every plan; an event is a difference between two of them.
 */
import type { CertificateStatus, Plan } from './plan/plan.ts';
import type { State } from './plan/verdict.ts';

export interface TimelineEvent {
  readonly at: Date;
  readonly kind: 'start' | 'state' | 'certificate' | 'deployment' | 'note' | 'asked';
  /** Where the certificate stood from then on; of kind `state`. */
  readonly state?: State;
  readonly text: string;
  readonly cure?: string | undefined;
}

export interface DeploymentSeen {
  readonly id: string;
  /** Whose change of marathon-lb it is; one that ran before this task's first look is nobody's that we know. */
  readonly by: 'us' | 'others' | 'unknown';
  /** When we first saw it: Marathon does not say when it began. */
  readonly seenAt: Date;
  readonly endedAt: Date | undefined;
}

const MOST = { events: 60, deployments: 10 };
/** A sentence for a page; the log has the whole. */
const LONGEST_TEXT = 1_000;

export class Timeline {
  #events: readonly TimelineEvent[];
  #deployments: readonly DeploymentSeen[] = [];
  #last: Plan | undefined;

  constructor(startedAt: Date, text: string) {
    this.#events = [{ at: startedAt, kind: 'start', text }];
  }

  /** Oldest first. */
  get events(): readonly TimelineEvent[] {
    return this.#events;
  }

  /** Oldest first. */
  get deployments(): readonly DeploymentSeen[] {
    return this.#deployments;
  }

  add(event: TimelineEvent): void {
    const { text, cure } = event;
    const short = { ...event, text: text.slice(0, LONGEST_TEXT), ...(cure && { cure: cure.slice(0, LONGEST_TEXT) }) };
    this.#events = [...this.#events, short].slice(-MOST.events);
  }

  /** Compares with the plan before; a quiet day adds nothing. */
  note(planned: Plan): void {
    const before = this.#last;
    this.#last = planned;
    const { at, notes } = planned;
    this.#noteDeployments(planned, before === undefined);
    this.#noteCertificate(before?.certificate, planned);
    if (before === undefined || gist(before) !== gist(planned)) {
      const { state, why, cure } = planned.certificate;
      this.add({ at, kind: 'state', state, text: why, cure });
    }
    for (const text of notes) if (!before?.notes.includes(text)) this.add({ at, kind: 'note', text });
  }

  #noteCertificate(before: CertificateStatus | undefined, { at, certificate: { bundle } }: Plan): void {
    if (bundle === undefined || bundle.fingerprint === before?.bundle?.fingerprint) return;
    const text = `a certificate of ${bundle.issuer} until ${bundle.notAfter.toISOString()} is held: ${bundle.fingerprint}`;
    this.add({ at, kind: 'certificate', text });
  }

  #noteDeployments({ at, deployments: { running, ours } }: Plan, isFirst: boolean): void {
    const whose = (id: string): DeploymentSeen['by'] => (id === ours ? 'us' : isFirst ? 'unknown' : 'others');
    const known = this.#deployments.map((one) => this.#followed(one, running, at));
    const begun = running
      .filter((id) => !known.some((one) => one.id === id))
      .map((id) => ({ id, by: whose(id), seenAt: at, endedAt: undefined }));
    for (const one of begun) this.add({ at, kind: 'deployment', text: `${named(one)} runs` });
    this.#deployments = [...known, ...begun].slice(-MOST.deployments);
  }

  #followed(one: DeploymentSeen, running: readonly string[], at: Date): DeploymentSeen {
    if (one.endedAt !== undefined || running.includes(one.id)) return one;
    this.add({ at, kind: 'deployment', text: `${named(one)} has ended` });
    return { ...one, endedAt: at };
  }
}

function named({ id, by }: DeploymentSeen): string {
  const whose = { us: 'our deployment', others: "somebody else's deployment", unknown: 'deployment' };
  return `${whose[by]} ${id} of marathon-lb`;
}

/** The state with its reason, but for times, numbers and which of the names comes first: these change with every look. */
export function gist({ certificate: { state, why, cure, domains } }: Plan): string {
  if (state === 'ordering' || state === 'deploying' || state === 'live') return state;
  const text = domains.reduce((rest, name) => rest.replaceAll(name, ''), `${state} ${why} ${cure}`);
  return text.replace(/ \(and \d+ more\)|\d+/g, '');
}
