/**
 * Data of other projects that ours is held against: Marathon's schemas and examples, marathon-lb's example apps.
 *
 * It lies beside the project, not in it (the licences are theirs, and a user needs none of it): only test/conformance
 * may look there, and without it these tests fail rather than pass for nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const PROJECT = join(import.meta.dirname, '..', '..');
const FIXTURES = join(PROJECT, '..', 'shared', 'marathon-api', 'fixtures');

export function theirs(path: string): string {
  const file = join(FIXTURES, path);
  if (!existsSync(file))
    throw new Error(`${file} is missing: these tests need other projects' data beside the project`);
  return file;
}

export function theirText(path: string): string {
  return readFileSync(theirs(path), 'utf8');
}

export function theirJson(path: string): unknown {
  return JSON.parse(theirText(path));
}

/** All files of a folder that end so, as paths below the fixtures. */
export function theirFiles(folder: string, ending: string): readonly string[] {
  const found = readdirSync(theirs(folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => relative(FIXTURES, join(FIXTURES, folder, name)))
    .sort();
  if (found.length === 0) throw new Error(`no ${ending} in ${folder}`);
  return found;
}

/** One of our own files, by its path in the project. */
export function ourJson(path: string): unknown {
  return JSON.parse(readFileSync(join(PROJECT, path), 'utf8'));
}

export function ourDefinitions(): readonly string[] {
  return readdirSync(join(PROJECT, 'marathon'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => `marathon/${name}`);
}
