/**
 * The planner: from what was seen, what to do next, and why.
 *
 * Pure: no clock, no I/O, no logging. Everything it knows is in the Observation, so every decision is a row of the
 * table in test/unit/plan.test.ts. The plan is the status: log, page, JSON and `plan` on the command line show this
 * value and decide nothing.
 */
import type { OrderProgress } from '../acme/order.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { renewAt } from '../certificates/renewal.ts';
import type { RefusedName } from '../certificates/spec.ts';
import { install, prove, watch } from './installing.ts';
import type { Observation, Policy } from './observation.ts';
import { order, orderRunning } from './ordering.ts';
import { type Leader, type Situation, situation } from './situation.ts';
import { slotNotes } from './slots.ts';
import { type Action, HOUR, type Look, later, SECOND, type State, type Verdict } from './verdict.ts';

export interface CertificateStatus {
  readonly state: State;
  readonly why: string;
  readonly cure: string | undefined;
  readonly domains: readonly string[];
  readonly refused: readonly RefusedName[];
  /** The variable of marathon-lb that holds it, or will. */
  readonly slot: string | undefined;
  /** What we have: for all the names, else the best there is. */
  readonly bundle: CertificateBundle | undefined;
  readonly renewAt: Date | undefined;
  readonly progress: OrderProgress | undefined;
}

export interface Plan {
  readonly at: Date;
  readonly certificate: CertificateStatus;
  readonly leader: Leader;
  /** PAUSE=true: serve and report, change nothing. */
  readonly paused: boolean;
  /** What an operator should know besides: refused names, slots of others, trouble with the state folder. */
  readonly notes: readonly string[];
  readonly actions: readonly Action[];
  readonly looks: readonly Look[];
  readonly checkAgainAt: Date;
}

/** With nothing else to wait for, Marathon is looked at again after this long. */
const AT_LEAST_EVERY = 6 * HOUR;

/** What to do next about our certificate, and why. */
export function plan(seen: Observation, policy: Policy): Plan {
  const now = situation(seen, policy);
  const verdict = decide(now);
  const mayAct = now.leader.isUs && !policy.pause;
  return {
    at: seen.at,
    certificate: describe(now, verdict),
    leader: now.leader,
    paused: policy.pause,
    notes: notes(now),
    actions: mayAct ? [...adoption(now), ...(verdict.actions ?? [])] : [],
    looks: verdict.looks ?? [],
    checkAgainAt: checkAgainAt(now, verdict),
  };
}

/** Read from the top: the first rule that speaks wins. */
function decide(now: Situation): Verdict {
  const due = order(now);
  // An order that has to wait must not hold up what is in hand already.
  const dueNow = due?.actions !== undefined || due?.looks !== undefined ? due : undefined;
  return orderRunning(now) ?? blind(now) ?? following(now) ?? dueNow ?? install(now) ?? due ?? watch(now) ?? prove(now);
}

function blind({ seen, policy, names }: Situation): Verdict | undefined {
  if (!seen.self.ok) return { state: 'blind', why: seen.self.problem, againAt: later(seen.at, 30 * SECOND) };
  if (!seen.loadBalancer.ok) {
    return { state: 'blind', why: seen.loadBalancer.problem, againAt: later(seen.at, 30 * SECOND) };
  }
  if (names.domains.length > 0) return undefined;
  const source = policy.domains === undefined ? `no HAPROXY_n_VHOST label of ${policy.appId}` : 'DOMAINS';
  const cure = `put a public DNS name into ${policy.domains === undefined ? `HAPROXY_0_VHOST of ${policy.appId}` : 'DOMAINS'}`;
  return {
    state: 'no-names',
    why: `${source} has a name for a certificate`,
    cure,
    againAt: later(seen.at, AT_LEAST_EVERY),
  };
}

function following({ seen, policy, leader }: Situation): Verdict | undefined {
  if (leader.isUs) return undefined;
  // A first task waits for its own health check and notices it at once; a second one may follow for years.
  if (leader.taskId === undefined) {
    const why = `no task of ${policy.appId} is running, current and healthy yet, by Marathon's list`;
    return { state: 'following', why, againAt: later(seen.at, SECOND) };
  }
  const why = `task ${leader.taskId} of ${policy.appId} leads; this one answers challenges and watches`;
  return { state: 'following', why, againAt: later(seen.at, 30 * SECOND) };
}

function adoption({ adoptable, seen }: Situation): readonly Action[] {
  return adoptable !== undefined && seen.stored.writable ? [{ kind: 'adopt', bundle: adoptable }] : [];
}

function describe(now: Situation, { state, why, cure }: Verdict): CertificateStatus {
  const { seen, names, placement } = now;
  const bundle = now.bundle ?? now.partial;
  return {
    state,
    why,
    cure,
    domains: names.domains,
    refused: names.refused,
    slot: placement?.ok ? placement.slot.name : undefined,
    bundle,
    renewAt: bundle && renewAt(bundle),
    progress: seen.order?.progress,
  };
}

function notes({ names, slots, placement, seen }: Situation): readonly string[] {
  return [
    ...names.refused.map(({ name, reason }) => `${name}: ${reason}`),
    ...slotNotes(slots, placement?.ok ? placement.slot : undefined),
    ...seen.stored.problems,
  ];
}

function checkAgainAt({ seen, bundle }: Situation, { againAt }: Verdict): Date {
  const renewal = bundle && renewAt(bundle);
  const times = [againAt, later(seen.at, AT_LEAST_EVERY), ...(renewal && renewal > seen.at ? [renewal] : [])];
  return new Date(Math.min(...times.map((time) => time.getTime())));
}
