/** What is around us: the keeper itself, the CA, the clock, the state folder, the limits. Pure. */
import type { Budget } from '../certificates/budgets.ts';
import type { Told } from '../instance/told.ts';
import type { Seen } from '../plan/observation.ts';
import type { StoredState } from '../store.ts';
import { STATES } from '../words.ts';
import { type Diagnosis, diagnosis, type Health } from './diagnosis.ts';

/** Whether one answers decides what can be seen of the routes. */
export function aboutKeeper(found: { readonly at: string; readonly told: Told } | readonly string[]): Diagnosis {
  if (!('told' in found)) {
    const cure =
      'Run the doctor inside its container (dcos task exec), or where Marathon and its agents can be reached.';
    return diagnosis(['instance', 'admin port'], 'unknown', `no running instance answers: ${found.join('; ')}`, cure);
  }
  const { at, told } = found;
  const { plan, alive, version } = told;
  const of = ['instance', at] as const;
  if (!alive)
    return diagnosis(
      of,
      'wrong',
      'it has looked at nothing for more than 15 minutes',
      'Restart it; its log tells what it was at.',
    );
  if (plan === null)
    return diagnosis(of, 'warning', 'it has just started and not looked yet', 'Look again in a moment.');
  const { state, why, cure } = plan.certificate;
  const tone = Object.hasOwn(STATES, state) ? STATES[state as keyof typeof STATES].tone : 'plain';
  const verdict: Health = tone === 'bad' ? 'wrong' : tone === 'warn' ? 'warning' : 'good';
  if (verdict === 'good') return diagnosis(of, verdict, `letsencrypt-dcos ${version}: ${state}`);
  return diagnosis(of, verdict, `letsencrypt-dcos ${version}: ${state}, ${why}`, cure);
}

export function aboutCa(directoryUrl: string, seen: Seen<{ readonly isDirectory: boolean }>): Diagnosis {
  const of = ['ca', URL.parse(directoryUrl)?.host ?? directoryUrl] as const;
  if (!seen.ok) {
    const cure =
      'See whether HTTPS to it is let through from here (HTTPS_PROXY names a proxy), and for a CA of your own ACME_CA_FILE.';
    return diagnosis(of, 'wrong', `its directory ${directoryUrl} cannot be read: ${seen.problem}`, cure);
  }
  if (seen.value.isDirectory) return diagnosis(of, 'good', 'its directory answers');
  return diagnosis(
    of,
    'wrong',
    `what answers at ${directoryUrl} is no ACME directory`,
    'LETSENCRYPT_SERVER_URL must be the address of an ACME v2 directory.',
  );
}

const CLOCK = { goodMs: 30_000, wrongMs: 300_000 };

/** By the Date of an answer, which is of the second, and of when it was sent. */
export function aboutClock(whose: string, theirs: Date | undefined, ours: Date): readonly Diagnosis[] {
  if (theirs === undefined) return [];
  const aheadMs = ours.getTime() - theirs.getTime();
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  const of = ['clock', whose] as const;
  if (Math.abs(aheadMs) <= CLOCK.goodMs) return [diagnosis(of, 'good', 'our clock agrees with theirs')];
  const says = `our clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} theirs`;
  const cure = 'Let NTP set the clock of this agent: logins, renewals and limits go by it.';
  return [diagnosis(of, Math.abs(aheadMs) > CLOCK.wrongMs ? 'wrong' : 'warning', says, cure)];
}

export interface FolderSeen {
  readonly stored: Pick<StoredState, 'wasEmpty' | 'writable' | 'problems'>;
  /** Undefined: there is no such folder. */
  readonly freeBytes: number | undefined;
  /** We are where the keeper runs: a task of its app, or beside it on the machine. */
  readonly isHome: boolean;
}

const FREE = { goodBytes: 32 * 2 ** 20, wrongBytes: 2 ** 20 };

export function aboutFolder(dir: string, { stored, freeBytes, isHome }: FolderSeen): readonly Diagnosis[] {
  const of = ['folder', dir] as const;
  if (!isHome && stored.wasEmpty) {
    const cure = 'Run the doctor inside the container: dcos task exec letsencrypt-dcos node /app/main.mjs doctor.';
    return [diagnosis(of, 'unknown', 'the state folder of the running instance is not on this machine', cure)];
  }
  const verdict: Health = stored.writable ? 'warning' : 'wrong';
  const problems = stored.problems.map((problem) => diagnosis(of, verdict, problem));
  const space = freeBytes === undefined ? [] : [aboutSpace(of, freeBytes)];
  return problems.length > 0 ? [...problems, ...space.filter((one) => one.verdict !== 'good')] : space;
}

function aboutSpace(of: readonly [string, string], freeBytes: number): Diagnosis {
  const free = `${Math.floor(freeBytes / 2 ** 20)} MiB are free`;
  if (freeBytes >= FREE.goodBytes) return diagnosis(of, 'good', `it can be written, outlives the task, and ${free}`);
  return diagnosis(
    of,
    freeBytes < FREE.wrongBytes ? 'wrong' : 'warning',
    free,
    'Make room on its disk: nothing is ordered that could not be kept.',
  );
}

export type Counted = Pick<Budget, 'what' | 'used' | 'allowed' | 'limit' | 'nextFreeAt'>;

/** Undefined: it is not known what was spent. */
export function aboutLimits(host: string, budgets: readonly Counted[] | undefined): readonly Diagnosis[] {
  const of = ['limits', host] as const;
  if (budgets === undefined) {
    const cure = 'Run the doctor where the running instance, or its state folder, can be seen.';
    return [
      diagnosis(of, 'unknown', 'what was spent is counted by the running instance, which is not seen from here', cure),
    ];
  }
  return budgets.map(({ what, used, allowed, limit, nextFreeAt }) => {
    const says = `${used} of ${allowed} ${what} are used (the CA allows ${limit})`;
    if (nextFreeAt === undefined) return diagnosis(of, 'good', says);
    return diagnosis(
      of,
      'warning',
      `${says}; the next one is free ${nextFreeAt.toISOString()}`,
      'Nothing has to be done: orders wait until then.',
    );
  });
}
