/**
 * What the planner says of what it saw: who, what was tried, what happened, what would cure it.
 *
 * Pure. Sentences only; whether they matter is decided in plan.ts.
 */
import type { App } from '../marathon/app.ts';
import type { QueueItem } from '../marathon/client.ts';
import type { RouteLook } from '../route.ts';
import type { ServedLook } from '../served.ts';
import type { Policy, Seen } from './observation.ts';

/** A fact and, where we know one, the way out. */
export interface Finding {
  readonly why: string;
  readonly cure?: string | undefined;
}

const CATCH_ALL = 'use the labels of letsencrypt-dcos-catch-all.json, which answer before every other rule';

/** What answered on the challenge path instead of us, and which label cures it. */
export function routeFinding({ domain, instance, verdict }: RouteLook, policy: Policy): Finding {
  const where = `${domain} through marathon-lb at ${instance.host}:${instance.httpPort ?? '?'}`;
  switch (verdict.kind) {
    case 'ours':
      return { why: `${where}: the challenge path leads here` };
    case 'redirected':
      return { why: `${where}: the challenge path is redirected to ${verdict.to}`, cure: CATCH_ALL };
    case 'unreachable':
      return {
        why: `${where}: the challenge path cannot be asked: ${verdict.note}`,
        cure: 'check that marathon-lb runs there and that this agent may connect to it; MARATHON_LB_HTTP_PORT names its port',
      };
    case 'answered':
      return {
        why: `${where}: the challenge path is answered with HTTP ${verdict.status} (${verdict.note})`,
        cure: cureFor(verdict.status, domain, policy),
      };
  }
}

function cureFor(status: number, domain: string, { appId }: Policy): string {
  if (status === 401) {
    return `the app that serves ${domain} asks for a password (HAPROXY_n_AUTH) before our path is reached: ${CATCH_ALL}`;
  }
  if (status === 503) {
    return `no rule of marathon-lb leads to us yet: ${appId} must be healthy, share marathon-lb's HAPROXY_GROUP, and have ${domain} in HAPROXY_0_VHOST`;
  }
  const other = `another app answers for ${domain}: have it in HAPROXY_0_VHOST of ${appId} and set HAPROXY_0_BACKEND_WEIGHT=1000 there, so that our path comes first; or ${CATCH_ALL}`;
  return status === 404 ? `${other}${SECOND_KEEPER}` : other;
}

/** Its listener knows no token but its own, and answers 404 to all others. */
const SECOND_KEEPER =
  '; if it is another letsencrypt-dcos with the catch-all labels, only one on a load balancer can have them: give both a list of names with the labels of letsencrypt-dcos.json, or one of them all the names';

/** Several of our own tasks run, and the load balancer may have asked one that could not ask us in turn. */
export function peersFinding({ appId }: Policy, { why }: Finding): Finding {
  const cure = `another instance of ${appId} may have answered, and could not ask this one: see that its tasks reach each other's challenge port, and that all of them run this release`;
  return { why, cure };
}

/** What a load balancer serves for a name, when it is not what it should be. */
export function servedFinding({ domain, endpoint, verdict, taskId }: ServedLook, expected: string): Finding {
  const isPublic = taskId === undefined;
  const where = isPublic ? endpoint : `marathon-lb at ${endpoint}`;
  switch (verdict.kind) {
    case 'served':
      return { why: `${where} serves our certificate for ${domain}` };
    case 'other':
      return {
        why: `${where} serves ${short(verdict.fingerprint)} (until ${verdict.notAfter.toISOString()}) for ${domain}; expected ${short(expected)}`,
        cure: isPublic
          ? 'see where that address leads: SERVED_CHECK must name one behind which only these marathon-lb tasks end TLS'
          : 'see whether another certificate variable or --ssl-certs of marathon-lb has the name first; restart that marathon-lb task if it still runs with an old environment',
      };
    case 'unreachable':
      return {
        why: `${where} could not be asked for ${domain}: ${verdict.note}`,
        cure: isPublic
          ? 'check that this agent may connect to that address; SERVED_CHECK names it'
          : 'check that marathon-lb listens there and that this agent may connect to it; MARATHON_LB_HTTPS_PORT names its port',
      };
  }
}

function short(fingerprint: string): string {
  return `${fingerprint.slice(0, 11)}…`;
}

/** Why a deployment of marathon-lb does not end, as far as Marathon's launch queue tells. */
export function stuckFinding(app: App, queue: Seen<readonly QueueItem[]> | undefined): Finding {
  const what =
    app.deployments.length > 0
      ? `deployment ${app.deployments.join(', ')} of ${app.id} has not ended`
      : `${app.id} is short of healthy tasks`;
  if (queue !== undefined && !queue.ok)
    return { why: `${what}; Marathon's launch queue cannot be read: ${queue.problem}`, ...crash(app) };
  const item = queue?.value.find(({ appId }) => appId === app.id);
  if (item === undefined) return { why: `${what}; nothing of it waits in Marathon's launch queue`, ...crash(app) };
  if (!item.overdue) {
    return {
      why: `${what}: Marathon holds the next launch back for ${item.timeLeftSeconds} s after failures`,
      ...crash(app),
    };
  }
  const { InsufficientPorts: forPorts = 0 } = item.declined;
  if (forPorts > 0) {
    return {
      why: `${what}: no second agent has its ports free (${forPorts} offers declined for ports)`,
      cure: `set upgradeStrategy.minimumHealthCapacity of ${app.id} to 0, which costs a short gap, or add a public agent`,
    };
  }
  const reasons = Object.entries(item.declined)
    .filter(([, offers]) => offers > 0)
    .map(([reason, offers]) => `${reason} ${offers}`);
  return {
    why: `${what}: no offer fits (${reasons.join(', ') || 'none came yet'})`,
    cure: `free on an agent what ${app.id} asks for, or add an agent`,
  };
}

function crash(app: App): { cure: string } {
  const failure = app.lastTaskFailure;
  if (failure === undefined) {
    const cure = `see in Marathon, at ${app.id} and in the logs of its tasks, why it does not come up; what serves goes on serving`;
    return { cure };
  }
  return {
    cure: `look at its last failed task ${failure.taskId} on ${failure.host}: ${failure.state} ${failure.message}`,
  };
}
