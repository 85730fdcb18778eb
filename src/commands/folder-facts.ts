/**
 * What a state folder holds, as facts without keys: for an operator who has the folder and no running program.
 *
 * By the same readers as the keeper's own, in the mode that leaves no trace; so it works beside the keeper, too.
 */
import { stat } from 'node:fs/promises';
import { isPublicCa } from '../certificates/authority.ts';
import { budgetsOf } from '../certificates/budgets.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { isShortLived, renewAt } from '../certificates/renewal.ts';
import { Store, type StoredState } from '../store.ts';

export type FolderFacts = Awaited<ReturnType<typeof lookIntoFolder>>;

/** How many of the newest failures. */
const FAILURES = 10;

/** Throws a sentence when there is no such folder. */
export async function lookIntoFolder(folder: string, now: Date) {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error)
    throw new Error(
      `the state folder ${folder} cannot be looked into: ${found.code}; name one that this user may read`,
    );
  if (!found.isDirectory()) throw new Error(`${folder} is no folder; name the one that STATE_DIR names`);
  const store = new Store(folder);
  await store.openToLook();
  const accounts = await store.accounts();
  const stored = await store.read();
  const { bundle, bundleDirectory: directory, previous, order, kept, ledger, certbots } = stored;
  return {
    folder,
    at: now,
    isEmpty: stored.wasEmpty,
    problems: stored.problems,
    certificate: bundle === undefined ? null : { directory, renewAt: renewAt(bundle), ...held(bundle) },
    previous: previous === undefined ? null : held(previous),
    accounts,
    order:
      order === undefined
        ? null
        : { directory: order.directory, url: order.url, domains: order.domains, createdAt: order.createdAt },
    replaced:
      kept === undefined ? null : { at: kept.at, slots: Object.keys(kept.values), fingerprint: kept.fingerprint },
    posted: ledger.posted,
    blocked: ledger.blocked,
    failures: ledger.failures
      .slice(-FAILURES)
      .map(({ at, names, problem, retryAfter }) => ({ at, names, problem, retryAfter })),
    budgets: budgetsIn(stored, now),
    certbot: certbots.map(({ name, directory: of, bundle: one }) => ({ name, directory: of, ...held(one) })),
  };
}

function held({ fingerprint, issuer, domains, notBefore, notAfter }: CertificateBundle) {
  return { fingerprint, issuer, domains, notBefore, notAfter };
}

const WEEK_MS = 7 * 86_400_000;

/** As the keeper counts for the names of the present certificate; nothing where no public CA limits them. */
function budgetsIn({ bundle, bundleDirectory: directory, ledger }: StoredState, now: Date) {
  if (bundle === undefined || directory === undefined || !isPublicCa(directory)) return [];
  const urgent = bundle.notAfter.getTime() - now.getTime() < WEEK_MS;
  return budgetsOf(ledger, bundle.domains, { directory, now, urgent, shortLived: isShortLived(bundle) });
}
