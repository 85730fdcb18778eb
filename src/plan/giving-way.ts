/**
 * What an order gives way to, whatever the names: a crash loop of ours, the task before or after us, a load balancer that
 * is not there.
 *
 * Pure. Each rule speaks or is silent (undefined).
 */
import { lastCallAt } from '../certificates/renewal.ts';
import { isCurrent, type TaskFailure } from '../marathon/app.ts';
import type { Situation } from './situation.ts';
import { earlier, later, MINUTE, pace, SECOND, type Verdict } from './verdict.ts';

/** After losing our memory and a crash, an order waits this long: a crash loop must not spend the CA's limits. */
const CRASH_PAUSE = 15 * MINUTE;
/** How long the task of the version before is left to end what it has begun. */
const ELDER_PAUSE = 2 * MINUTE;
export function pausedByCrash(now: Situation): Verdict | undefined {
  const { seen } = now;
  const failure = seen.self.ok ? seen.self.value.lastTaskFailure : undefined;
  if (!seen.stored.wasEmpty || failure === undefined || isOfAnotherVersion(failure, now)) return undefined;
  const until = later(failure.at, CRASH_PAUSE);
  if (until <= seen.at) return undefined;
  const why = `our task ${failure.taskId} failed at ${failure.at.toISOString()} (${failure.state}) and the state folder came up empty; ordering waits until ${until.toISOString()}, so that a crash loop cannot use up the CA's limits`;
  return { state: 'backing-off', why, cure: 'give the app a volume for STATE_DIR', againAt: until };
}

/** In an upgrade without memory: the task before us may have an order in hand, and is about to end. */
export function behindElder({ seen, ownTask: own }: Situation): Verdict | undefined {
  if (!seen.stored.wasEmpty || !seen.self.ok) return undefined;
  const app = seen.self.value;
  const elder = app.tasks.find((task) => task !== own && task.state === 'TASK_RUNNING' && !isCurrent(app, task));
  const since = own?.startedAt;
  if (elder === undefined || since === undefined || seen.at >= later(since, ELDER_PAUSE)) return undefined;
  const why = `task ${elder.id} of the version before still runs, and may have an order in hand; this one waits for it to end, until ${later(since, ELDER_PAUSE).toISOString()} at the latest`;
  return { state: 'following', why, cure: BY_ITSELF, againAt: pace(since, seen.at) };
}

const BY_ITSELF = 'nothing is to be done: it goes on by itself then';

/**
 * Our app was edited, which starts a new version of us: it would order the same names again, and we may be gone before ours
 * is posted. Not for ever, for that version may never come up; and not when the certificate is near its end.
 */
export function beforeSuccessor({ seen, policy, bundle, ownTask: own }: Situation): Verdict | undefined {
  if (!seen.self.ok) return undefined;
  const app = seen.self.value;
  const editedAt = new Date(app.lastConfigChangeAt ?? app.version);
  const longest = later(editedAt, policy.deploymentTimeoutMs);
  const until = bundle === undefined ? longest : earlier(longest, lastCallAt(bundle));
  if (own === undefined || isCurrent(app, own) || !(seen.at < until)) return undefined;
  const why = `${app.id} was changed at ${editedAt.toISOString()}, and Marathon starts a task with the change, which orders; this one does not before ${until.toISOString()}`;
  const cure = 'if no task with the change comes up, see in Marathon why';
  return { state: 'following', why, cure, againAt: pace(editedAt, seen.at) };
}

/** A new version that dies on start again and again says nothing of us, who were there before it. */
function isOfAnotherVersion({ at, version }: TaskFailure, { ownTask: own }: Situation): boolean {
  if (own?.startedAt === undefined || own.version === undefined || version === undefined) return false;
  return own.startedAt < at && own.version !== version;
}

export function noLoadBalancer({ seen, policy }: Situation): Verdict | undefined {
  if (!seen.loadBalancer.ok) return undefined;
  const { id, deployments, tasks } = seen.loadBalancer.value;
  const since = seen.unsettledSince ?? seen.at;
  // A redeploy would cut the CA's requests off; but one that is stuck must not hold up a renewal.
  if (deployments.length > 0 && seen.at < later(since, policy.deploymentTimeoutMs)) {
    return {
      state: 'waiting-for-route',
      why: `${id} is being deployed (${deployments.join(', ')}), and the CA is asked when that has ended`,
      againAt: pace(since, seen.at),
    };
  }
  if (tasks.some(({ state }) => state === 'TASK_RUNNING')) return undefined;
  return {
    state: 'waiting-for-route',
    why: `${id} has no running task, so the CA would find nobody`,
    cure: `start ${id}, or see in Marathon why its tasks fail`,
    againAt: later(seen.at, 10 * SECOND),
  };
}
