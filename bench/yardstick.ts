/** The bare client (floor.ts) as a program: bundled as ours is, so that reading it costs it as little. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { builtinsAsTheyAre } from '../test/support/bundle.mjs';
import type { Disposer } from '../test/support/pebble.ts';

/** Resolves with the file to give to Node. */
export async function bundledFloor(t: Disposer): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'floor-'));
  t.after(async () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'floor.mjs');
  await build({
    ...{ entryPoints: [join(import.meta.dirname, 'floor.ts')], outfile, bundle: true, logLevel: 'warning' },
    ...{ platform: 'node', target: 'node24', format: 'esm', plugins: [builtinsAsTheyAre] },
  });
  return outfile;
}
