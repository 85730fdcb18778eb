/**
 * The simulator on other projects' app definitions: it takes what Marathon took and refuses what Marathon refused.
 *
 * There are no agents, so nothing of what these definitions would start is started.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Profile } from '../marathon-simulator/profiles.ts';
import { type Simulator, startSimulator } from '../marathon-simulator/simulator.ts';
import { ourDefinitions, ourJson, theirFiles, theirJson } from './other-projects.ts';

async function start(t: TestContext, profile: Profile): Promise<Simulator> {
  const workDir = await mkdtemp(join(tmpdir(), 'simulator-'));
  const simulator = await startSimulator({ profile, agents: [], workDir });
  t.after(async () => {
    await simulator.close();
    await rm(workDir, { recursive: true, force: true });
  });
  return simulator;
}

type Refused = Readonly<Record<string, number>>;

/** POSTs each and says what was not answered as expected. */
async function surprises(simulator: Simulator, definitions: ReadonlyMap<string, unknown>, refused: Refused = {}) {
  const found: string[] = [];
  for (const [file, definition] of definitions) {
    const { status, body } = await simulator.api('POST', '/v2/apps', definition);
    if (status !== (refused[file] ?? 201)) found.push(`${file}: ${status} ${JSON.stringify(body)}`);
    const { id } = definition as { id: string };
    if (status === 201) await simulator.api('DELETE', `/v2/apps/${id.replace(/^\//, '')}`);
  }
  return found;
}

/**
 * Not JSON, an update, groups; and a network called "bogus" (app_add_400), which Marathon refuses and the simulator takes:
 * its validation has the rules that an app of this project can break, as DIFFERENCES.md says.
 */
const NOT_APPS = /bad\.json|update_zero_instance|sleep-group|Group\.json|app_add_400/;
const MODERN: readonly Profile[] = ['1.5.0', '1.5', '1.9', '1.11'];
const EVERY: readonly Profile[] = ['0.15', '1.4', ...MODERN];

function theirApps(...folders: readonly string[]): ReadonlyMap<string, unknown> {
  const files = folders.flatMap((folder) => theirFiles(folder, '.json')).filter((file) => !NOT_APPS.test(file));
  return new Map(files.map((file) => [file, theirJson(file)]));
}

function ourApps(files: readonly string[]): ReadonlyMap<string, unknown> {
  return new Map(files.map((file) => [file, ourJson(file)]));
}

/** DC/OS 1.9 had Marathon 1.4, which does not know `networks`: these say both, and 1.5 refuses the contradiction. */
const BOTH_SPELLINGS = {
  'marathon-lb/ci/backends_1.9/docker_bridge.json': 422,
  'marathon-lb/ci/backends_1.9/docker_host.json': 422,
  'marathon-lb/ci/backends_1.9/docker_ippc.json': 422,
};

for (const profile of EVERY) {
  const modern = MODERN.includes(profile);

  test(`as Marathon ${profile}: the examples of its repository, and what the CLI's tests post`, async (t) => {
    const apps = theirApps('marathon/v1.4.13/app-examples', 'dcos-core-cli/apps');
    assert.deepEqual(await surprises(await start(t, profile), apps), []);
  });

  test(`as Marathon ${profile}: our definitions that claim it, and the original one`, async (t) => {
    const old = ['test/fixtures/letsencrypt-dcos.seed.json', 'marathon/letsencrypt-dcos-marathon-1.4.json'];
    const apps = ourApps(modern ? [...old, ...ourDefinitions()] : old);
    assert.deepEqual(await surprises(await start(t, profile), apps), []);
  });
}

for (const profile of ['1.4', ...MODERN] as const) {
  test(`as Marathon ${profile}: marathon-lb's own backends of that time`, async (t) => {
    const old = theirApps('marathon-lb/ci/backends_1.9');
    const apps = profile === '1.4' ? old : new Map([...old, ...theirApps('marathon-lb/ci/backends')]);
    assert.deepEqual(await surprises(await start(t, profile), apps, profile === '1.4' ? {} : BOTH_SPELLINGS), []);
  });
}

for (const profile of MODERN) {
  test(`as Marathon ${profile}: the apps of its system tests`, async (t) => {
    assert.deepEqual(await surprises(await start(t, profile), theirApps('marathon/head/system-test-apps')), []);
  });
}
