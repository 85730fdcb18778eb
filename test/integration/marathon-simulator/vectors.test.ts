/** The arithmetic, the label grammar and the shapes, held by vectors that were read off Marathon's source. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ApiError } from '../../marathon-simulator/api-error.ts';
import { AppState } from '../../marathon-simulator/app-state.ts';
import { complete } from '../../marathon-simulator/definitions.ts';
import { isObject } from '../../marathon-simulator/json.ts';
import { labelSelector } from '../../marathon-simulator/label-selector.ts';
import { PROFILES, type Profile, traitsOf } from '../../marathon-simulator/profiles.ts';
import { readUpdate } from '../../marathon-simulator/read-definition.ts';
import { render } from '../../marathon-simulator/render.ts';
import { restartStrategy } from '../../marathon-simulator/strategy.ts';
import type { Task } from '../../marathon-simulator/task.ts';
import { validate } from '../../marathon-simulator/validate.ts';
import { member } from '../../support/simulated.ts';

const FIXTURES = new URL('../../fixtures/marathon/', import.meta.url);
const SHIPPED = new URL('../../../marathon/', import.meta.url);
const fixture = async (name: string) => JSON.parse(await readFile(new URL(name, FIXTURES), 'utf8'));

test('how many old tasks die at once, and how many there may be in all, is as TaskReplaceActor counts', async () => {
  for (const row of (await fixture('restart-strategy-vectors.json')).vectors) {
    const { minimumHealthCapacity, maximumOverCapacity, nrToKillImmediately, maxCapacity, ...rest } = row;
    const strategy = { minimumHealthCapacity, maximumOverCapacity };
    const counted = restartStrategy({ ...rest, strategy, killsExtra: true });
    assert.deepEqual(counted, { nrToKillImmediately, maxCapacity }, JSON.stringify(row));
  }
});

test('labels are selected as LabelSelector does', async () => {
  const { match, invalid_422 } = await fixture('label-selector-vectors.json');
  for (const { selector, labels, matches } of match) assert.equal(labelSelector(selector)(labels), matches, selector);
  for (const selector of invalid_422) {
    assert.throws(
      () => labelSelector(selector),
      (error) => error instanceof ApiError && error.status === 422,
      selector,
    );
  }
});

test('a task is current when it is not older than the last change of the configuration', async () => {
  const definition = complete(readUpdate({ cmd: 'true' }, traitsOf('1.9')), '/x', traitsOf('1.9'));
  for (const { name, app, taskVersions, current } of (await fixture('task-currency-vectors.json')).vectors) {
    if (!app.versionInfo) continue; // our apps always have it
    const state = new AppState({ definition, version: app.version, versionInfo: app.versionInfo }, traitsOf('1.9'));
    const found = taskVersions.map((version: string | null) => state.isCurrent({ version } as unknown as Task));
    assert.deepEqual(found, current, name);
  }
});

const DEFINITIONS: readonly { file: string; profiles: readonly Profile[] }[] = [
  { file: 'marathon-lb.package-like.legacy-ports.json', profiles: ['1.4', '1.5.0', '1.5', '1.9', '1.11'] },
  { file: 'marathon-lb.package-like.marathon-1.5plus.json', profiles: ['1.5.0', '1.5', '1.9', '1.11'] },
  { file: 'sidecar.dcos-enterprise-strict.json', profiles: ['1.5.0', '1.5', '1.9', '1.11'] },
  { file: 'sidecar.marathon-0.15.docker-bridge.json', profiles: ['0.15', '1.4', '1.5.0', '1.5', '1.9', '1.11'] },
  { file: 'sidecar.marathon-1.3-to-1.4.docker-bridge.json', profiles: ['1.4'] },
  { file: 'sidecar.marathon-1.5plus.docker-bridge.json', profiles: ['1.5.0', '1.5', '1.9', '1.11'] },
  { file: 'sidecar.marathon-1.5plus.external-volume.json', profiles: ['1.5.0', '1.5', '1.9', '1.11'] },
  { file: 'sidecar.marathon-1.5plus.ucr-bridge.json', profiles: ['1.5.0', '1.5', '1.9', '1.11'] },
];

const MODERN: readonly Profile[] = ['1.5.0', '1.5', '1.9', '1.11'];

/** What this project ships, and the definition that people still have from its first program. */
const OURS: readonly { file: string; profiles: readonly Profile[] }[] = [
  { file: 'letsencrypt-dcos-catch-all.json', profiles: MODERN },
  { file: 'letsencrypt-dcos-marathon-1.4.json', profiles: PROFILES },
  { file: 'letsencrypt-dcos-test-1.json', profiles: MODERN },
  { file: 'letsencrypt-dcos-test-2.json', profiles: MODERN },
  { file: 'letsencrypt-dcos-test-3.json', profiles: MODERN },
  { file: 'letsencrypt-dcos.json', profiles: MODERN },
  { file: 'marathon-lb-hardened.json', profiles: MODERN },
  { file: 'marathon-lb.json', profiles: MODERN },
];

async function assertTaken(file: URL, profiles: readonly Profile[]): Promise<void> {
  const body = JSON.parse(await readFile(file, 'utf8'));
  for (const profile of profiles) {
    const traits = traitsOf(profile);
    assert.doesNotThrow(() => {
      const app = complete(readUpdate(body, traits), body.id, traits);
      validate(app, { traits, secretsEnabled: traits.secrets, old: undefined });
    }, `${file.pathname} under ${profile}`);
  }
}

test('every definition that a generation takes is taken by its profile', async () => {
  const folder = new URL('app-definitions/', FIXTURES);
  const there = await readdir(folder);
  assert.deepEqual(DEFINITIONS.map(({ file }) => file).sort(), there.sort(), 'the table names them all');
  for (const { file, profiles } of DEFINITIONS) await assertTaken(new URL(file, folder), profiles);
});

test('every definition of ours is taken by every generation that it claims', async () => {
  const there = await readdir(SHIPPED);
  assert.deepEqual(OURS.map(({ file }) => file).sort(), there.sort(), 'the table names them all');
  for (const { file, profiles } of OURS) await assertTaken(new URL(file, SHIPPED), profiles);
  await assertTaken(new URL('../letsencrypt-dcos.seed.json', FIXTURES), PROFILES);
});

const SHAPES: readonly { file: string; profile: Profile }[] = [
  { file: 'app-get.marathon-0.15.json', profile: '0.15' },
  { file: 'app-get.marathon-1.4.json', profile: '1.4' },
  { file: 'app-get.marathon-1.5plus.json', profile: '1.9' },
  { file: 'app-get.no-env.json', profile: '1.9' },
];

/** Made by the cluster, not by the definition. */
const RUNTIME = [
  'tasks',
  'deployments',
  'tasksStaged',
  'tasksRunning',
  'tasksHealthy',
  'tasksUnhealthy',
  'lastTaskFailure',
];
/** The sample's app was not created with these defaults, or they are newer than what it was stored by. */
const LOOSE = ['requirePorts', 'killSelection', 'user', 'residency', 'ports', 'unreachableStrategy', 'gpus'];

test('an app that was read and written again has the same fields in the same shape', async () => {
  for (const { file, profile } of SHAPES) {
    const sample = (await fixture(file)).body.app;
    const traits = traitsOf(profile);
    const posted = profile === '1.4' ? { ...sample, uris: undefined, ports: undefined } : sample;
    const app = complete(readUpdate(posted, traits), sample.id, traits);
    const { version, versionInfo } = sample;
    const written = JSON.parse(JSON.stringify(render({ definition: app, version, versionInfo }, traits)));
    const wanted = Object.keys(sample).filter((key) => !RUNTIME.includes(key) && !LOOSE.includes(key));
    const got = Object.keys(written).filter((key) => !LOOSE.includes(key));
    assert.deepEqual(got.sort(), wanted.sort(), file);
    for (const key of [
      'env',
      'secrets',
      'labels',
      'networks',
      'portDefinitions',
      'upgradeStrategy',
      'args',
      'version',
    ]) {
      assert.deepEqual(member(written, key), member(sample, key), `${file}: ${key}`);
    }
    const network = member(written, 'container', 'docker', 'network');
    assert.equal(network, member(sample, 'container', 'docker', 'network'), file);
    assert.ok(isObject(written), file);
  }
});
