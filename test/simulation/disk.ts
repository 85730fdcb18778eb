/**
 * A disk in memory under the unchanged Store: whatever `node:fs/promises` is asked for below /sim happens here.
 *
 * What a crash of the machine may undo is kept apart from what is on the platter: a file's bytes until it is synced, a
 * folder's entries until the folder is. Each task has a path of its own, so that it is known who asks, and a task that
 * is killed can be stopped before or after any single operation.
 */
import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { Random } from './random.ts';

const ROOT = '/sim/';
/** ext4; whatever is not listed as ending with the container. */
const EXT4 = 0xef53;
const TMPFS = 0x01021994;

interface Inode {
  data: string;
  synced: string | undefined;
  mode: number;
}

export type DiskFault = 'full' | 'read-only' | 'failing';

export class Volume {
  readonly ephemeral: boolean;
  fault: DiskFault | undefined;
  mode = 0o755;
  #files = new Map<string, Inode>();
  #durable = new Map<string, Inode>();

  constructor(ephemeral = false) {
    this.ephemeral = ephemeral;
  }

  get names(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  find(name: string): Inode | undefined {
    return this.#files.get(name);
  }

  put(name: string, inode: Inode): void {
    this.#files.set(name, inode);
  }

  remove(name: string): boolean {
    return this.#files.delete(name);
  }

  sync(): void {
    this.#durable = new Map(this.#files);
  }

  /** The machine goes down: what was not flushed is there, or not, or half. */
  crash(random: Random): void {
    for (const name of new Set([...this.#files.keys(), ...this.#durable.keys()])) {
      const [now, before] = [this.#files.get(name), this.#durable.get(name)];
      if (now === before || random.chance(0.5)) continue;
      if (before === undefined) this.#files.delete(name);
      else this.#files.set(name, before);
    }
    for (const inode of this.#files.values()) {
      if (inode.synced === inode.data) continue;
      inode.data = inode.data.slice(0, random.integer(0, inode.data.length));
      inode.synced = inode.data;
    }
    this.sync();
  }

  /** Everything gone, as with a container that had no volume. */
  wipe(): void {
    this.#files = new Map();
    this.sync();
  }
}

/** A task's view of a volume; `gate` never resolves once the task is dead. */
export interface Mount {
  readonly volume: Volume;
  gate(what: string): Promise<void>;
  /** After the effect: killed here, it is done and nobody knows. */
  after(what: string): Promise<void>;
}

const mounts = new Map<string, Mount>();

/** Returns the folder. */
export function mount(name: string, at: Mount): string {
  mounts.set(name, at);
  return `${ROOT}${name}`;
}

export function unmountAll(): void {
  mounts.clear();
}

interface Place {
  readonly mount: Mount;
  readonly volume: Volume;
  /** Empty: the folder itself. */
  readonly name: string;
}

function placeOf(path: string): Place {
  const [task = '', name = '', ...deeper] = path.slice(ROOT.length).split('/');
  const found = mounts.get(task);
  if (found === undefined) throw failure('ENOENT', path);
  return { mount: found, volume: found.volume, name: [name, ...deeper].join('/') };
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: model disk, ${path}`), { code });
}

const isOurs = (path: unknown): path is string => typeof path === 'string' && path.startsWith(ROOT);

function mayWrite({ volume, name }: Place): void {
  if (volume.fault === 'read-only') throw failure('EROFS', name);
}

function inodeAt({ volume, name }: Place): Inode {
  const inode = volume.find(name);
  if (inode === undefined) throw failure('ENOENT', name);
  return inode;
}

function textOf({ volume, name }: Place, { data }: Inode): string {
  if (volume.fault === 'failing') throw failure('EIO', name);
  return data;
}

function statsOf(inode: Inode | undefined) {
  const isFile = inode !== undefined;
  const facts = { mode: inode?.mode ?? 0, size: inode?.data.length ?? 0, uid: process.getuid?.(), nlink: 1 };
  return { ...facts, isFile: () => isFile, isDirectory: () => !isFile, isSymbolicLink: () => false };
}

type Operation = (place: Place, ...facts: never[]) => unknown;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  access: (place) => {
    mayWrite(place);
    if (place.name !== '') inodeAt(place);
  },
  mkdir: mayWrite,
  readdir: ({ volume }) => volume.names,
  readFile: (place) => textOf(place, inodeAt(place)),
  chmod: (place, mode: number) => {
    mayWrite(place);
    if (place.name === '') place.volume.mode = mode;
    else inodeAt(place).mode = mode;
  },
  stat: (place) => (place.name === '' ? { ...statsOf(undefined), mode: place.volume.mode } : statsOf(inodeAt(place))),
  lstat: (place) => (place.name === '' ? { ...statsOf(undefined), mode: place.volume.mode } : statsOf(inodeAt(place))),
  statfs: ({ volume }) => ({ type: volume.ephemeral ? TMPFS : EXT4 }),
  rm: (place, options?: { force?: boolean }) => {
    const isThere = place.volume.find(place.name) !== undefined;
    if (!isThere && options?.force) return;
    mayWrite(place);
    if (!place.volume.remove(place.name)) throw failure('ENOENT', place.name);
  },
  rename: (place, to: string) => {
    mayWrite(place);
    const inode = inodeAt(place);
    place.volume.remove(place.name);
    place.volume.put(placeOf(to).name, inode);
  },
  open: (place, flags: unknown, mode = 0o644) => {
    if (place.name === '') return folderHandle(place);
    if (flags !== 'wx' && flags !== 'w') return fileHandle(place, inodeAt(place));
    mayWrite(place);
    const there = place.volume.find(place.name);
    if (there !== undefined && flags === 'wx') throw failure('EEXIST', place.name);
    const inode: Inode = { data: '', synced: undefined, mode };
    place.volume.put(place.name, inode);
    return fileHandle(place, inode);
  },
};

async function perform<T>({ mount: task }: Place, what: string, effect: () => T): Promise<T> {
  await task.gate(what);
  const result = effect();
  await task.after(what);
  return result;
}

function folderHandle(place: Place): Partial<FileHandle> {
  return { sync: () => perform(place, 'sync folder', () => place.volume.sync()), close: async () => {} };
}

function fileHandle(place: Place, inode: Inode): Partial<FileHandle> {
  const { name, volume } = place;
  return {
    chmod: (mode) => perform(place, `chmod ${name}`, () => void Object.assign(inode, { mode })),
    writeFile: (text) =>
      perform(place, `write ${name}`, () => {
        if (volume.fault === 'full') throw failure('ENOSPC', name);
        if (volume.fault === 'failing') throw failure('EIO', name);
        inode.data = String(text);
      }),
    readFile: (() => perform(place, `read ${name}`, () => textOf(place, inode))) as unknown as FileHandle['readFile'],
    stat: (async () => statsOf(inode)) as unknown as FileHandle['stat'],
    sync: () => perform(place, `sync ${name}`, () => void Object.assign(inode, { synced: inode.data })),
    close: async () => {},
  };
}

/** A function of fs that the model does not have must not reach the real disk. */
function standIn(name: string, original: (...facts: unknown[]) => unknown): (...facts: unknown[]) => unknown {
  return (...facts) => {
    const [path, ...rest] = facts;
    if (!isOurs(path)) return original(...facts);
    const operation = OPERATIONS[name];
    if (operation === undefined) return Promise.reject(new Error(`the model disk has no ${name}`));
    return operate(path, name, operation, rest);
  };
}

async function operate(path: string, what: string, operation: Operation, rest: unknown[]): Promise<unknown> {
  const place = placeOf(path);
  return perform(place, `${what} ${place.name}`, () => operation(place, ...(rest as never[])));
}

for (const [name, original] of Object.entries(fs)) {
  if (typeof original === 'function') {
    Object.assign(fs, { [name]: standIn(name, original as (...facts: unknown[]) => unknown) });
  }
}
syncBuiltinESMExports();
