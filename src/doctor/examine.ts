/**
 * The examination: every check with what it needs, each for itself, so that one that fails or hangs does not stop the
 * others. Looks only; nothing anywhere is changed.
 */
import { isPublicCa } from '../certificates/authority.ts';
import { type Instance, NobodyAnswers } from '../instance/find.ts';
import { groupsOf } from '../marathon/load-balancer.ts';
import { fearsLabels } from '../plan/foretelling.ts';
import type { Seen } from '../plan/observation.ts';
import { chargedTo } from '../plan/ordering.ts';
import { type Situation, situation } from '../plan/situation.ts';
import { type Diagnosis, diagnosis } from './diagnosis.ts';
import { aboutNames } from './examine-names.ts';
import * as marathon from './marathon.ts';
import type { Senses, Work } from './senses.ts';
import * as surroundings from './surroundings.ts';

export interface Examination {
  readonly senses: Senses;
  /** Instead of all that are wanted; they need not be. */
  readonly names: readonly string[];
  readonly signal: AbortSignal;
  /** Longer nothing is waited for. */
  readonly wholeMs: number;
  /** What is waited for, whenever that changes. */
  readonly onWait: (checks: readonly string[]) => void;
}

/** In the order in which they are told. */
export async function examine(examination: Examination): Promise<readonly Diagnosis[]> {
  const { senses, names, signal: stop, wholeMs } = examination;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(wholeMs)]);
  const { inTime, guarded } = guard(examination, signal);
  const check = (what: string, work: Work): ReturnType<Work> => guarded(what, () => inTime(work()));
  const { config } = senses;
  const planned = awaited(senses.glance(signal));
  const glance = awaited(planned.then(({ seen, policy }) => situation(seen, policy)));
  const info = awaited(looked(() => senses.marathonInfo(signal), stop));
  const directory = awaited(looked(() => senses.directory(signal), stop));
  const keeper = awaited(looked(() => senses.keeper(signal), stop));
  const done = await Promise.all([
    check('settings', async () => aboutSettings(config.warnings)),
    check('marathon', async () => {
      const { seen } = await glance;
      return [marathon.aboutMarathon(config.marathon.urls.join(', '), await info, seen)];
    }),
    check('app', async () => {
      const now = await glance;
      if (marathon.isSilent(await info, now.seen)) return marathon.aboutUnseen(now.policy);
      const { loadBalancer } = config;
      return [...marathon.aboutOurApp(now), ...marathon.aboutRights(now), ...marathon.aboutBalancer(now, loadBalancer)];
    }),
    check('labels', async () => labels(await glance, senses, signal)),
    check('instance', async () => [surroundings.aboutKeeper(triedOr(await keeper))]),
    check('ca', async () => [surroundings.aboutCa(config.acme.directoryUrl, await directory)]),
    check('clock', async () => [...clocks('the CA', await directory), ...clocks('Marathon', await info)]),
    check('folder', async () => folder(await glance, senses, await keeper)),
    check('limits', async () => limits(await glance, await keeper)),
    guarded('names', async () => aboutNames(await inTime(planned), { senses, names, signal, check })),
  ]);
  return done.flat();
}

/** What is waited for is told; what fails, or does not end, becomes a row of its own, and only a stop ends everything. */
function guard({ signal: stop, wholeMs, onWait }: Examination, signal: AbortSignal) {
  const waiting = new Set<string>();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const tooLate = (): void => reject(new Error(`it took more than ${wholeMs / 1_000} s`));
  signal.addEventListener('abort', tooLate, { once: true });
  awaited(late);
  const guarded = async (what: string, work: Work): ReturnType<Work> => {
    waiting.add(what);
    onWait([...waiting]);
    try {
      return await work();
    } catch (error) {
      stop.throwIfAborted();
      return [diagnosis([what, '-'], 'unknown', `this check could not be made: ${(error as Error).message}`)];
    } finally {
      waiting.delete(what);
      onWait([...waiting]);
    }
  };
  return { guarded, inTime: <T>(work: Promise<T>): Promise<T> => Promise.race([work, late]) };
}

/** By several checks, or by none when it fails: each that needs it meets the failure. */
function awaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Something that may fail, and is told then. The time is of the answer, for the clock. */
async function looked<T>(
  look: () => Promise<T>,
  stop: AbortSignal,
): Promise<Seen<T> & { readonly at: Date; readonly error?: unknown }> {
  try {
    return { ok: true, value: await look(), at: new Date() };
  } catch (error) {
    stop.throwIfAborted();
    const { message, code } = error as NodeJS.ErrnoException;
    return { ok: false, problem: message || (code ?? 'no reason was given'), at: new Date(), error };
  }
}

function triedOr(keeper: Seen<Instance> & { readonly error?: unknown }): Instance | readonly string[] {
  if (keeper.ok) return keeper.value;
  return keeper.error instanceof NobodyAnswers ? keeper.error.tried : [keeper.problem];
}

function aboutSettings(warnings: readonly string[]): readonly Diagnosis[] {
  const of = ['settings', 'environment'] as const;
  if (warnings.length > 0) return warnings.map((warning) => diagnosis(of, 'warning', warning));
  return [diagnosis(of, 'good', 'all are understood')];
}

function clocks(whose: string, seen: Seen<{ readonly date: Date | undefined }> & { readonly at: Date }) {
  return seen.ok ? surroundings.aboutClock(whose, seen.value.date, seen.at) : [];
}

async function labels({ seen }: Situation, senses: Senses, signal: AbortSignal): Promise<readonly Diagnosis[]> {
  if (!seen.loadBalancer.ok) return [];
  const app = seen.loadBalancer.value;
  return fearsLabels(app)
    ? marathon.aboutNeighbours(app, await looked(() => senses.neighbours(groupsOf(app), signal), signal))
    : [];
}

async function folder(
  { seen, policy }: Situation,
  senses: Senses,
  keeper: Seen<Instance>,
): Promise<readonly Diagnosis[]> {
  const isBeside = keeper.ok && /^https?:\/\/(127\.|localhost|\[::1\])/.test(keeper.value.at);
  const isHome = policy.taskId !== undefined || isBeside;
  return surroundings.aboutFolder(senses.config.stateDir, {
    stored: seen.stored,
    freeBytes: await senses.freeBytes(),
    isHome,
  });
}

/** As the keeper counts them; else by its folder, if that is here. */
function limits(now: Situation, keeper: Seen<Instance>): readonly Diagnosis[] {
  const { policy, seen, names } = now;
  if (!isPublicCa(policy.directoryUrl)) return [];
  const host = new URL(policy.directoryUrl).host;
  const told = keeper.ok ? keeper.value.told.plan?.budgets : undefined;
  if (told !== undefined) return surroundings.aboutLimits(host, told);
  if (seen.stored.wasEmpty) return surroundings.aboutLimits(host, undefined);
  return surroundings.aboutLimits(host, chargedTo(now, names.domains));
}
