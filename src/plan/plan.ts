/**
 * The planner: from what was seen, what to do next, and why.
 *
 * Pure: no clock, no I/O, no logging. Everything it knows is in the Observation, so every decision is a row of the
 * tables in test/unit/plan*.test.ts. The plan is the status: log, page, JSON and `plan` on the command line show this
 * value and decide nothing.
 */
import type { OrderProgress } from '../acme/order.ts';
import type { Budget } from '../certificates/budgets.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { renewAt } from '../certificates/renewal.ts';
import type { RefusedName } from '../certificates/spec.ts';
import { imported } from './imported.ts';
import { type WindowSeen, windowSeen } from './install-window.ts';
import { foretold, install, nowhere } from './installing.ts';
import { failedValidations, type NameStanding, nextPreflightAt, preflightDue, routesMayCome } from './names.ts';
import type { Observation, Policy, WireSeen } from './observation.ts';
import { chargedTo, lookAhead, order, orderRunning } from './ordering.ts';
import { forgetting, renewalAt, restore } from './restoring.ts';
import { holds, type Leader, type Situation, situation } from './situation.ts';
import { slotNotes } from './slots.ts';
import {
  type Action,
  earlier,
  type Look,
  later,
  list,
  MINUTE,
  pace,
  SECOND,
  type State,
  type Verdict,
} from './verdict.ts';
import { prove, watch } from './watching.ts';

export interface CertificateStatus {
  readonly state: State;
  readonly why: string;
  readonly cure: string | undefined;
  readonly domains: readonly string[];
  /** The same, each with what keeps it from the certificate or endangers its renewal. */
  readonly names: readonly NameStanding[];
  readonly refused: readonly RefusedName[];
  /** The variable of marathon-lb that holds it, or will. */
  readonly slot: string | undefined;
  /** The best we have; it may lack names that are wanted. */
  readonly bundle: CertificateBundle | undefined;
  /** Whether the variable holds it already. */
  readonly isPosted: boolean;
  /** What marathon-lb should serve: the same, or the one before it while it waits for the install window. */
  readonly toBeServed: CertificateBundle | undefined;
  readonly renewAt: Date | undefined;
  readonly progress: OrderProgress | undefined;
}

/** The deployments of marathon-lb that Marathon lists. */
export interface DeploymentsSeen {
  readonly running: readonly string[];
  /** The one that our last PUT began, while it is one of them. */
  readonly ours: string | undefined;
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
  /** The names that the look `preflight` is about. */
  readonly preflightDue: readonly string[];
  /** What an order of all the names would be charged to; empty for a private CA. */
  readonly budgets: readonly Budget[];
  /** Of the names that failed within the hour; empty for a private CA. */
  readonly validations: readonly Budget[];
  /** What the load balancers were last seen to serve; undefined: not looked at. */
  readonly wire: WireSeen | undefined;
  readonly deployments: DeploymentsSeen;
  /** Undefined: marathon-lb may be redeployed at any time. */
  readonly installWindow: WindowSeen | undefined;
  readonly checkAgainAt: Date;
}

/** With nothing else to wait for, and should no event come through, Marathon is looked at again after this long. */
const AT_LEAST_EVERY = 15 * MINUTE;

/** Marathon elects a leader within 10 to 60 seconds. */
const BLIND_EVERY = 10 * SECOND;
/** Marathon's error has the rest. */
const ASKED_AGAIN =
  'Marathon is asked again every 10 s, and a certificate in place is served meanwhile; if it lasts, do what the sentence says';

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
    actions: mayAct ? [...adoption(now), ...forgetting(now), ...(verdict.actions ?? [])] : [],
    looks: verdict.looks ?? [],
    preflightDue: preflightDue(now),
    budgets: chargedTo(now, now.names.domains),
    validations: failedValidations(now),
    wire: seen.wire,
    deployments: deploymentsIn(seen),
    installWindow: windowSeen(now, verdict),
    checkAgainAt: checkAgainAt(now, verdict),
  };
}

/** Ours too while its list shows it and the app does not say so yet. */
function deploymentsIn({ loadBalancer, ourDeployment: ours }: Observation): DeploymentsSeen {
  const listed = loadBalancer.ok ? loadBalancer.value.deployments : [];
  return { running: [...new Set([...listed, ...(ours === undefined ? [] : [ours])])], ours };
}

/** Read from the top: the first rule that speaks wins. */
function decide(now: Situation): Verdict {
  return (
    restore(now) ?? orderRunning(now) ?? blind(now) ?? following(now) ?? forgetful(now) ?? nowhere(now) ?? certify(now)
  );
}

/** An order that may be made goes before an install, so that there is one redeploy and not two. */
function certify(now: Situation): Verdict {
  const due = order(now);
  if (due?.actions !== undefined || due?.looks !== undefined) return due;
  if (due !== undefined && now.bundle === undefined) return ahead(due, now);
  const inHand = install(now) ?? watch(now) ?? prove(now);
  const verdict = due === undefined ? inHand : beside(due, inHand, now);
  // What is in hand may take days, as with a load balancer that cannot be asked: meanwhile names may break or be mended.
  return verdict.actions !== undefined || isLooking(verdict) ? verdict : ahead(verdict, now);
}

function isLooking({ looks = [] }: Verdict): boolean {
  return looks.length > 0;
}

/** An order that has to wait does not hold up what is in hand already, and the operator hears of both. */
function beside(due: Verdict, inHand: Verdict, now: Situation): Verdict {
  const againAt = earlier(due.againAt, inHand.againAt);
  const missing = now.standings.filter(({ issued }) => !issued).map(({ name }) => name);
  const without = missing.length === 0 ? '' : ` without ${list(missing)}`;
  if (inHand.state !== 'live') {
    const besides = missing.length === 0 ? 'the renewal has to wait' : `it is${without}`;
    const isShort = inHand.state === 'waiting-for-window' && missing.length > 0;
    const state = isShort ? 'degraded' : inHand.state;
    return { ...inHand, state, againAt, why: `${inHand.why}; besides, ${besides}: ${due.why}` };
  }
  const isNew = routesMayCome(now) || missing.length === 0;
  return isNew ? { ...due, againAt } : { ...due, state: 'degraded', why: `live${without}: ${due.why}`, againAt };
}

/** All is well, or has to wait: what could spoil the next order is looked at meanwhile, and what has been mended is noticed. */
function ahead(verdict: Verdict, now: Situation): Verdict {
  const look = lookAhead(now);
  const next = look?.againAt ?? nextPreflightAt(now);
  const isAwaited = next !== undefined && (look !== undefined || next > now.seen.at);
  const againAt = isAwaited ? earlier(verdict.againAt, next) : verdict.againAt;
  return { ...verdict, againAt, ...(look?.looks && { looks: look.looks }) };
}

function blind({ seen, policy, names }: Situation): Verdict | undefined {
  const againAt = later(seen.at, BLIND_EVERY);
  if (!seen.self.ok) return { state: 'blind', why: seen.self.problem, cure: ASKED_AGAIN, againAt };
  if (!seen.loadBalancer.ok) return { state: 'blind', why: seen.loadBalancer.problem, cure: ASKED_AGAIN, againAt };
  if (names.domains.length > 0) return undefined;
  const isLabel = policy.domains === undefined;
  const why = isLabel
    ? `no HAPROXY_n_VHOST label of ${policy.appId} has a name for a certificate`
    : 'DOMAINS has no name for a certificate';
  const cure = `put a public DNS name into ${isLabel ? `HAPROXY_0_VHOST of ${policy.appId}` : 'DOMAINS'}`;
  return { state: 'no-names', why, cure, againAt: later(seen.at, AT_LEAST_EVERY) };
}

function following({ seen, policy, leader, ownTask }: Situation): Verdict | undefined {
  if (leader.isUs) return undefined;
  // A first task waits for its own health check and notices it at once; a second one may follow for years.
  if (leader.taskId === undefined) {
    const why = `no task of ${policy.appId} is running, current and healthy yet, by Marathon's list`;
    const cure =
      'if that lasts, see in Marathon why its health check fails: it should ask /.well-known/acme-challenge/ping at HTTP_PORT';
    return { state: 'following', why, cure, againAt: pace(ownTask?.startedAt, seen.at) };
  }
  const why = `task ${leader.taskId} of ${policy.appId} leads; this one answers challenges and watches`;
  return { state: 'following', why, againAt: later(seen.at, 30 * SECOND) };
}

/**
 * The folder came up empty, and a certificate has some of our names and others: it may be ours from before an edit of our
 * labels, which Marathon remembers.
 */
function forgetful({ seen, slots }: Situation): Verdict | undefined {
  if (!seen.stored.wasEmpty || seen.pastNames !== undefined) return undefined;
  const doubtful = slots.find(({ content, shadows }) => content.kind === 'foreign' && shadows.length > 0);
  if (doubtful === undefined) return undefined;
  const why = `${doubtful.name} may hold our certificate from before an edit of our labels; Marathon is asked what they were`;
  return { state: 'blind', why, looks: ['past'], againAt: seen.at };
}

/** Not while an order runs: what it brings is the newest, and must not be followed by an older one. */
function adoption({ adoptable, seen }: Situation): readonly Action[] {
  const mayKeep = seen.stored.writable && seen.order === undefined;
  return adoptable !== undefined && mayKeep ? [{ kind: 'adopt', bundle: adoptable }] : [];
}

function describe(now: Situation, { state, why, cure, toBeServed }: Verdict): CertificateStatus {
  const { seen, names, placement, bundle, standings } = now;
  return {
    state,
    why,
    cure,
    domains: names.domains,
    names: standings,
    refused: names.refused,
    slot: placement?.ok ? placement.slot.name : undefined,
    bundle,
    isPosted: bundle !== undefined && placement?.ok === true && holds(placement.slot, bundle, now),
    toBeServed: toBeServed ?? bundle,
    renewAt: renewalAt(now),
    progress: seen.order?.progress,
  };
}

const LEFT_OUT = 'it is left out until it is corrected or taken away, and the other names go on';

function notes(now: Situation): readonly string[] {
  const { names, slots, placement, seen } = now;
  return [
    ...endangered(now),
    ...names.refused.map(({ name, reason }) => `${name}: ${reason}; ${LEFT_OUT}`),
    ...foretold(now),
    ...slotNotes(slots, placement?.ok ? placement.slot : undefined),
    ...imported(seen, now.policy, names.domains).notes,
    ...seen.stored.problems,
  ];
}

/** Names on a certificate that could not be renewed as they stand, told while there is time. */
function endangered(now: Situation): readonly string[] {
  const { standings, bundle, seen } = now;
  if (bundle === undefined || renewAt(bundle) <= seen.at) return [];
  return standings.flatMap(({ issued, obstacle: held, overruled }) => {
    const obstacle = held ?? overruled;
    const isPassing = obstacle?.from === 'route' && routesMayCome(now);
    if (!issued || obstacle === undefined || isPassing) return [];
    const cure = obstacle.cure === undefined ? '' : `; ${obstacle.cure}`;
    return `${obstacle.why}; the renewal of ${renewAt(bundle).toISOString()} would fail${cure}`;
  });
}

function checkAgainAt(now: Situation, { againAt, actions }: Verdict): Date {
  const { seen, policy } = now;
  const renewal = renewalAt(now);
  // Paused, what would be done stays undone: no need to hurry back to it.
  const next = policy.pause && actions !== undefined ? later(seen.at, 5 * MINUTE) : againAt;
  const atLeast = later(seen.at, AT_LEAST_EVERY);
  return earlier(next, renewal !== undefined && renewal > seen.at ? earlier(renewal, atLeast) : atLeast);
}
