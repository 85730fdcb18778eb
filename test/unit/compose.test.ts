/**
 * compose.yaml, read as Docker's client reads it: what it publishes and where, what it may not do, and that our program would
 * take the settings. That its health check works in the image is held by test/integration/container.test.ts.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseDocument } from 'yaml';
import { ConfigError, parseConfig, SETTINGS } from '../../src/config.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const TEXT = readFileSync(join(PROJECT, 'compose.yaml'), 'utf8');
const DOCUMENT = parseDocument(TEXT, { strict: true, uniqueKeys: true });

interface Service {
  readonly build: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly read_only: boolean;
  readonly tmpfs: readonly string[];
  readonly cap_drop: readonly string[];
  readonly cap_add: readonly string[];
  readonly security_opt: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
}

const composed = DOCUMENT.toJS() as { services: Record<string, Service>; volumes: Record<string, null> };
const service = composed.services['letsencrypt-dcos'] as Service;

/** `${NAME:-default}` and `${NAME:?why}`, the two forms that are used, as the Compose specification has them. */
function filledIn(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, form: string, rest: string) => {
    if (env[name]) return env[name];
    if (form === '?') throw new Error(`required variable ${name} is missing a value: ${rest}`);
    return rest;
  });
}

const GIVEN = { MARATHON_URL: 'http://10.0.0.1:8080', DOMAINS: 'www.example.com' };
const environment = (given: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(service.environment).map(([name, text]) => [name, filledIn(text, given)]));

test('it is sound YAML, and in the words of the Compose specification', () => {
  assert.deepEqual([...DOCUMENT.errors, ...DOCUMENT.warnings], []);
  assert.deepEqual(Object.keys(composed), ['services', 'volumes']);
  const words =
    'build image environment ports volumes read_only tmpfs cap_drop cap_add security_opt mem_limit cpus pids_limit';
  const known = new Set([...words.split(' '), 'healthcheck', 'restart']);
  assert.deepEqual(
    Object.keys(service).filter((word) => !known.has(word)),
    [],
  );
  assert.ok(existsSync(join(PROJECT, service.build, 'Dockerfile')));
  for (const volume of service.volumes) assert.ok(Object.hasOwn(composed.volumes, volume.split(':')[0] ?? ''), volume);
});

test('every port is published on an address, and the admin port on this machine alone', () => {
  const published = service.ports.map((port) => filledIn(port, {}).split(':'));
  assert.deepEqual(published, [
    ['172.17.0.1', '8080', '80'],
    ['127.0.0.1', '9000', '9000'],
  ]);
  assert.equal(service.ports[1], '127.0.0.1:9000:9000', 'not by a variable');
});

test('it may write to the volume and a small /tmp, and has the rights that the shipped definition has', () => {
  assert.equal(service.read_only, true);
  assert.deepEqual(service.volumes, ['state:/etc/letsencrypt']);
  assert.deepEqual(service.tmpfs, ['/tmp:size=1m,mode=1777,noexec,nosuid,nodev']);
  assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
  assert.deepEqual(service.cap_drop, ['ALL']);
  const { container } = JSON.parse(readFileSync(join(PROJECT, 'marathon', 'letsencrypt-dcos.json'), 'utf8'));
  const parameters = container.docker.parameters as readonly { key: string; value: string }[];
  assert.deepEqual(
    service.cap_add,
    parameters.filter(({ key }) => key === 'cap-add').map(({ value }) => value),
  );
});

test('the two variables that nobody can guess are asked for; with them the program takes the settings', () => {
  for (const missing of Object.keys(GIVEN)) {
    assert.throws(() => environment({ ...GIVEN, [missing]: '' }), new RegExp(`required variable ${missing}`));
  }
  const known = new Set(SETTINGS.map(({ name }) => name));
  assert.deepEqual(
    Object.keys(service.environment).filter((name) => !known.has(name)),
    [],
  );
  const config = parseConfig(environment(GIVEN));
  assert.equal(config.pause, true, 'it changes nothing until it is told to');
  assert.equal(new URL(config.acme.directoryUrl).host, 'acme-staging-v02.api.letsencrypt.org');
  assert.throws(() => parseConfig(environment({ ...GIVEN, MARATHON_URL: 'nonsense' })), ConfigError);
});

test('the health check and the start need no shell', () => {
  const [how, program] = service.healthcheck.test;
  assert.deepEqual([how, program], ['CMD', 'node']);
  assert.deepEqual(new Set(service.healthcheck.test.map((word) => typeof word)), new Set(['string']));
  assert.doesNotMatch(TEXT, /^\s*(command|entrypoint):/m);
});
