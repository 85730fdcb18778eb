/**
 * The program with shorter minutes: time compressed for what it waits for, as short-lived certificates compress it for
 * what the CA gives out.
 *
 * A failed order is left alone for 1, 10, 100 minutes and a day, which is right, and longer than the whole life of a
 * certificate here. So the bundle is made from sources in which one minute of the holds, of the ledger and of the
 * planner's looks has another length. Nothing else differs, and the program knows nothing of it. Time-outs, pauses of the
 * loop and everything else that is counted in seconds stay as they are.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const PROJECT = join(import.meta.dirname, '..', '..');

/** The line of each source that says how long a minute, or an hour, is. */
const LINES: Readonly<Record<string, readonly [line: string, minutes: number]>> = {
  'src/certificates/holds.ts': ['const MINUTE_MS = 60_000;', 1],
  'src/certificates/ledger.ts': ['const HOUR_MS = 3_600_000;', 60],
  'src/plan/verdict.ts': ['export const MINUTE = 60 * SECOND;', 1],
};

export async function bundleWithMinutesOf(minuteMs: number, outfile: string): Promise<void> {
  const shortened = new Set<string>();
  await build({
    ...{ entryPoints: [join(PROJECT, 'src/main.ts')], outfile, bundle: true, logLevel: 'warning' },
    ...{ platform: 'node', target: 'node24', format: 'esm' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    plugins: [shortening(minuteMs, shortened)],
  });
  assert.deepEqual([...shortened].sort(), Object.keys(LINES).sort(), 'each minute has been shortened');
}

function shortening(minuteMs: number, shortened: Set<string>): Plugin {
  return {
    name: 'short-minutes',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
        const [line, minutes] = LINES[path.slice(PROJECT.length + 1)] ?? [];
        if (line === undefined || minutes === undefined) return undefined;
        const source = await readFile(path, 'utf8');
        assert.ok(source.includes(line), `${path} says how long a minute is in another way than '${line}'`);
        shortened.add(path.slice(PROJECT.length + 1));
        return { contents: source.replace(line, line.replace(/= .*;/, `= ${minutes * minuteMs};`)), loader: 'ts' };
      });
    },
  };
}
