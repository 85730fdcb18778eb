/**
 * What an operator may ask for on the status page, and when it is refused.
 *
 * Pure. Asking changes what is due, never what is allowed: budgets, the CA's Retry-After and the lead stay as they are.
 */
import type { Plan } from './plan.ts';
import type { State } from './verdict.ts';

export type Ask = 'retry' | 'renew';

/** Why it would come to nothing; undefined: it may be done. */
export function askObstacle(what: Ask, planned: Plan | undefined): string | undefined {
  if (planned === undefined) return 'The first look at Marathon has not ended yet; try again in a moment.';
  const { leader, paused, certificate } = planned;
  if (!leader.isUs) {
    return `This task only watches: ask ${leader.taskId === undefined ? 'again when one leads' : `the one that leads, ${leader.taskId}`}.`;
  }
  if (paused) return 'PAUSE=true: nothing is changed. Set it to false first.';
  if (what === 'retry') return undefined;
  if (certificate.progress !== undefined || certificate.state === 'ordering')
    return 'An order is under way already. Nothing has to be done.';
  if (certificate.bundle === undefined) return 'There is no certificate to renew. "Retry now" tries for the first one.';
  return waiting(planned) ?? onItsWay(planned) ?? overBudget(planned);
}

/** Another one would wait just the same, and the first have been for nothing. */
function waiting({ installWindow }: Plan): string | undefined {
  if (installWindow?.awaited !== true) return undefined;
  return `A new certificate is there already, and waits for the install window, ${installWindow.says}. To have it served at once, take INSTALL_WINDOW out of the definition for a while.`;
}

/** Not where the certificate itself is what stands in the way: then another one is the cure. */
const ON_ITS_WAY: ReadonlySet<State> = new Set(['installing', 'backing-off', 'stuck', 'contested']);

function onItsWay({ certificate: { state, isPosted, why } }: Plan): string | undefined {
  if (isPosted || !ON_ITS_WAY.has(state)) return undefined;
  return `There is a certificate that is not in marathon-lb yet: ${why}. It is posted by itself; another one would meet the same.`;
}

function overBudget({ budgets }: Plan): string | undefined {
  const over = budgets.find(({ nextFreeAt }) => nextFreeAt !== undefined);
  if (over === undefined) return undefined;
  const { used, what, allowed, limit, nextFreeAt } = over;
  return `${used} ${what} are used up, of ${allowed} that we allow ourselves and ${limit} that the CA allows. The next one is free ${nextFreeAt?.toISOString()}.`;
}
