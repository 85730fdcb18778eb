/**
 * What can be counted of being small: what is installed, how large the bundle is, what is read before the challenge port is
 * open. The figures that a busy machine changes are the bench's.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { bundle } from '../support/bundle.mjs';

const PROJECT = join(import.meta.dirname, '..', '..');
const KIB = 1024;

const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const { outputs } = await bundle(folder);

function partOf(entry: string): string {
  const found = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry);
  assert.ok(found, `${entry} is an entry or is imported dynamically`);
  return found[0];
}

/** With all that is read before its first line is carried out. */
function readFor(...entries: readonly string[]) {
  const parts = new Set(entries.map(partOf));
  for (const part of parts) {
    const imports = outputs[part]?.imports ?? [];
    for (const { path, kind, external } of imports) if (kind === 'import-statement' && !external) parts.add(path);
  }
  const inputs = [...parts].flatMap((part) => Object.keys(outputs[part]?.inputs ?? {}));
  const modules = new Set(inputs);
  const packages = [...modules].flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  const bytes = [...parts].reduce((sum, part) => sum + (outputs[part]?.bytes ?? 0), 0);
  return { modules: modules.size, packages: new Set(packages), kib: bytes / KIB };
}

/** Six that we ask for, and what they bring along. */
test('six packages are installed for production', () => {
  const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { dependencies: object };
  assert.deepEqual(Object.keys(manifest.dependencies), [
    ...['acme-client', 'axios', 'fastify', 'node-cron', 'node-forge', 'pino'],
  ]);
});

test('the bundle has no more than 2.6 MB', () => {
  const bytes = Object.values(outputs).reduce((sum, part) => sum + part.bytes, 0);
  assert.ok(bytes < 2_600 * KIB, `${Math.round(bytes / KIB)} KiB`);
});

const LISTENS: readonly (readonly [command: string, modules: number, kib: number])[] = [
  ['run', 32, 85],
  ['obtain', 75, 290],
];
for (const [command, most, largest] of LISTENS) {
  test(`${command} opens the challenge port before any server, client, log or ASN.1 is read`, () => {
    const { modules, packages, kib } = readFor('src/main.ts', `src/commands/${command}.ts`);
    for (const heavy of ['fastify', 'axios', 'acme-client', 'node-cron', 'pino', '@peculiar/x509', 'asn1js'])
      assert.ok(!packages.has(heavy), heavy);
    assert.ok(modules <= most, `${modules} modules`);
    assert.ok(kib <= largest, `${Math.round(kib)} KiB`);
  });
}

test("the keeper looks after its certificate without the admin port's server, until somebody asks there", () => {
  const { packages } = readFor('src/main.ts', 'src/commands/run.ts', 'src/log.ts', 'src/service.ts');
  assert.deepEqual(
    ['fastify', 'axios', 'acme-client', 'node-cron'].filter((heavy) => packages.has(heavy)),
    [],
  );
});

test("no part imports Node's own modules by a statement, for which Node would load undici", () => {
  const text = Object.keys(outputs).map((path) => readFileSync(join(PROJECT, path), 'utf8'));
  const named = text.flatMap((part) => [
    ...part.matchAll(/^(?:import|export)\b(?:[^;"']* from)? ?["']([^"'.][^"']*)/gm),
  ]);
  assert.deepEqual([...new Set(named.map(([, name]) => name))], []);
});

test('of acme-client, what it never does for us is left out of the bundle', () => {
  const inputs = new Set(Object.values(outputs).flatMap((part) => Object.keys(part.inputs)));
  const paths = [...inputs].map((path) => relative(PROJECT, join(PROJECT, path)));
  assert.ok(paths.some((path) => path.startsWith('node_modules/acme-client/')));
  assert.deepEqual(
    paths.filter((path) => /^node_modules\/(@peculiar|asn1js|reflect-metadata|tsyringe)/.test(path)),
    [],
  );
});
