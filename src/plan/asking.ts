/**
 * What an operator may ask for on the status page, and when it is refused.
 *
 * Pure. Asking changes what is due, never what is allowed: budgets, the CA's Retry-After and the lead stay as they are.
 */
import type { Plan } from './plan.ts';

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
  if (certificate.progress !== undefined || certificate.state === 'ordering') return 'An order is under way already.';
  if (certificate.bundle === undefined) return 'There is no certificate to renew. "Retry now" tries for the first one.';
  return overBudget(planned);
}

function overBudget({ budgets }: Plan): string | undefined {
  const over = budgets.find(({ nextFreeAt }) => nextFreeAt !== undefined);
  if (over === undefined) return undefined;
  const { used, what, allowed, limit, nextFreeAt } = over;
  return `${used} ${what} are used up, of ${allowed} that we allow ourselves and ${limit} that the CA allows. The next one is free ${nextFreeAt?.toISOString()}.`;
}
