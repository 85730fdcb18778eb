/**
 * Puts a planted bug into a source file while Node loads it, so that no copy of the program has to be made.
 *
 * The text to be replaced must be there, once: a mutation that no longer fits the source fails loudly.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS, type Mutation } from './mutations.ts';

const SRC = join(import.meta.dirname, '..', '..', 'src');

export function plant(name: string): void {
  const mutation = MUTATIONS.find((one) => one.name === name);
  if (mutation === undefined) throw new Error(`there is no mutation ${name}`);
  const file = join(SRC, mutation.file);
  mutated(mutation); // fails here, before anything is loaded
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context);
      const isIt = url.startsWith('file:') && fileURLToPath(url) === file;
      return isIt ? { ...loaded, source: mutated(mutation) } : loaded;
    },
  });
}

/** The source with the bug in it. Throws when the text is not there, or more than once. */
export function mutated({ name, file, find, put }: Mutation): string {
  const parts = readFileSync(join(SRC, file), 'utf8').split(find);
  if (parts.length !== 2)
    throw new Error(`mutation "${name}": ${file} has its text ${parts.length - 1} times: ${find}`);
  return parts.join(put);
}
