/**
 * The app definitions that people post, with the edits that they would make in them.
 */
import { readFile } from 'node:fs/promises';

/** As JSON.parse gives it; only what is edited here is named. */
export interface Definition {
  readonly id: string;
  readonly env: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface Edits {
  readonly env?: Readonly<Record<string, unknown>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Whole fields: `id`, `instances`, `upgradeStrategy` … */
  readonly fields?: Readonly<Record<string, unknown>>;
}

const SHIPPED = new URL('../../marathon/', import.meta.url);
const FIXTURES = new URL('../fixtures/', import.meta.url);

/** One of the project's own, by its file name without `.json`. */
export function shipped(name: string, edits: Edits = {}): Promise<Definition> {
  return read(new URL(`${name}.json`, SHIPPED), edits);
}

/** The one that the project's first program came with, as people still have it. */
export function original(edits: Edits = {}): Promise<Definition> {
  return read(new URL('letsencrypt-dcos.seed.json', FIXTURES), edits);
}

async function read(file: URL, edits: Edits): Promise<Definition> {
  return edited(JSON.parse(await readFile(file, 'utf8')) as Definition, edits);
}

export function edited(definition: Definition, { env, labels, fields }: Edits): Definition {
  return {
    ...definition,
    ...fields,
    env: { ...definition.env, ...env },
    labels: { ...definition.labels, ...labels },
  };
}
