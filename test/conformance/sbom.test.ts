/** The bill of materials, as `npm run sbom` prints it, against the lockfile and the Dockerfile. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const PROJECT = join(import.meta.dirname, '..', '..');

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly { readonly license?: { readonly id: string }; readonly expression?: string }[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}
interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
  readonly integrity?: string;
}

const lock = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Locked>;
};
const bom = JSON.parse(
  execFileSync(process.execPath, ['test/support/bootstrap.mjs', 'sbom'], {
    cwd: PROJECT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
) as {
  bomFormat: string;
  specVersion: string;
  metadata: { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
  compositions: { aggregate: string; assemblies: string[] }[];
};
const libraries = bom.components.filter(({ type }) => type === 'library');

/** What the bundle may have in it: one entry for each name and version, however often npm installs it. */
function ofProduction(): ReadonlyMap<string, Locked> {
  const entries = Object.entries(lock.packages).filter(([path, { dev, optional }]) => path !== '' && !dev && !optional);
  return new Map(
    entries.map(([path, locked]) => [`${path.replace(/^.*node_modules\//, '')}@${locked.version}`, locked]),
  );
}

test('all packages of production are listed, by name and version, and no other', () => {
  const expected = [...ofProduction().keys()].toSorted();
  assert.ok(expected.length > 50);
  assert.deepEqual(libraries.map(({ name, version }) => `${name}@${version}`).toSorted(), expected);
});

test('each has its licence and the hash that it is installed by', () => {
  const locked = ofProduction();
  for (const { name, version, licenses, hashes } of libraries) {
    const { license, integrity = '' } = locked.get(`${name}@${version}`) as Locked;
    assert.deepEqual(
      licenses?.map((one) => one.license?.id ?? one.expression),
      [license],
      name,
    );
    const base64 = Buffer.from(hashes?.[0]?.content ?? '', 'hex').toString('base64');
    assert.deepEqual([hashes?.[0]?.alg, `sha512-${base64}`], ['SHA-512', integrity], name);
  }
});

test("the image's own layers are there, and that Debian's packages are not listed is said", () => {
  const dockerfile = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8');
  const [, node] = /^ARG NODE=(.*)$/m.exec(dockerfile) ?? [];
  const layers = bom.components.filter(({ type }) => type !== 'library').map(({ type, version }) => [type, version]);
  assert.deepEqual(layers, [
    ['platform', node],
    ['container', `${node}-slim`],
  ]);
  assert.deepEqual(bom.compositions, [{ aggregate: 'incomplete', assemblies: [`docker/node@${node}-slim`] }]);
});

test('it is CycloneDX of this project, and every reference leads somewhere', () => {
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string };
  const { component } = bom.metadata;
  assert.deepEqual(
    [bom.bomFormat, component.name, component.type, component.version],
    ['CycloneDX', 'letsencrypt-dcos', 'application', version],
  );
  const refs = new Set([component, ...bom.components].map((one) => one['bom-ref']));
  assert.equal(refs.size, bom.components.length + 1);
  for (const { ref, dependsOn } of bom.dependencies)
    for (const one of [ref, ...dependsOn]) assert.ok(refs.has(one), one);
});
