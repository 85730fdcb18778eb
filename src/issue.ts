/**
 * One order with all that has to be remembered of it: counted before it is sent, its certificate looked at before it is
 * kept, its failure written down for whoever plans the next.
 *
 * The keeper and `obtain` order in this way and no other. What it came to is told by the caller.
 */
import { judge } from './acme/catalogue.ts';
import type { OrderDeps } from './acme/order.ts';
import { AcmeError } from './acme/problem.ts';
import { gateOf } from './certificates/authority.ts';
import { type CertificateBundle, objections } from './certificates/bundle.ts';
import { type Failure, type Ledger, withFailures, withIssued, withOrder, withSpent } from './certificates/ledger.ts';
import { renewAt } from './certificates/renewal.ts';
import type { CertificateSpec } from './certificates/spec.ts';
import type { OrderInFlight, Store } from './store.ts';

export interface IssueTools {
  readonly directoryUrl: string;
  /** Stands for the settings that an order is made with. */
  readonly settingsMark: string;
  readonly store: Store;
  /** One order at the CA; what goes wrong there is an AcmeError. */
  readonly obtain: (
    spec: CertificateSpec,
    resume: OrderInFlight | undefined,
    deps: Pick<OrderDeps, 'journal' | 'onProgress' | 'signal'>,
  ) => Promise<CertificateBundle>;
  /** What has happened has happened all the same; only the ledger does not know it. */
  readonly onUnsaved: (error: Error) => void;
}

/** Resolves with what is kept now. */
export async function issue(
  tools: IssueTools,
  { spec, resume }: { readonly spec: CertificateSpec; readonly resume: OrderInFlight | undefined },
  deps: Pick<OrderDeps, 'onProgress' | 'signal'>,
): Promise<CertificateBundle> {
  const { store, directoryUrl } = tools;
  const bundle = await tools.obtain(spec, resume, { ...deps, journal: journalOf(store) });
  const { fingerprint } = bundle;
  // First, for it has been spent, whether it is of use or not, and whatever becomes of us before the next line.
  const certificate = { at: new Date(), directory: directoryUrl, names: spec.domains, fingerprint };
  await remember(tools, (ledger) => withSpent(ledger, certificate));
  await inspect(tools, bundle, spec);
  await remember(tools, (ledger) => withIssued(ledger, certificate));
  await store.saveBundle(bundle, directoryUrl);
  return bundle;
}

/** What an order that failed holds up, and for how long. */
export async function noteFailure(tools: IssueTools, { domains }: CertificateSpec, error: Error): Promise<void> {
  const { directoryUrl: directory, settingsMark: settings } = tools;
  const at = new Date();
  const failures: readonly Failure[] = judge(error, domains).map((one) => ({ ...one, at, directory, settings }));
  await remember(tools, (ledger) => withFailures(ledger, failures));
}

/** The state folder, as an order sees it: each newOrder is counted before it is sent. */
function journalOf(store: Store): OrderDeps['journal'] {
  return {
    account: (directory) => store.account(directory),
    saveAccount: (account) => store.saveAccount(account),
    noteOrder: (directory) => store.changeLedger((ledger) => withOrder(ledger, { at: new Date(), directory })),
    saveOrder: (order) => store.saveOrder(order),
    clearOrder: () => store.clearOrder(),
  };
}

/** What the CA sent is kept only if it may be installed, and helps: else the next plan would order at once, for ever. */
async function inspect({ directoryUrl, store }: IssueTools, bundle: CertificateBundle, { domains }: CertificateSpec) {
  const now = new Date();
  const bad = [...objections(bundle, { domains, now, ...gateOf(directoryUrl) })];
  if (renewAt(bundle) <= now) bad.push('it is due for renewal already (is the clock right?)');
  if (bad.length === 0) return;
  await store.clearOrder();
  throw new AcmeError({ type: 'badCertificate', detail: `the certificate that the CA sent: ${bad.join('; ')}` });
}

/** What could not be written down is told; what has happened has happened all the same. */
async function remember({ store, onUnsaved }: IssueTools, change: (ledger: Ledger) => Ledger): Promise<void> {
  await store.changeLedger(change).catch(onUnsaved);
}
