/**
 * The rules from a posted certificate to one seen on the wire: watch the deployment, then prove.
 *
 * Pure. Each rule speaks or is silent (undefined); `prove` always speaks, for it is the last.
 */
import { renewAt } from '../certificates/renewal.ts';
import { type App, isSettled } from '../marathon/app.ts';
import { foretellWaiting } from './foretelling.ts';
import type { WireSeen } from './observation.ts';
import { servedFinding, stuckFinding } from './sentences.ts';
import type { Situation } from './situation.ts';
import { HOUR, later, list, MINUTE, pace, type Verdict } from './verdict.ts';

/** How often the wire is asked when all is well. */
const WIRE_EVERY = 6 * HOUR;

/** Our value is in the environment; Marathon makes the tasks run with it. */
export function watch(now: Situation): Verdict | undefined {
  const { seen } = now;
  if (!seen.loadBalancer.ok || (isSettled(seen.loadBalancer.value) && !isStillListed(now))) return undefined;
  const { id, deployments, instances } = seen.loadBalancer.value;
  const running = deployments.length > 0 ? deployments : [seen.ourDeployment].filter((one) => one !== undefined);
  const isCancelled = running.length === 0 && seen.loadBalancer.value.tasks.length > 0;
  const why =
    running.length > 0
      ? `deployment ${running.join(', ')} of ${id} is running`
      : `${id} has fewer than ${instances} current, healthy tasks`;
  const awaited = isCancelled ? withoutDeployment(id) : foretellWaiting(seen.loadBalancer.value);
  const told = awaited === undefined ? { why } : { ...awaited, why: `${why}; ${awaited.why}` };
  return stuck(now) ?? { state: 'deploying', ...told, againAt: pace(seen.unsettledSince, seen.at) };
}

/** Marathon is not about to change that: it ends a deployment only when all tasks are well, unless it is told to stop. */
function withoutDeployment(id: string) {
  return {
    why: 'and no deployment of it runs: somebody may have cancelled it, or a task is sick',
    cure: `unless it mends itself, restart it: dcos marathon app restart ${id}`,
  };
}

/** The list and the app both have to say that it is over; but old Marathons may list what has long ended. */
function isStillListed({ seen, policy }: Situation): boolean {
  const since = seen.unsettledSince ?? seen.at;
  return seen.ourDeployment !== undefined && seen.at < later(since, policy.deploymentTimeoutMs);
}

/** Past the deadline nothing is forced or rolled back, which would stick the same way: say why it does not end. */
export function stuck({ seen, policy }: Situation): Verdict | undefined {
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
  if (looks.length === 0) {
    const cure = `start ${now.policy.loadBalancerId}, or see in Marathon why its tasks fail`;
    return { state: 'unproven', why: 'marathon-lb has no task that could serve', cure, againAt: next };
  }
  const where = [...new Set(looks.map(({ endpoint }) => endpoint))].join(', ');
  const why = `served by ${where} for ${list(issued(now.standings))}; renewal due ${renewAt(bundle).toISOString()}`;
  return { state: 'live', why, againAt: next };
}

/** After an install at once; then every 6 hours, or, while something is wrong, at the usual pace. */
function wireDueAt({ seen, bundle, standings }: Situation): Date {
  const { wire } = seen;
  if (wire === undefined || wire.expected !== bundle?.fingerprint) return seen.at;
  if (seen.loadBalancer.ok && isOtherThanAsked(seen.loadBalancer.value, wire)) return seen.at;
  const looked = new Set(wire.looks.map(({ domain }) => domain));
  if (wire.looks.length > 0 && !issued(standings).every((name) => looked.has(name))) return seen.at;
  return wire.failingSince === undefined ? later(wire.at, WIRE_EVERY) : pace(wire.failingSince, wire.at);
}

/** The wanted names that it can be asked for. */
function issued(standings: Situation['standings']): readonly string[] {
  return standings.flatMap(({ name, issued: isIssued }) => (isIssued ? name : []));
}

/** Deployed anew, or a task that crashed has a successor, which nobody has asked yet. */
function isOtherThanAsked({ version, tasks }: App, wire: WireSeen): boolean {
  const asked = new Set(wire.looks.map(({ taskId }) => taskId));
  return (
    wire.loadBalancerVersion !== version || tasks.some(({ id, state }) => state === 'TASK_RUNNING' && !asked.has(id))
  );
}
