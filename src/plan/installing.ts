/**
 * The rules from a certificate in hand to one seen on the wire: post, watch the deployment, prove.
 *
 * Pure. Each rule speaks or is silent (undefined); `prove` always speaks, for it is the last.
 */
import { gateOf } from '../certificates/authority.ts';
import { type CertificateBundle, objections } from '../certificates/bundle.ts';
import { contested, type Ledger, type Replacement, withReplacement } from '../certificates/ledger.ts';
import { renewAt } from '../certificates/renewal.ts';
import { type App, isSettled } from '../marathon/app.ts';
import type { WireSeen } from './observation.ts';
import { servedFinding, stuckFinding } from './sentences.ts';
import type { Situation } from './situation.ts';
import { type Slot, slotObjection } from './slots.ts';
import { HOUR, later, list, MINUTE, pace, SECOND, type Verdict } from './verdict.ts';

/** How often the wire is asked when all is well. */
const WIRE_EVERY = 6 * HOUR;
/** A PUT that Marathon refuses for good (rights, validation) is not repeated sooner: somebody has to change something. */
const REFUSED_PAUSE = 15 * MINUTE;

/** No variable is left for a certificate of ours: then none is ordered either. */
export function nowhere({ placement, seen }: Situation): Verdict | undefined {
  if (placement === undefined || placement.ok) return undefined;
  return { state: 'not-installable', why: placement.why, cure: placement.cure, againAt: later(seen.at, 5 * MINUTE) };
}

/** What we hold is not in marathon-lb's environment: post it, or say what stands in the way. */
export function install(now: Situation): Verdict | undefined {
  const { bundle, placement, seen } = now;
  if (bundle === undefined || !placement?.ok) return undefined;
  const { slot, stale } = placement;
  if (holds(slot, bundle, now)) return undefined;
  const replacement = replacementIn(slot, seen.stored.ledger, seen.at);
  return (
    forbidden(now, bundle, slot) ??
    disputed(now, slot, replacement) ??
    behindDeployment(now) ??
    hazardous(now) ??
    refusedBefore(now, bundle) ?? {
      state: 'installing',
      why: `${slot.name} ${CONTENT[slot.content.kind]}`,
      actions: [{ kind: 'install', bundle, slots: [slot, ...stale].map(({ name }) => name), replacement }],
      againAt: later(seen.at, SECOND),
    }
  );
}

const CONTENT: Readonly<Record<Slot['content']['kind'], string>> = {
  empty: 'is empty',
  secret: 'is a secret reference',
  unreadable: 'cannot be read',
  'self-signed': 'holds a self-signed certificate',
  expired: 'holds an expired certificate',
  ours: 'holds another certificate of ours',
  foreign: 'holds a certificate of somebody else, who gives way to TAKE_OVER=true',
};

function holds(slot: Slot, bundle: CertificateBundle, { seen }: Situation): boolean {
  const value = seen.loadBalancer.ok ? seen.loadBalancer.value.env[slot.name] : undefined;
  return typeof value === 'string' && bundle.matches(value);
}

/** The gate: a PEM that HAProxy refuses is a total outage, so none leaves the house that has not passed. */
function forbidden({ names, policy, seen }: Situation, bundle: CertificateBundle, slot: Slot): Verdict | undefined {
  // More names than wanted are no objection: a name that left the label goes with the next certificate.
  const domains = [...new Set([...names.domains, ...bundle.domains])];
  const bad = [
    ...objections(bundle, { domains, now: seen.at, ...gateOf(policy.directoryUrl) }),
    slotObjection(slot, bundle, seen.at) ?? [],
  ].flat();
  return bad.length === 0
    ? undefined
    : { state: 'not-installable', why: bad.join('; '), againAt: later(seen.at, 5 * MINUTE) };
}

/** What we last put into this slot is not there any more: somebody replaced it. */
function replacementIn({ name, content }: Slot, { posted }: Ledger, at: Date): Replacement | undefined {
  const last = posted[name];
  const isThere = 'bundle' in content && content.bundle.fingerprint === last;
  return last === undefined || isThere ? undefined : { at, slot: name, fingerprint: last };
}

function disputed(
  { seen, policy }: Situation,
  { name }: Slot,
  replacement: Replacement | undefined,
): Verdict | undefined {
  if (replacement === undefined) return undefined;
  const until = contested(withReplacement(seen.stored.ledger, replacement), name, seen.at);
  if (until === undefined) return undefined;
  return {
    state: 'contested',
    why: `somebody else replaced our certificate in ${name} twice within a day; it is not posted again before ${until.toISOString()}`,
    cure: `find who else writes ${name} of ${policy.loadBalancerId} (a second keeper, a template, another operator) and stop one of the two`,
    againAt: until,
  };
}

/** Never on top of a running deployment: Marathon refuses it, and some versions then hurt the one that runs. */
function behindDeployment(now: Situation): Verdict | undefined {
  const { seen } = now;
  if (!seen.loadBalancer.ok || seen.loadBalancer.value.deployments.length === 0) return undefined;
  const { id, deployments } = seen.loadBalancer.value;
  const why = `waiting for deployment ${deployments.join(', ')} of ${id} to end before ours is posted`;
  return stuck(now) ?? { state: 'installing', why, againAt: pace(seen.unsettledSince, seen.at) };
}

/**
 * Our PUT restarts every load balancer, and each stays closed if HAProxy refuses one certificate of anybody's. Not unless
 * they are seen to run with it; while the first variable is empty they don't, for then marathon-lb skips the others.
 */
function hazardous({ slots, seen }: Situation): Verdict | undefined {
  const bad = slots.find(({ content }) => content.kind === 'unreadable');
  if (bad === undefined || !seen.loadBalancer.ok) return undefined;
  const { value } = seen.loadBalancer;
  if (value.hasHealthChecks && isSettled(value) && slots[0]?.content.kind !== 'empty') return undefined;
  return {
    state: 'not-installable',
    why: `${bad.name} holds something HAProxy may refuse, and a redeploy would then close every marathon-lb`,
    cure: `repair or empty ${bad.name}`,
    againAt: later(seen.at, MINUTE),
  };
}

function refusedBefore({ seen }: Situation, bundle: CertificateBundle): Verdict | undefined {
  const failed = seen.failedInstall;
  if (failed === undefined || failed.fingerprint !== bundle.fingerprint) return undefined;
  if (seen.loadBalancer.ok && seen.loadBalancer.value.version !== failed.loadBalancerVersion) return undefined;
  const wait = failed.retryable ? Math.min(SECOND * 2 ** failed.count, 5 * MINUTE) : REFUSED_PAUSE;
  const at = later(failed.at, wait);
  if (at <= seen.at) return undefined;
  return { state: 'backing-off', why: `${failed.problem}; next try ${at.toISOString()}`, againAt: at };
}

/** Our value is in the environment; Marathon makes the tasks run with it. */
export function watch(now: Situation): Verdict | undefined {
  const { seen } = now;
  if (!seen.loadBalancer.ok || (isSettled(seen.loadBalancer.value) && !isStillListed(now))) return undefined;
  const { id, deployments, instances } = seen.loadBalancer.value;
  const running = deployments.length > 0 ? deployments : [seen.ourDeployment].filter((one) => one !== undefined);
  const why =
    running.length > 0
      ? `deployment ${running.join(', ')} of ${id} is running`
      : `${id} has fewer than ${instances} current, healthy tasks`;
  return stuck(now) ?? { state: 'deploying', why, againAt: pace(seen.unsettledSince, seen.at) };
}

/** The list and the app both have to say that it is over; but old Marathons may list what has long ended. */
function isStillListed({ seen, policy }: Situation): boolean {
  const since = seen.unsettledSince ?? seen.at;
  return seen.ourDeployment !== undefined && seen.at < later(since, policy.deploymentTimeoutMs);
}

/** Past the deadline nothing is forced or rolled back, which would stick the same way: say why it does not end. */
function stuck({ seen, policy }: Situation): Verdict | undefined {
  const since = seen.unsettledSince;
  if (since === undefined || !seen.loadBalancer.ok || seen.at < later(since, policy.deploymentTimeoutMs))
    return undefined;
  const finding = stuckFinding(seen.loadBalancer.value, seen.queue);
  const looks = seen.queue === undefined ? (['queue'] as const) : [];
  return {
    state: 'stuck',
    ...finding,
    why: `since ${since.toISOString()}: ${finding.why}`,
    looks,
    againAt: later(seen.at, MINUTE),
  };
}

/** Marathon says done; what HAProxy serves is what counts. */
export function prove(now: Situation): Verdict {
  const { seen, bundle } = now;
  const next = wireDueAt(now);
  if (seen.wire === undefined || bundle === undefined || next <= seen.at) {
    return { state: 'unproven', why: 'the load balancers have not been asked yet', looks: ['wire'], againAt: seen.at };
  }
  const { looks } = seen.wire;
  const bad =
    looks.find(({ verdict }) => verdict.kind === 'other') ??
    looks.find(({ verdict }) => verdict.kind === 'unreachable');
  if (bad !== undefined) {
    const finding = servedFinding(bad, bundle.fingerprint);
    const others = looks.filter(({ verdict }) => verdict.kind !== 'served').length - 1;
    const why = finding.why + (others === 0 ? '' : ` (and ${others} more)`);
    return { state: bad.verdict.kind === 'other' ? 'not-served' : 'unproven', ...finding, why, againAt: next };
  }
  if (looks.length === 0) return { state: 'unproven', why: 'marathon-lb has no task that could serve', againAt: next };
  const where = [...new Set(looks.map(({ endpoint }) => endpoint))].join(', ');
  const why = `served by ${where} for ${list(now.names.domains)}; renewal due ${renewAt(bundle).toISOString()}`;
  return { state: 'live', why, againAt: next };
}

/** After an install at once; then every 6 hours, or, while something is wrong, at the usual pace. */
function wireDueAt({ seen, bundle, names }: Situation): Date {
  const { wire } = seen;
  if (wire === undefined || wire.expected !== bundle?.fingerprint) return seen.at;
  if (seen.loadBalancer.ok && isOtherThanAsked(seen.loadBalancer.value, wire)) return seen.at;
  const looked = new Set(wire.looks.map(({ domain }) => domain));
  if (wire.looks.length > 0 && !names.domains.every((name) => looked.has(name))) return seen.at;
  return wire.failingSince === undefined ? later(wire.at, WIRE_EVERY) : pace(wire.failingSince, wire.at);
}

/** Deployed anew, or a task that crashed has a successor, which nobody has asked yet. */
function isOtherThanAsked({ version, tasks }: App, wire: WireSeen): boolean {
  const asked = new Set(wire.looks.map(({ taskId }) => taskId));
  return (
    wire.loadBalancerVersion !== version || tasks.some(({ id, state }) => state === 'TASK_RUNNING' && !asked.has(id))
  );
}
