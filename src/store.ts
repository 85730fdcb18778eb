/**
 * The state folder: account keys, the certificate and the one before, the order in flight, the ledger.
 *
 * May be killed between any two lines: a file is written beside its place, flushed, and renamed into it, so each
 * is there whole, old or new. Whatever is wrong with the folder becomes a sentence in `problems` and never stops the
 * program; only saving fails, so that nothing is ordered that could not be kept. How a file reads is in state-files.ts.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, readText, replaceFile, syncFolder, writeTemporary } from './atomic-file.ts';
import { findAccounts, findLineages, type Lineage } from './certbot.ts';
import type { CertificateBundle } from './certificates/bundle.ts';
import { EMPTY_LEDGER, type Ledger } from './certificates/ledger.ts';
import {
  type Account,
  FORMAT_VERSION,
  type KeptValues,
  NewerFormat,
  type OrderInFlight,
  readAccount,
  readCertificate,
  readKeptValues,
  readLedger,
  readOrder,
} from './state-files.ts';

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

const OURS = /^(certificate|previous-certificate|order|replaced-values|ledger|account-[^/]+)\.json$/;
const TEMPORARY =
  /^\.(certificate|previous-certificate|order|replaced-values|ledger|alerts|account-[^/]+)\.json\.[0-9a-f]+\.tmp$/;

/** statfs(2): tmpfs, ramfs, overlayfs and aufs end with the container. */
const EPHEMERAL = [0x01021994, 0x858458f6, 0x794c7630, 0x61756673];

/** The ledger is the largest by far: hundreds of failures of a hundred names each. More would be too much for 128 MB. */
const LARGEST_FILE = 16 * 1024 * 1024;

/** As much as all our files together: a full disk must be met before an order, not in it. */
const PROBE = '.'.repeat(65_536);

export class Store {
  readonly #dir: string;
  /** By what they are about, so that one that is over can be taken back. */
  readonly #problems = new Map<string, string>();
  readonly #unreadable = new Set<string>();
  #writable = false;
  /** Undefined: nobody could look. */
  #wasEmpty: boolean | undefined;
  #certbots: readonly Lineage[] = [];
  /** By file, a digest of what it said when it was last read or written here. */
  readonly #known = new Map<string, string>();
  /** The file that could not be written or removed last, and how much was to be in it. */
  #refused: { readonly name: string; readonly size: number } | undefined;
  /** Nothing is written, moved or mended. */
  #onlyLooks = false;
  /** Writes happen one after the other, in the order asked for. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Makes the folder, its modes and its leftovers right as far as it can. Never throws. */
  async open(): Promise<void> {
    await this.#testWriting();
    const names = await this.#lookAround();
    for (const name of names.filter((one) => TEMPORARY.test(one))) await rm(this.#path(name)).catch(() => undefined);
    await this.#closeToOthers(names);
    await this.#noteEphemeral();
  }

  /** Instead of `open`, beside the process that keeps the folder: finds what that one would, and leaves no trace. */
  async openToLook(): Promise<void> {
    this.#onlyLooks = true;
    await this.#testWriting();
    await this.#lookAround();
    await this.#noteEphemeral();
  }

  async #lookAround(): Promise<readonly string[]> {
    const names = await readdir(this.#dir).catch((error) => (isAbsent(error) ? [] : undefined));
    const isCertbots = await this.#lookForCertbots();
    if (names !== undefined) this.#wasEmpty = !isCertbots && !names.some((name) => OURS.test(name));
    return names ?? [];
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
    // A full disk or a wrong owner may have been mended.
    if (!this.#writable) await this.#testWriting();
    if (this.#wasEmpty === undefined) await this.#lookAround();
    const current = await this.#load(CURRENT, readCertificate);
    if (current === undefined) await this.#lookForCertbots();
    else this.#tell('certbot-certificates', []);
    const previous = await this.#load(PREVIOUS, readCertificate);
    const order = await this.#load(ORDER, readOrder);
    const kept = await this.#load(KEPT, readKeptValues);
    const ledger = await this.#load(LEDGER, readLedger);
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
      problems: [...this.#problems.values()],
      // What can't be read may be a certificate, or why not to order one: forgetting it would cost an order.
      writable: this.#writable && this.#unreadable.size === 0,
    };
  }

  /** Ours, else the one that certbot left. Throws where there is one of ours that can't be read. */
  account(directory: string): Promise<Account | undefined> {
    return this.#inTurn(() => this.#accountAt(directory));
  }

  async #accountAt(directory: string): Promise<Account | undefined> {
    const account = await this.#loadSurely(accountFile(directory), readAccount);
    if (account?.directory === directory) return account;
    return account === undefined ? this.#importAccount(directory) : undefined;
  }

  async #importAccount(directory: string): Promise<Account | undefined> {
    const { found, problems } = await findAccounts(this.#dir, directory);
    this.#tell('certbot-accounts', problems);
    const [best] = found;
    if (best === undefined) return undefined;
    const { id, url, keyPem } = best;
    await this.#write(accountFile(directory), { directory, url, keyPem });
    this.#tell('certbot-account', [`certbot's account ${id} at ${directory} was imported; its own files stay`]);
    return { directory, url, keyPem };
  }

  saveAccount(account: Account): Promise<void> {
    return this.#inTurn(() => this.#write(accountFile(account.directory), account));
  }

  saveOrder(order: OrderInFlight): Promise<void> {
    return this.#inTurn(() => this.#write(ORDER, order));
  }

  keepPrevious(kept: KeptValues): Promise<void> {
    return this.#inTurn(() => this.#write(KEPT, kept));
  }

  dropPrevious(): Promise<void> {
    return this.#inTurn(() => this.#remove(KEPT));
  }

  clearOrder(): Promise<void> {
    return this.#inTurn(() => this.#remove(ORDER));
  }

  /** Read, changed and written in one turn: the order and the loop both keep the ledger. */
  changeLedger(change: (ledger: Ledger) => Ledger): Promise<void> {
    return this.#inTurn(async () => {
      const ledger = (await this.#loadSurely(LEDGER, readLedger)) ?? EMPTY_LEDGER;
      await this.#write(LEDGER, change(ledger));
    });
  }

  /**
   * The current bundle becomes the previous one; at no moment is there none. The order that brought it is cleared last
   * (until then it could be taken up again); one still under way, when a deployed certificate is adopted, stays.
   */
  saveBundle(bundle: CertificateBundle, directory: string): Promise<void> {
    return this.#inTurn(async () => {
      const current = await this.#loadSurely(CURRENT, readCertificate);
      if (current && current.bundle.fingerprint !== bundle.fingerprint) {
        await this.#write(PREVIOUS, { directory: current.directory, pem: current.bundle.pem });
      }
      await this.#write(CURRENT, { directory, pem: bundle.pem });
      await this.#noteImport(bundle, directory);
      const order = await this.#load(ORDER, readOrder);
      if (order && bundle.holdsKey(order.keyPem)) await this.#remove(ORDER);
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

  #path(name: string): string {
    return join(this.#dir, name);
  }

  async #load<T>(name: string, reader: (text: string) => T): Promise<T | undefined> {
    this.#problems.delete(name);
    this.#unreadable.delete(name);
    try {
      const text = await readText(this.#path(name), LARGEST_FILE);
      const value = reader(text);
      this.#noteOthers(name, text);
      return value;
    } catch (error) {
      const code = codeOf(error);
      if (isAbsent(error)) return undefined;
      if (code) this.#cannotRead(name, code);
      else if (error instanceof NewerFormat) this.#problems.set(name, `${this.#path(name)} ${error.message}`);
      else await this.#setAside(name, messageOf(error));
      return undefined;
    }
  }

  /** Two keepers of one folder replace each other's certificate and order. Files that end are no sign of it. */
  #noteOthers(name: string, text: string): void {
    const digest = digestOf(text);
    const before = this.#known.get(name);
    this.#known.set(name, digest);
    if (before === undefined || before === digest) return;
    const who = `${this.#path(name)} was changed by another process or by hand`;
    const cure = 'instances of one app may share a folder, but two apps must not: give each a STATE_DIR of its own';
    this.#tell('others', [`${who}; ${cure}`]);
  }

  #tell(about: string, sentences: readonly string[]): void {
    if (sentences.length === 0) this.#problems.delete(about);
    else this.#problems.set(about, sentences.join('; '));
  }

  /** For what is about to be replaced: a file that is there but can't be read now must not be taken for none. */
  async #loadSurely<T>(name: string, reader: (text: string) => T): Promise<T | undefined> {
    const value = await this.#load(name, reader);
    if (this.#unreadable.has(name)) throw new Error(this.#problems.get(name));
    return value;
  }

  #cannotRead(name: string, code: string): void {
    const sentence = `${this.#path(name)} cannot be read (${code}): nothing is ordered until it can; ${this.#cure(code)}`;
    this.#unreadable.add(name);
    this.#problems.set(name, sentence);
  }

  /** Kept, because it may hold a key that somebody wants to rescue; away, so that it is not met again. */
  async #setAside(name: string, found: string): Promise<void> {
    const aside = `${name}.damaged-${stamp()}`;
    const damaged = `${this.#path(name)} is damaged: ${found}.`;
    if (this.#onlyLooks) return void this.#problems.set(name, `${damaged} The program will set it aside`);
    try {
      await rename(this.#path(name), this.#path(aside));
      // By its new name: the file itself is well again, but this should be read until the next start.
      this.#problems.set(aside, `${damaged} It was set aside as ${aside}; delete that when nothing in it is needed`);
    } catch (error) {
      this.#problems.set(name, `${damaged} It could not be set aside (${codeOf(error)}); move it away by hand`);
    }
  }

  async #write(name: string, content: object): Promise<void> {
    const text = `${JSON.stringify({ formatVersion: FORMAT_VERSION, ...content }, undefined, 2)}\n`;
    try {
      await this.#spareNewer(name);
      // Once more, because another instance starting on a shared volume may have swept our temporary file away.
      await replaceFile(this.#dir, name, text).catch((error) => {
        if (codeOf(error) !== 'ENOENT') throw error;
        return replaceFile(this.#dir, name, text);
      });
      this.#known.set(name, digestOf(text));
      this.#nowWritable();
    } catch (error) {
      this.#refused = { name, size: text.length };
      throw this.#notWritable(name, error);
    }
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#spareNewer(name);
      await rm(this.#path(name), { force: true });
      this.#known.delete(name);
      await syncFolder(this.#dir);
    } catch (error) {
      this.#refused = { name, size: 0 };
      throw this.#notWritable(name, error);
    }
  }

  /** A later release wrote it and may come back: it is put aside before its place is taken. */
  async #spareNewer(name: string): Promise<void> {
    const text = await readText(this.#path(name), LARGEST_FILE).catch(() => undefined);
    if (text === undefined || !NewerFormat.isIn(text)) return;
    const aside = `${name}.newer-${stamp()}`;
    await rename(this.#path(name), this.#path(aside));
    this.#problems.set(aside, `${this.#path(name)} was written by a newer release; it was set aside as ${aside}`);
  }

  async #testWriting(): Promise<void> {
    try {
      await (this.#onlyLooks ? this.#askForWriting() : this.#tryWriting());
      this.#nowWritable();
    } catch (error) {
      this.#notWritable(undefined, error);
    }
  }

  async #tryWriting(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const { name = LEDGER, size = 0 } = this.#refused ?? {};
    const probe = await writeTemporary(this.#dir, name, PROBE.padEnd(size, '.'));
    await rm(probe, { force: true });
    if (this.#refused !== undefined) await this.#tryAnew(name);
    this.#refused = undefined;
  }

  /** A folder that takes one file may refuse another; taken for well, each look would order, and fail to note it. */
  async #tryAnew(name: string): Promise<void> {
    const text = await readText(this.#path(name), LARGEST_FILE).catch(() => undefined);
    if (text !== undefined) await replaceFile(this.#dir, name, text);
  }

  /** As good an answer as there is without writing: a folder that is not there yet can still be made. */
  async #askForWriting(): Promise<void> {
    await access(this.#dir, constants.W_OK | constants.X_OK).catch((error) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
  }

  #nowWritable(): void {
    this.#writable = true;
    this.#problems.delete('writing');
  }

  #notWritable(name: string | undefined, error: unknown): Error {
    const reason = codeOf(error) ?? messageOf(error);
    const sentence = `${name ? this.#path(name) : `the state folder ${this.#dir}`} cannot be written (${reason}): nothing is ordered until it can; ${this.#cure(reason)}`;
    this.#writable = false;
    this.#problems.set('writing', sentence);
    return new Error(sentence);
  }

  #cure(code: string): string {
    if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room on its disk';
    if (code === 'EROFS') return 'mount it read-write';
    if (code === 'ENOTDIR' || code === 'EEXIST') return 'STATE_DIR must be a folder, and a file is in its way';
    if (code === 'EACCES' || code === 'EPERM') return this.#owner();
    return 'point STATE_DIR to a folder on a sound volume';
  }

  #owner(): string {
    return `this runs as uid ${process.getuid?.() ?? '?'}, which must own it (chown -R ${process.getuid?.() ?? 'UID'} ${this.#dir})`;
  }

  /** A fresh volume is open to others, but holds nothing, and certbot closes its own folders: only where keys lay in the open is there something to tell. */
  async #closeToOthers(names: readonly string[]): Promise<void> {
    const before = await modeOf(this.#dir);
    if (before === undefined) return;
    for (const name of names.filter((one) => OURS.test(one)))
      await chmod(this.#path(name), 0o600).catch(() => undefined);
    await chmod(this.#dir, 0o700).catch(() => undefined);
    const after = (await modeOf(this.#dir)) ?? before;
    if (after & 0o077) {
      this.#problems.set(
        'modes',
        `${this.#dir} is open to others (mode ${octal(after)}) and holds private keys: chmod 700 it`,
      );
    } else if (before & 0o077 && names.some((name) => OURS.test(name))) {
      this.#problems.set(
        'modes',
        `${this.#dir} was open to others (mode ${octal(before)}); it is 0700 now, but its private keys may have been read`,
      );
    }
  }

  async #noteEphemeral(): Promise<void> {
    const system = await statfs(this.#dir).catch(() => undefined);
    if (!system || !EPHEMERAL.includes(system.type)) return;
    this.#problems.set(
      'ephemeral',
      `${this.#dir} ends with this task: give the app a volume there, so that account and certificates outlive it`,
    );
  }
}

/** One account per ACME directory: host and path would not do as a file name, their hash alone not for a person. */
function accountFile(directory: string): string {
  const host = (URL.parse(directory)?.hostname ?? '').replace(/[^a-z0-9.-]/g, '');
  return `account-${host}-${createHash('sha256').update(directory).digest('hex').slice(0, 8)}.json`;
}

async function modeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && found.mode & 0o777;
}

/** Nothing is there: no file, no folder, or a file where the folder should be. */
const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '');
const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');
const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
const stamp = (): string => new Date().toISOString().replace(/[:.]/g, '-');

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
