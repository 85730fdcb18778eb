/** `once`: the keeper until the certificate was seen on the wire, or until waiting longer is in vain. */
import type { Plan } from '../plan/plan.ts';
import { planAsJson, planAsText } from '../status.ts';
import type { Context, Given } from './command.ts';
import { listening } from './service.ts';

/** States in which we, or Marathon for us, are at work; the others end the command when they last, or promise to. */
const WORKING = new Set<Plan['certificate']['state']>(['ordering', 'installing', 'deploying']);
const PATIENCE_MS = 60_000;
/** Without Marathon one more look, and that is it: a wrong address does not mend itself. */
const BLIND_PATIENCE_MS = 15_000;

export async function once(context: Context, { json }: Given): Promise<number> {
  const { signal, out } = context;
  const finished = new AbortController();
  let last: Plan | undefined;
  let idleSince: number | undefined;
  const service = await listening(context, (planned) => {
    last = planned;
    const { state } = planned.certificate;
    idleSince = WORKING.has(state) ? undefined : (idleSince ?? Date.now());
    const patienceMs = state === 'blind' ? BLIND_PATIENCE_MS : PATIENCE_MS;
    const isInVain = idleSince !== undefined && planned.checkAgainAt.getTime() - idleSince > patienceMs;
    if (state === 'live' || isInVain || planned.paused) finished.abort();
  });
  await service.run(AbortSignal.any([signal, finished.signal]));
  // On one line, for the log before it is JSON by lines, too.
  if (last !== undefined) out(json ? `${JSON.stringify(planAsJson(last))}\n` : planAsText(last));
  return last?.certificate.state === 'live' ? 0 : 1;
}
