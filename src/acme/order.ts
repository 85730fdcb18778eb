/**
 * One order, from names to a bundle (RFC 8555 §7.4), in such a way that it can be killed anywhere.
 *
 * The key is made before the CA is asked for anything, and the order is on disk the moment the CA's reply is read, so
 * the next process goes on at whatever status the CA reports; only a reply lost on the way leaves an order that we do
 * not know, and Boulder gives that one again for the same names. Nothing is retried in here that the plan could retry.
 */

import { CertificateBundle } from '../certificates/bundle.ts';
import { type CertificateSpec, sameNames } from '../certificates/spec.ts';
import type { Account, OrderInFlight } from '../store.ts';
import { signIn, signInAnew } from './account.ts';
import type { Challenges } from './challenges.ts';
import { isNameless, withCulprit } from './culprit.ts';
import { keyTypeOf, makeKey } from './keys.ts';
import { poll } from './poll.ts';
import { AcmeError, verdict } from './problem.ts';
import type { AcmeOrder, Session } from './session.ts';
import type { Authority } from './transport.ts';
import { validate, whyInvalid } from './validation.ts';

/** LE takes seconds; a CA that signs by hand or in a queue may take longer, and the order is not lost then either. */
const ISSUING_MS = 5 * 60_000;

export interface OrderProgress {
  readonly step: 'account' | 'key' | 'order' | 'validating' | 'finalizing' | 'downloading';
  readonly validated: number;
  readonly total: number;
}

export interface OrderJournal {
  account(directory: string): Promise<Account | undefined>;
  saveAccount(account: Account): Promise<void>;
  /** An order for these names is about to be asked for: counted even if nobody lives to read the CA's reply. */
  noteOrder(directory: string, domains: readonly string[]): Promise<void>;
  saveOrder(order: OrderInFlight): Promise<void>;
  clearOrder(): Promise<void>;
}

export interface OrderDeps {
  readonly authority: Authority;
  readonly challenges: Challenges;
  readonly journal: OrderJournal;
  readonly onProgress: (progress: OrderProgress) => void;
  readonly signal: AbortSignal;
}

/** An order in work: what is wanted, whom we speak to, and where to tell how far it is. */
export interface Job extends OrderDeps {
  readonly spec: CertificateSpec;
  readonly session: Session;
  readonly report: Report;
}

type Report = (step: OrderProgress['step'], validated?: number) => void;

/** The order in flight stays in the journal when it succeeds: who stores the bundle clears it. */
export async function obtain(
  spec: CertificateSpec,
  resume: OrderInFlight | undefined,
  deps: OrderDeps,
): Promise<CertificateBundle> {
  const report: Report = (step, validated = 0) => deps.onProgress({ step, validated, total: spec.domains.length });
  report('account');
  const key = resume === undefined ? early(makeKey(spec.keyType)) : undefined; // while we sign in
  try {
    return await during(await signIn(deps), (session) => run({ ...deps, spec, session, report }, resume, key));
  } catch (error) {
    if (!(error instanceof AcmeError) || error.type !== 'accountDoesNotExist') throw error;
    return await during(await signInAnew(deps), (session) => run({ ...deps, spec, session, report }, undefined, key));
  } finally {
    // Nobody can stop it, and process.exit waits for it, deaf to every signal: so it is waited for in here.
    await key?.catch(() => undefined);
  }
}

async function during<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

interface Placed {
  readonly order: AcmeOrder;
  readonly keyPem: string;
}

async function run(job: Job, resume: OrderInFlight | undefined, key: Promise<string> | undefined) {
  const { order, keyPem } = (await takeUp(job, resume)) ?? (await place(job, key ?? makeKey(job.spec.keyType)));
  try {
    const validated = order.status === 'pending' ? await validate(job, order) : order;
    const issued = await finalize(job, validated, keyPem);
    job.report('downloading', job.spec.domains.length);
    return assemble(await job.session.certificate(issued), keyPem);
  } catch (error) {
    // If that fails, the next process finds it and sees that it is of no use.
    if (isOver(error)) await job.journal.clearOrder().catch(() => undefined);
    throw error;
  }
}

async function place(job: Job, key: Promise<string>): Promise<Placed> {
  const { spec, journal, authority, signal } = job;
  job.report('key');
  const keyPem = await key;
  signal.throwIfAborted();
  job.report('order');
  const order = await askFor(job, spec.domains);
  const { url } = order;
  const { directoryUrl: directory } = authority;
  await journal.saveOrder({ directory, url, domains: spec.domains, keyPem, createdAt: new Date() });
  if (sameNames(order.names, spec.domains)) return { order, keyPem };
  await journal.clearOrder();
  const detail = `the order lists ${order.names.join(', ')} instead of ${spec.domains.join(', ')}`;
  throw new AcmeError({ type: 'orderMismatch', detail });
}

async function askFor(job: Job, names: readonly string[]): Promise<AcmeOrder> {
  const ask = async (domains: readonly string[]): Promise<AcmeOrder> => {
    await job.journal.noteOrder(job.authority.directoryUrl, domains);
    return job.session.newOrder(domains);
  };
  const refusalOf = async (domains: readonly string[]): Promise<AcmeError | undefined> => {
    try {
      await ask(domains);
      return undefined;
    } catch (error) {
      if (error instanceof AcmeError) return error;
      throw error;
    }
  };
  try {
    return await ask(names);
  } catch (error) {
    throw isNameless(error, names) ? await withCulprit(error, names, refusalOf) : error;
  }
}

/** An earlier process's order, if the CA still has a use for it. */
async function takeUp(job: Job, saved: OrderInFlight | undefined): Promise<Placed | undefined> {
  if (saved === undefined) return undefined;
  job.report('order');
  const order = await stillThere(job, saved);
  const unread = order?.status === 'invalid' ? await whyInvalid(job, order) : undefined;
  const placed = order && unread === undefined ? await withFittingKey(job, saved, order) : undefined;
  if (placed === undefined) await job.journal.clearOrder();
  // Names that failed while nobody could read it are told before they are ordered again, and fail again.
  if (unread !== undefined && unread.domains.length > 0) throw unread;
  return placed;
}

async function stillThere({ session, spec, authority }: Job, saved: OrderInFlight): Promise<AcmeOrder | undefined> {
  if (saved.directory !== authority.directoryUrl || !sameNames(saved.domains, spec.domains)) return undefined;
  try {
    const order = await session.order(saved.url);
    // Not by `expires`: our clock may be wrong, and a CA says `invalid` of what it lets go no more (RFC 8555 §7.1.6).
    return sameNames(order.names, spec.domains) ? order : undefined;
  } catch (error) {
    if (isOver(error) && error.type !== 'accountDoesNotExist') return undefined; // 404, not ours …
    throw error;
  }
}

/** KEY_TYPE may have changed meanwhile: until the order is finalized it takes any key, afterwards only its own. */
async function withFittingKey(job: Job, saved: OrderInFlight, order: AcmeOrder): Promise<Placed | undefined> {
  const type = keyTypeOf(saved.keyPem);
  const finalized = order.status === 'processing' || order.status === 'valid';
  if (type === job.spec.keyType || (finalized && type !== undefined)) return { order, keyPem: saved.keyPem };
  if (finalized) return undefined;
  job.report('key');
  const keyPem = await makeKey(job.spec.keyType);
  job.signal.throwIfAborted();
  await job.journal.saveOrder({ ...saved, keyPem });
  return { order, keyPem };
}

async function finalize(job: Job, order: AcmeOrder, keyPem: string): Promise<AcmeOrder> {
  job.report('finalizing', job.spec.domains.length);
  const asked = order.status === 'ready' ? await ask(job, order, keyPem) : order;
  const issued = await poll(asked, ({ status }) => status === 'valid' || status === 'invalid', job, ISSUING_MS);
  if (issued.status === 'invalid') throw verdict(issued.problems);
  return issued;
}

async function ask({ session, spec, signal }: Job, order: AcmeOrder, keyPem: string): Promise<AcmeOrder> {
  const csr = await session.csr(spec, keyPem);
  try {
    return await session.finalize(order, csr);
  } catch (error) {
    if (!(error instanceof AcmeError) || !(error.undecided || error.type === 'orderNotReady')) throw error;
    // It may have arrived, or the CA's left hand does not know yet what its right hand said: never blindly twice.
    const isKnown = ({ status }: AcmeOrder): boolean => status !== 'pending';
    const now = await poll({ ...order, status: 'pending' }, isKnown, { session, signal }, ISSUING_MS);
    return now.status === 'ready' ? session.finalize(now, csr) : now;
  }
}

function assemble(chainPem: string, keyPem: string): CertificateBundle {
  try {
    return CertificateBundle.assemble({ chainPem, keyPem });
  } catch (error) {
    throw new AcmeError({ type: 'badCertificate', detail: `what the CA sent ${(error as Error).message}` });
  }
}

/** Whether nothing more will come of the order: not when only our way to the CA, its limits or our patience ended. */
function isOver(error: unknown): error is AcmeError {
  return (
    error instanceof AcmeError && !error.undecided && !['timeout', 'rateLimited', 'orderNotReady'].includes(error.type)
  );
}

/** Begun before anybody waits for it: should something else fail first, its own failure is nobody's. */
function early<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
