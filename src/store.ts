/**
 * What is kept over restarts: account keys, the certificate and the one before, the order in flight, the ledger.
 *
 * One thing at a time is read or written, and in an order in which a kill between any two of them loses nothing. How a
 * file gets there whole is the folder's (state-folder.ts), how it reads is in state-files.ts.
 */
import { createHash } from 'node:crypto';
import { findAccounts, findLineages, type Lineage } from './certbot.ts';
import type { CertificateBundle } from './certificates/bundle.ts';
import { EMPTY_LEDGER, type Ledger } from './certificates/ledger.ts';
import {
  type Account,
  type KeptValues,
  type OrderInFlight,
  readAccount,
  readCertificate,
  readKeptValues,
  readLedger,
  readOrder,
} from './state-files.ts';
import { StateFolder } from './state-folder.ts';

export type { Account, KeptValues, Lineage, OrderInFlight };

export interface StoredState {
  readonly bundle: CertificateBundle | undefined;
  /** The ACME directory that issued it. */
  readonly bundleDirectory: string | undefined;
  readonly previous: CertificateBundle | undefined;
  readonly order: OrderInFlight | undefined;
  /** What our last PUT took the place of, until the load balancers are up with ours. */
  readonly kept: KeptValues | undefined;
  readonly ledger: Ledger;
  /** What certbot left in the folder: to be adopted while there is no bundle of ours, and ours to replace ever after. */
  readonly certbots: readonly Lineage[];
  /** Nothing of ours, and nothing of certbot's, was there when the folder was opened. */
  readonly wasEmpty: boolean;
  /** Sentences for the operator. */
  readonly problems: readonly string[];
  readonly writable: boolean;
}

const CURRENT = 'certificate.json';
const PREVIOUS = 'previous-certificate.json';
const ORDER = 'order.json';
const KEPT = 'replaced-values.json';
const LEDGER = 'ledger.json';

export class Store {
  readonly #dir: string;
  readonly #folder: StateFolder;
  /** Undefined: nobody could look. */
  #wasEmpty: boolean | undefined;
  #certbots: readonly Lineage[] = [];
  /** Reads and writes happen one after the other, in the order asked for. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(dir: string) {
    this.#dir = dir;
    this.#folder = new StateFolder(dir);
  }

  /** Makes the folder, its modes and its leftovers right as far as it can. Never throws. */
  async open(): Promise<void> {
    await this.#folder.open();
    await this.#lookAround();
  }

  /** Instead of `open`, beside the process that keeps the folder: finds what that one would, and leaves no trace. */
  async openToLook(): Promise<void> {
    await this.#folder.openToLook();
    await this.#lookAround();
  }

  async #lookAround(): Promise<void> {
    const ours = await this.#folder.ours();
    const isCertbots = await this.#lookForCertbots();
    if (ours !== undefined) this.#wasEmpty = !isCertbots && ours.length === 0;
  }

  /** Whether there is anything of certbot's, of use or not. */
  async #lookForCertbots(): Promise<boolean> {
    const { found, problems } = await findLineages(this.#dir);
    this.#certbots = found;
    this.#tell('certbot-certificates', problems);
    return found.length > 0 || problems.length > 0;
  }

  read(): Promise<StoredState> {
    return this.#inTurn(() => this.#look());
  }

  async #look(): Promise<StoredState> {
    await this.#folder.tryAgain();
    if (this.#wasEmpty === undefined) await this.#lookAround();
    const current = await this.#folder.load(CURRENT, readCertificate);
    if (current === undefined) await this.#lookForCertbots();
    else this.#tell('certbot-certificates', []);
    const previous = await this.#folder.load(PREVIOUS, readCertificate);
    const order = await this.#folder.load(ORDER, readOrder);
    const kept = await this.#folder.load(KEPT, readKeptValues);
    const ledger = await this.#folder.load(LEDGER, readLedger);
    return {
      bundle: current?.bundle,
      bundleDirectory: current?.directory,
      previous: previous?.bundle,
      // Killed between saving what it brought and clearing it: the order is done.
      order: order && current?.bundle.holdsKey(order.keyPem) ? undefined : order,
      kept,
      ledger: ledger ?? EMPTY_LEDGER,
      certbots: this.#certbots,
      wasEmpty: this.#wasEmpty ?? true,
      problems: this.#folder.problems,
      writable: this.#folder.isSound,
    };
  }

  /** Ours, else the one that certbot left. Throws where there is one of ours that can't be read. */
  account(directory: string): Promise<Account | undefined> {
    return this.#inTurn(() => this.#accountAt(directory));
  }

  async #accountAt(directory: string): Promise<Account | undefined> {
    const account = await this.#folder.loadSurely(accountFile(directory), readAccount);
    if (account?.directory === directory) return account;
    return account === undefined ? this.#importAccount(directory) : undefined;
  }

  async #importAccount(directory: string): Promise<Account | undefined> {
    const { found, problems } = await findAccounts(this.#dir, directory);
    this.#tell('certbot-accounts', problems);
    const [best] = found;
    if (best === undefined) return undefined;
    const { id, url, keyPem } = best;
    if (this.#folder.onlyLooks) return { directory, url, keyPem };
    await this.#folder.write(accountFile(directory), { directory, url, keyPem });
    this.#tell('certbot-account', [`certbot's account ${id} at ${directory} was imported; its own files stay`]);
    return { directory, url, keyPem };
  }

  /** All that are kept, each for its directory, without their keys. */
  accounts(): Promise<readonly Omit<Account, 'keyPem'>[]> {
    return this.#inTurn(async () => {
      const files = ((await this.#folder.ours()) ?? []).filter((name) => name.startsWith('account-'));
      const read = await Promise.all(files.map((name) => this.#folder.load(name, readAccount)));
      return read.flatMap((account) => (account ? [{ directory: account.directory, url: account.url }] : []));
    });
  }

  saveAccount(account: Account): Promise<void> {
    return this.#inTurn(() => this.#folder.write(accountFile(account.directory), account));
  }

  saveOrder(order: OrderInFlight): Promise<void> {
    return this.#inTurn(() => this.#folder.write(ORDER, order));
  }

  keepPrevious(kept: KeptValues): Promise<void> {
    return this.#inTurn(() => this.#folder.write(KEPT, kept));
  }

  dropPrevious(): Promise<void> {
    return this.#inTurn(() => this.#folder.remove(KEPT));
  }

  clearOrder(): Promise<void> {
    return this.#inTurn(() => this.#folder.remove(ORDER));
  }

  /** Read, changed and written in one turn: the order and the loop both keep the ledger. */
  changeLedger(change: (ledger: Ledger) => Ledger): Promise<void> {
    return this.#inTurn(async () => {
      const ledger = (await this.#folder.loadSurely(LEDGER, readLedger)) ?? EMPTY_LEDGER;
      await this.#folder.write(LEDGER, change(ledger));
    });
  }

  /**
   * The current bundle becomes the previous one; at no moment is there none. The order that brought it is cleared last
   * (until then it could be taken up again); one still under way, when a deployed certificate is adopted, stays.
   */
  saveBundle(bundle: CertificateBundle, directory: string): Promise<void> {
    return this.#inTurn(async () => {
      const current = await this.#folder.loadSurely(CURRENT, readCertificate);
      if (current && current.bundle.fingerprint !== bundle.fingerprint) {
        await this.#folder.write(PREVIOUS, { directory: current.directory, pem: current.bundle.pem });
      }
      await this.#folder.write(CURRENT, { directory, pem: bundle.pem });
      await this.#noteImport(bundle, directory);
      const order = await this.#folder.load(ORDER, readOrder);
      if (order && bundle.holdsKey(order.keyPem)) await this.#folder.remove(ORDER);
    });
  }

  /** With the account that it was renewed with, before somebody tidies up; one that cannot be kept now is found again. */
  async #noteImport({ fingerprint }: CertificateBundle, directory: string): Promise<void> {
    const lineage = this.#certbots.find(({ bundle }) => bundle.fingerprint === fingerprint);
    if (lineage === undefined) return;
    const sentence = `certbot's certificate ${lineage.name} was imported; its own files stay, and nobody renews them any more`;
    this.#tell('certbot-certificate', [sentence]);
    await this.#accountAt(directory).catch(() => undefined);
  }

  /** Resolves when nothing asked for so far is still being read or written. */
  async idle(): Promise<void> {
    await this.#last;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #tell(about: string, sentences: readonly string[]): void {
    this.#folder.tell(about, sentences.length === 0 ? undefined : sentences.join('; '));
  }
}

/** One account per ACME directory: host and path would not do as a file name, their hash alone not for a person. */
function accountFile(directory: string): string {
  const host = (URL.parse(directory)?.hostname ?? '').replace(/[^a-z0-9.-]/g, '');
  return `account-${host}-${createHash('sha256').update(directory).digest('hex').slice(0, 8)}.json`;
}
