/**
 * The files of the state folder: each read whole or told about, and written so that it is there whole, old or new,
 * whenever the process is killed.
 *
 * Whatever is wrong with the folder becomes a sentence in `problems` and never stops the program; only writing fails, so
 * that nothing is ordered that could not be kept. What the files mean is the store's.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, readText, replaceFile, syncFolder, writeTemporary } from './atomic-file.ts';
import { closeToOthers, endsWithTask } from './folder-modes.ts';
import { FORMAT_VERSION, NewerFormat } from './state-files.ts';

const OURS = /^(certificate|previous-certificate|order|replaced-values|ledger|account-[^/]+)\.json$/;
const TEMPORARY =
  /^\.(certificate|previous-certificate|order|replaced-values|ledger|alerts|account-[^/]+)\.json\.[0-9a-f]+\.tmp$/;

/** The ledger is the largest by far: hundreds of failures of a hundred names each. More would be too much for 128 MB. */
const LARGEST_FILE = 16 * 1024 * 1024;

/** As much as all our files together: a full disk must be met before an order, not in it. */
const PROBE = '.'.repeat(65_536);
/** Where the first probe is written. */
const PROBED = 'ledger.json';

export class StateFolder {
  readonly #dir: string;
  /** By what they are about, so that one that is over can be taken back. */
  readonly #problems = new Map<string, string>();
  readonly #unreadable = new Set<string>();
  #writable = false;
  /** By file, a digest of what it said when it was last read or written here. */
  readonly #known = new Map<string, string>();
  /** The file that could not be written or removed last, and how much was to be in it. */
  #refused: { readonly name: string; readonly size: number } | undefined;
  /** Nothing is written, moved or mended. */
  #onlyLooks = false;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Makes the folder, its modes and its leftovers right as far as it can. Never throws. */
  async open(): Promise<void> {
    await this.#testWriting();
    const names = (await this.#names()) ?? [];
    for (const name of names.filter((one) => TEMPORARY.test(one))) await rm(this.#path(name)).catch(() => undefined);
    const modes = await closeToOthers(
      this.#dir,
      names.filter((name) => OURS.test(name)),
    );
    this.tell('modes', modes);
    this.tell('ephemeral', await endsWithTask(this.#dir));
  }

  /** Instead of `open`, beside the process that keeps the folder: finds what that one would, and leaves no trace. */
  async openToLook(): Promise<void> {
    this.#onlyLooks = true;
    await this.#testWriting();
    this.tell('ephemeral', await endsWithTask(this.#dir));
  }

  /** The files of ours that are there; undefined where nobody could look. */
  async ours(): Promise<readonly string[] | undefined> {
    return (await this.#names())?.filter((name) => OURS.test(name));
  }

  /** Nothing may be changed: it is another process that keeps this folder. */
  get onlyLooks(): boolean {
    return this.#onlyLooks;
  }

  /** Sentences for the operator. */
  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /** What can't be read may be a certificate, or why not to order one: forgetting it would cost an order. */
  get isSound(): boolean {
    return this.#writable && this.#unreadable.size === 0;
  }

  /** A full disk, a wrong owner or a sick disk may have been mended: asked again where the last writing or reading failed. */
  async tryAgain(): Promise<void> {
    if (!this.#writable) await this.#testWriting();
    for (const name of this.#unreadable) await this.#testReading(name);
  }

  /** An account is read by orders alone, and none begins while one could not be read: nobody else would notice. */
  async #testReading(name: string): Promise<void> {
    try {
      await readText(this.#path(name), LARGEST_FILE);
    } catch (error) {
      if (codeOf(error) !== undefined && !isAbsent(error)) return;
    }
    this.#unreadable.delete(name);
    this.#problems.delete(name);
  }

  /** A sentence for the operator, until the next one about the same; without one, it is taken back. */
  tell(about: string, sentence: string | undefined): void {
    if (sentence === undefined) this.#problems.delete(about);
    else this.#problems.set(about, sentence);
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }

  #names(): Promise<readonly string[] | undefined> {
    return readdir(this.#dir).catch((error) => (isAbsent(error) ? [] : undefined));
  }

  /** What the reader makes of a file; undefined where it is missing, unreadable or damaged, and then that is told. */
  async load<T>(name: string, reader: (text: string) => T): Promise<T | undefined> {
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

  /** For what is about to be replaced; throws: a file that is there but can't be read now must not be taken for none. */
  async loadSurely<T>(name: string, reader: (text: string) => T): Promise<T | undefined> {
    const value = await this.load(name, reader);
    if (this.#unreadable.has(name)) throw new Error(this.#problems.get(name));
    return value;
  }

  /** Two keepers of one folder replace each other's certificate and order. Files that end are no sign of it. */
  #noteOthers(name: string, text: string): void {
    const digest = digestOf(text);
    const before = this.#known.get(name);
    this.#known.set(name, digest);
    if (before === undefined || before === digest) return;
    const who = `${this.#path(name)} was changed by another process or by hand`;
    const cure = 'instances of one app may share a folder, but two apps must not: give each a STATE_DIR of its own';
    this.tell('others', `${who}; ${cure}`);
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
    if (this.#onlyLooks)
      return void this.#problems.set(name, `${damaged} The program will set it aside and go on without it`);
    try {
      await rename(this.#path(name), this.#path(aside));
      // By its new name: the file itself is well again, but this should be read until the next start.
      this.#problems.set(aside, `${damaged} It was set aside as ${aside}; delete that when nothing in it is needed`);
    } catch (error) {
      this.#problems.set(name, `${damaged} It could not be set aside (${codeOf(error)}); move it away by hand`);
    }
  }

  /** Throws a sentence for the operator where the folder refuses. */
  async write(name: string, content: object): Promise<void> {
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

  /** Throws like `write`; a file that is not there is as good as removed. */
  async remove(name: string): Promise<void> {
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
    this.#problems.set(
      aside,
      `${this.#path(name)} was written by a newer release; it was set aside as ${aside}, for when you go back to that release; else delete it`,
    );
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
    const { name = PROBED, size = 0 } = this.#refused ?? {};
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
    return 'see what is wrong with its volume, or point STATE_DIR to a folder on another one';
  }

  #owner(): string {
    return `this runs as uid ${process.getuid?.() ?? '?'}, which must own it (chown -R ${process.getuid?.() ?? 'UID'} ${this.#dir})`;
  }
}

/** Nothing is there: no file, no folder, or a file where the folder should be. */
const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '');
const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');
const stamp = (): string => new Date().toISOString().replace(/[:.]/g, '-');

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
