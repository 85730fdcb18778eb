/**
 * What has been told, in a file of the state folder, so that a restart neither repeats an alert nor forgets to end it.
 *
 * It is worth less than anything else in there: what can't be read counts as not there, and what can't be written is
 * kept in memory alone.
 */
import { join } from 'node:path';
import { readText, replaceFile } from '../atomic-file.ts';
import type { Memory, Remembered } from './judgement.ts';

const NAME = 'alerts.json';
const FORMAT_VERSION = 1;
/** A hundred names, each at most 253 characters. */
const LARGEST = 256 * 1024;

export class MemoryFile {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Undefined: there is none that could be read. */
  async load(): Promise<Memory | undefined> {
    return readText(join(this.#dir, NAME), LARGEST).then(read, () => undefined);
  }

  /** Throws what the file system throws. */
  async save(memory: Memory): Promise<void> {
    const text = JSON.stringify({ formatVersion: FORMAT_VERSION, alerts: memory }, undefined, 2);
    await replaceFile(this.#dir, NAME, `${text}\n`);
  }
}

function read(text: string): Memory | undefined {
  try {
    const { formatVersion, alerts } = JSON.parse(text) as { formatVersion?: unknown; alerts?: unknown };
    if (formatVersion !== FORMAT_VERSION || typeof alerts !== 'object' || alerts === null) return undefined;
    return Object.fromEntries(Object.entries(alerts).flatMap(([key, value]) => entry(key, value)));
  } catch {
    return undefined;
  }
}

function entry(key: string, value: unknown): readonly (readonly [string, Remembered])[] {
  const { since, told } = (value ?? {}) as { since?: unknown; told?: unknown };
  const at = new Date(typeof since === 'string' ? since : Number.NaN);
  return typeof told === 'boolean' && !Number.isNaN(at.getTime()) ? [[key, { since: at, told }]] : [];
}
