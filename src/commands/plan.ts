/** `plan`: what the keeper would do and why, without doing it. */
import { difference } from '../plan/difference.ts';
import { planAsJson } from '../status.ts';
import { showingProgress } from '../terminal/progress.ts';
import { styleOf } from '../terminal/style.ts';
import type { Context, Given } from './command.ts';
import { planDifferenceAsText } from './plan-text.ts';
import { serviceOf } from './service.ts';

export async function plan(context: Context, { json }: Given): Promise<number> {
  const { env, signal, out } = context;
  const service = await serviceOf({ ...env, LOG_LEVEL: 'silent' });
  const look = () => service.preview(signal);
  const { seen, policy, planned } = await showingProgress(
    context,
    () => 'looking at Marathon and the state folder',
    look,
  );
  const facts = planAsJson(planned);
  if (json) {
    out(`${JSON.stringify(facts, null, 2)}\n`);
    return 0;
  }
  const view = { now: new Date(), style: styleOf(context) };
  out(planDifferenceAsText(facts, difference(seen, policy, planned), view));
  return 0;
}
