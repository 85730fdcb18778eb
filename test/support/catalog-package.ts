/**
 * The package of the DC/OS catalog, rendered as the package manager of DC/OS renders it (Cosmos, PackageDefinitionRenderer).
 *
 * Defaults come from config.json, what the operator gives is laid over them and checked against the schema; then strings are
 * escaped for JSON, not for HTML, before they go into the template.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import mustache from 'mustache';

export const FOLDER = join(import.meta.dirname, '..', '..', 'package');

export interface Schema {
  readonly type: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

export type Options = Readonly<Record<string, unknown>>;

const textOf = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
export const packageJson = (name: string): unknown => JSON.parse(textOf(name));
export const config = packageJson('config.json') as Schema;

/** By its path in the options, such as `certificate.domains`. */
export const OPTIONS: ReadonlyMap<string, Schema> = new Map(leaves(config));

function leaves({ properties = {} }: Schema, path: readonly string[] = []): [string, Schema][] {
  return Object.entries(properties).flatMap(([name, schema]): [string, Schema][] =>
    schema.properties ? leaves(schema, [...path, name]) : [[[...path, name].join('.'), schema]],
  );
}

const fits = new Ajv({ strict: false, allErrors: true }).compile(draftless(config));

/** `given` by path: `{ 'certificate.domains': 'a.example' }`. Throws what `dcos package install` would answer. */
export function rendered(given: Options): unknown {
  const defaults = [...OPTIONS].filter(([, { default: value }]) => value !== undefined);
  const options = nested([...defaults.map(([path, { default: value }]) => [path, value]), ...Object.entries(given)]);
  if (!fits(options)) throw new Error(JSON.stringify(fits.errors));
  const view = escaped({ ...options, resource: packageJson('resource.json') });
  return JSON.parse(mustache.render(textOf('marathon.json.mustache'), view, {}, { escape: String }));
}

function nested(pairs: readonly (readonly unknown[])[]): Record<string, unknown> {
  const options: Record<string, Record<string, unknown>> = {};
  for (const [path, value] of pairs) {
    const [section = '', name = ''] = String(path).split('.');
    options[section] = { ...options[section], [name]: value };
  }
  return options;
}

/** Draft 4, of which no word that is used here has another meaning in the draft that Ajv speaks. */
export function draftless(schema: Schema): object {
  const { $schema: _, ...rest } = schema as Schema & { $schema?: string };
  return rest;
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return JSON.stringify(value).slice(1, -1);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, escaped(member)]));
}
