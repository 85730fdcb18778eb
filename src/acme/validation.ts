/**
 * Proving the names: publish each token, tell the CA to come, wait for its verdict on the whole order.
 *
 * A few names at a time: with a share of 0.05 CPU, a hundred challenges triggered at once leave the listener too little
 * to answer the CA in time. One poll on the order, not one per name. Authorizations are never deactivated: Let's Encrypt
 * books that as a failed validation. And tokens stay as long as the CA may be asking for them, for the same reason.
 */

import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises';
import { pause } from '../pause.ts';
import type { Job } from './order.ts';
import { poll } from './poll.ts';
import { AcmeError, type Subproblem, verdict } from './problem.ts';
import type { AcmeAuthorization, AcmeOrder } from './session.ts';

const AT_ONCE = { usual: 4, lagging: 2 };
const LAG_MS = 50;
/** Let's Encrypt gives up on a name after about 10 s per address. */
const PATIENCE_MS = { base: 90_000, perName: 1_000 };
/** After we lost sight of the CA, which may be about to ask: how long nothing else is done, for the process may then end. */
const GRACE_MS = 5_000;
/** And how long the tokens stay up after that: the CA itself waits 10 s for an answer. */
const LINGER_MS = 10_000;
/** How long names are waited for that are still being validated when another one has already failed the order. */
const OTHERS_MS = 15_000;

/** The order once it is no longer pending, or an AcmeError that names the names that failed. */
export async function validate(job: Job, order: AcmeOrder): Promise<AcmeOrder> {
  const tokens: string[] = [];
  let isDecided = false;
  try {
    await triggerAll(job, order, tokens);
    const patience = PATIENCE_MS.base + PATIENCE_MS.perName * order.authorizations.length;
    const decided = await poll(order, ({ status }) => status !== 'pending', job, patience);
    isDecided = true;
    if (decided.status === 'invalid') throw await whyInvalid(job, decided);
    job.report('validating', job.spec.domains.length);
    return decided;
  } catch (error) {
    if (!isDecided && tokens.length > 0) await pause(GRACE_MS, job.signal);
    throw error;
  } finally {
    if (isDecided) for (const token of tokens) job.challenges.withdraw(token);
    else void job.challenges.withdrawLater(tokens, LINGER_MS, job.signal);
  }
}

async function triggerAll(job: Job, order: AcmeOrder, tokens: string[]): Promise<void> {
  let validated = 0;
  job.report('validating', validated);
  await inFew(order.authorizations, async (url) => {
    if (await trigger(job, url, tokens)) job.report('validating', ++validated);
  });
}

/** Whether it is valid already, from an earlier order. One that failed meanwhile shows in the order's status. */
async function trigger({ session, challenges }: Job, url: string, tokens: string[]): Promise<boolean> {
  const { status, domain, challenge } = await session.authorization(url);
  if (status !== 'pending') return status === 'valid';
  if (challenge === undefined) throw new AcmeError(noHttp01(domain));
  challenges.publish(challenge.token, challenge.keyAuthorization);
  tokens.push(challenge.token);
  if (challenge.status !== 'pending') return false; // an earlier process has triggered it
  await session.trigger(challenge).catch(async (error: unknown) => {
    // Its reply was lost, or the CA was done with it before we came.
    const now = error instanceof AcmeError ? await session.authorization(url) : undefined;
    if (now === undefined) throw error;
    if (now.status !== 'pending' || now.challenge?.status !== 'pending') return;
    if (!(error as AcmeError).undecided) throw error;
    await session.trigger(challenge);
  });
  return false;
}

/** Which names failed, and why. Waits a while for the others, whose tokens must not go under the CA's feet. */
export async function whyInvalid(job: Job, order: AcmeOrder): Promise<AcmeError> {
  const failed: Subproblem[] = [];
  await readVerdicts(job, order.authorizations, failed).catch((error: unknown) => {
    // What is known already will have to do; with nothing known, the next try reads it from the order that is kept.
    if (!(error instanceof AcmeError) || failed.length + order.problems.length === 0) throw error;
  });
  return verdict(failed.length > 0 ? failed : order.problems);
}

async function readVerdicts({ session, signal }: Job, urls: readonly string[], failed: Subproblem[]): Promise<void> {
  const end = performance.now() + OTHERS_MS;
  let open = urls;
  for (let waitMs = 250; ; waitMs *= 1.6) {
    const seen = await inFew(open, (url) => session.authorization(url));
    failed.push(...seen.filter(({ status }) => status === 'invalid').map(reason));
    open = seen.filter(({ status }) => status === 'pending').map(({ url }) => url);
    if (open.length === 0 || performance.now() > end) return;
    await sleep(waitMs, undefined, { signal });
  }
}

function reason({ domain, problem }: AcmeAuthorization): Subproblem {
  return problem ?? { type: 'unauthorized', detail: 'the CA does not say why', domain };
}

/**
 * A few at a time, the next as soon as one is done: who has to repeat a refused nonce holds up nobody. A failure ends it,
 * but only after those begun beside it have ended too: nothing goes on behind our back.
 */
async function inFew<T>(urls: readonly string[], each: (url: string) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  const left = [...urls.entries()];
  let failure: { readonly reason: unknown } | undefined;
  const lane = async (number: number): Promise<void> => {
    while (left.length > 0 && failure === undefined) {
      if (await mustYield(number)) continue;
      const [at, url] = left.shift() ?? [];
      if (at === undefined || url === undefined) return;
      try {
        results[at] = await each(url);
      } catch (reason) {
        failure ??= { reason };
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE.usual }, (_, number) => lane(number)));
  if (failure !== undefined) throw (failure as { readonly reason: unknown }).reason;
  return results;
}

/** One turn of the event loop tells how starved we are: then the later lanes leave the CPU to the listener for a while. */
async function mustYield(lane: number): Promise<boolean> {
  const before = performance.now();
  await breathe();
  if (lane < AT_ONCE.lagging || performance.now() - before <= LAG_MS) return false;
  await sleep(LAG_MS);
  return true;
}

function noHttp01(domain: string): ConstructorParameters<typeof AcmeError>[0] {
  const detail = 'the CA offers no http-01 challenge for it, and we have no other';
  return { type: 'unsupported', detail, subproblems: [{ type: 'unsupported', detail, domain }] };
}
