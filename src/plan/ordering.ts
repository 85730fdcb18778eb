/**
 * The rules before and during an order: may the CA be asked now, and if not, what is it that must happen first.
 *
 * Pure. Each rule speaks or is silent (undefined).
 */
import { failuresOf, retryAt } from '../certificates/ledger.ts';
import { renewAt } from '../certificates/renewal.ts';
import { sameNames, specFor } from '../certificates/spec.ts';
import type { RouteLook } from '../route.ts';
import type { OrderInFlight } from '../store.ts';
import { type Finding, peersFinding, routeFinding } from './sentences.ts';
import type { Situation } from './situation.ts';
import { HOUR, later, list, MINUTE, pace, SECOND, type Verdict } from './verdict.ts';

/** After losing our memory and a crash, an order waits this long: a crash loop must not spend the CA's limits. */
const CRASH_PAUSE = 15 * MINUTE;
/** How long a load balancer that only we cannot reach holds up an order. */
const UNKNOWN_FOR = 24 * HOUR;
/** How long "every name leads to us" is believed. */
const ROUTES_GOOD_FOR = 10 * SECOND;

/** Whoever holds an order finishes it, leader or not. */
export function orderRunning({ seen }: Situation): Verdict | undefined {
  if (seen.order === undefined) return undefined;
  const { progress, startedAt } = seen.order;
  const step =
    progress === undefined
      ? 'starting'
      : `${progress.step}, ${progress.validated} of ${progress.total} names validated`;
  return { state: 'ordering', why: `since ${startedAt.toISOString()}: ${step}`, againAt: later(seen.at, 30 * SECOND) };
}

/** Nothing covers the names, or what does is due for renewal: order, or say what it waits for. */
export function order(now: Situation): Verdict | undefined {
  if (!isDue(now)) return undefined;
  return mayNotOrder(now) ?? issue(now);
}

function isDue({ seen, bundle }: Situation): boolean {
  return bundle === undefined || renewAt(bundle) <= seen.at;
}

function issue(now: Situation): Verdict {
  const { seen, policy, names, bundle } = now;
  const why =
    bundle === undefined
      ? `nothing covers ${list(names.domains)}`
      : `the certificate ends ${bundle.notAfter.toISOString()}`;
  const spec = specFor(names.domains, policy.keyType);
  return {
    state: 'ordering',
    why,
    actions: [{ kind: 'issue', spec, resume: inFlight(now) }],
    againAt: later(seen.at, 30 * SECOND),
  };
}

function mayNotOrder(now: Situation): Verdict | undefined {
  return notWritable(now) ?? backingOff(now) ?? pausedByCrash(now) ?? noLoadBalancer(now) ?? noRoute(now);
}

function notWritable({ seen }: Situation): Verdict | undefined {
  if (seen.stored.writable) return undefined;
  const why = `the state folder cannot be written, and an order must survive a restart: ${seen.stored.problems.join('; ')}`;
  return { state: 'not-writable', why, againAt: later(seen.at, MINUTE) };
}

function backingOff({ seen, names, partial }: Situation): Verdict | undefined {
  const { ledger } = seen.stored;
  const at = retryAt(ledger, names.domains, seen.at);
  const own = failuresOf(ledger, names.domains, seen.at);
  const last = own.at(-1) ?? ledger.failures.at(-1);
  if (last === undefined || at === undefined || at <= seen.at) return undefined;
  const tries = own.length > 1 ? `, ${own.length} times in a row` : '';
  const meanwhile =
    partial === undefined
      ? 'there is no certificate yet'
      : `the present certificate ends ${partial.notAfter.toISOString()}`;
  return {
    state: 'backing-off',
    why: `${last.problem}${tries}; next try ${at.toISOString()}; ${meanwhile}`,
    againAt: at,
  };
}

function pausedByCrash({ seen }: Situation): Verdict | undefined {
  const failure = seen.self.ok ? seen.self.value.lastTaskFailure : undefined;
  if (!seen.stored.wasEmpty || failure === undefined) return undefined;
  const until = later(failure.at, CRASH_PAUSE);
  if (until <= seen.at) return undefined;
  const why = `our task ${failure.taskId} failed at ${failure.at.toISOString()} (${failure.state}) and the state folder came up empty; ordering waits until ${until.toISOString()}, so that a crash loop cannot use up the CA's limits`;
  return { state: 'backing-off', why, cure: 'give the app a volume for STATE_DIR', againAt: until };
}

/**
 * An order of ours for these very names waits at the CA. It too goes on only with a route: they had one when it was made,
 * but that one led to the task before.
 */
function inFlight({ seen, policy, names }: Situation): OrderInFlight | undefined {
  const { order } = seen.stored;
  const fits = order?.directory === policy.directoryUrl && sameNames(order.domains, names.domains);
  return fits ? order : undefined;
}

function noLoadBalancer({ seen, policy }: Situation): Verdict | undefined {
  if (!seen.loadBalancer.ok) return undefined;
  const { id, deployments, tasks } = seen.loadBalancer.value;
  const since = seen.unsettledSince ?? seen.at;
  // A redeploy would cut the CA's requests off; but one that is stuck must not hold up a renewal.
  if (deployments.length > 0 && seen.at < later(since, policy.deploymentTimeoutMs)) {
    return {
      state: 'waiting-for-route',
      why: `${id} is being deployed (${deployments.join(', ')})`,
      againAt: pace(since, seen.at),
    };
  }
  if (tasks.some(({ state }) => state === 'TASK_RUNNING')) return undefined;
  return {
    state: 'waiting-for-route',
    why: `${id} has no running task`,
    cure: `start ${id}`,
    againAt: later(seen.at, 10 * SECOND),
  };
}

function noRoute(now: Situation): Verdict | undefined {
  const { seen } = now;
  const { routes } = seen;
  const next = routesDueAt(now);
  if (routes === undefined || next <= seen.at) {
    return { state: 'waiting-for-route', why: 'not looked at yet', looks: ['routes'], againAt: seen.at };
  }
  const [worst, ...others] = routes.looks.filter(({ verdict }) => verdict.kind !== 'ours');
  if (worst === undefined || isOnlyOurView(now)) return undefined;
  const finding = findingOn(worst, now);
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return { state: 'waiting-for-route', ...finding, why: finding.why + more, againAt: next };
}

function findingOn(look: RouteLook, { seen, policy }: Situation): Finding {
  const finding = routeFinding(look, policy);
  const running = seen.self.ok ? seen.self.value.tasks.filter(({ state }) => state === 'TASK_RUNNING').length : 0;
  const mayBePeer = running > 1 && look.verdict.kind === 'answered' && look.verdict.status === 404;
  return mayBePeer ? peersFinding(policy, finding) : finding;
}

/** A load balancer that we cannot connect to may be open to the CA all the same: after a day it is asked. */
function isOnlyOurView({ seen }: Situation): boolean {
  const { looks, waitingSince } = seen.routes ?? { looks: [], waitingSince: undefined };
  const isUnknown = looks.every(({ verdict }) => verdict.kind === 'ours' || verdict.kind === 'unreachable');
  return isUnknown && waitingSince !== undefined && seen.at >= later(waitingSince, UNKNOWN_FOR);
}

function routesDueAt({ seen, names }: Situation): Date {
  const { routes } = seen;
  const looked = new Set(routes?.looks.map(({ domain }) => domain));
  if (routes === undefined || !names.domains.every((name) => looked.has(name))) return seen.at;
  return routes.waitingSince === undefined ? later(routes.at, ROUTES_GOOD_FOR) : pace(routes.waitingSince, routes.at);
}
