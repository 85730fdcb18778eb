/**
 * The package of the DC/OS catalog: what it renders is what we ship, each option lands where it belongs, and whatever an
 * operator types stays one value.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { parseConfig, SETTINGS } from '../../src/config.ts';
import { complete } from '../marathon-simulator/definitions.ts';
import { traitsOf } from '../marathon-simulator/profiles.ts';
import { readUpdate } from '../marathon-simulator/read-definition.ts';
import { validate } from '../marathon-simulator/validate.ts';
import {
  config,
  draftless,
  FOLDER,
  OPTIONS,
  type Options,
  packageJson,
  rendered,
  type Schema,
} from '../support/catalog-package.ts';
import { type Definition, shipped } from '../support/definitions.ts';

const NAMES = 'ssl-test-1.example.com,ssl-test-2.example.com';
const DOMAINS = { 'certificate.domains': NAMES };

/** Settings of an operator, each with the option that sets it and a value that is not the default. */
const SETTING_OPTIONS: Readonly<Record<string, readonly [option: string, value: unknown, asEnv?: unknown]>> = {
  MARATHON_URL: ['marathon.url', 'https://marathon.mesos:8443'],
  MARATHON_CA_FILE: ['marathon.ca-file', '/mnt/mesos/sandbox/.ssl/ca-bundle.crt'],
  MARATHON_TIMEOUT: ['marathon.timeout', 11],
  DEPLOYMENT_TIMEOUT: ['marathon.deployment-timeout', 601],
  MARATHON_LB_ID: ['marathon-lb.id', '/edge/marathon-lb'],
  MARATHON_LB_CERT_ENV: ['marathon-lb.cert-env', 'HAPROXY_SSL_CERT3'],
  MARATHON_LB_HTTP_PORT: ['marathon-lb.http-port', 8080],
  MARATHON_LB_HTTPS_PORT: ['marathon-lb.https-port', 8443],
  SERVED_CHECK: ['marathon-lb.served-check', 'www.example.com:443'],
  PROBE_TIMEOUT: ['marathon-lb.probe-timeout', 6],
  TAKE_OVER: ['marathon-lb.take-over', true],
  RESTORE: ['marathon-lb.restore', false, 'off'],
  INSTALL_WINDOW: ['marathon-lb.install-window', 'Mon-Fri 02:00-04:00; Sat,Sun 01:00-06:00 Europe/Berlin'],
  LETSENCRYPT_EMAIL: ['certificate.email', 'ops@example.com'],
  LETSENCRYPT_SERVER_URL: ['certificate.server-url', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
  KEY_TYPE: ['certificate.key-type', 'ec256'],
  PREFLIGHT: ['certificate.preflight', 'strict'],
  PREFLIGHT_RESOLVERS: ['certificate.preflight-resolvers', '1.1.1.1,9.9.9.9'],
  CHECK_SCHEDULE: ['certificate.check-schedule', '17 3 * * *'],
  ACME_TIMEOUT: ['certificate.timeout', 31],
  ACME_CA_FILE: ['certificate.ca-file', '/mnt/mesos/sandbox/ca.pem'],
  HTTPS_PROXY: ['certificate.https-proxy', 'http://proxy.example:3128'],
  NO_PROXY: ['certificate.no-proxy', 'localhost,.mesos'],
  WEBHOOK_URL: ['alerts.webhook-url-secret', 'letsencrypt/webhook', { secret: 'webhook-url' }],
  WEBHOOK_FORMAT: ['alerts.webhook-format', 'slack'],
  DCOS_SERVICE_ACCOUNT_CREDENTIAL: [
    'service.service-account-secret',
    'letsencrypt/account',
    { secret: 'service-account' },
  ],
  ADMIN_TOKEN: ['service.admin-token-secret', 'letsencrypt/admin', { secret: 'admin-token' }],
  LOG_LEVEL: ['service.log-level', 'debug'],
  PAUSE: ['service.pause', true],
};

/** Those that are no option, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  MARATHON_APP_ID: 'Marathon sets it',
  MESOS_TASK_ID: 'Mesos sets it',
  DOMAINS: 'certificate.domains is the label, and with catch-all this one: see the test of that',
  HTTP_PORT: 'inside the container, and the port mapping fits it',
  ADMIN_PORT: 'inside the container, and the port mapping fits it',
  LISTEN_ADDRESS: 'inside the container',
  STATE_DIR: 'inside the container, and the volume fits it',
  RUN_AS: 'the image sets it',
  MARATHON_USER: "DC/OS's Marathon has no basic authentication",
  MARATHON_PASSWORD: "DC/OS's Marathon has no basic authentication",
  MARATHON_TOKEN: "a login's token ends after days on DC/OS; a service account does not",
};

/** The options besides, each with a value and where it lands. */
const OTHER_OPTIONS: readonly (readonly [
  option: string,
  value: unknown,
  path: readonly (string | number)[],
  lands?: unknown,
])[] = [
  ['service.name', '/edge/letsencrypt-dcos', ['id']],
  ['service.cpus', 0.1, ['cpus']],
  ['service.mem', 256, ['mem']],
  ['service.volume-size', 50, ['container', 'volumes', 0, 'persistent', 'size']],
  ['certificate.domains', 'www.example.org', ['labels', 'HAPROXY_0_VHOST']],
  [
    'certificate.ca-uri',
    'https://files.example/ca.pem',
    ['fetch'],
    [{ uri: 'https://files.example/ca.pem', extract: false }],
  ],
  ['marathon-lb.group', 'internal', ['labels', 'HAPROXY_GROUP']],
  ['marathon-lb.service-port', 10_010, ['container', 'portMappings', 0, 'servicePort']],
];

function app(given: Options): Definition {
  return rendered({ ...DOMAINS, ...given }) as Definition;
}

/** As Marathon of DC/OS 1.13 would have it; throws what it would answer. */
function canonical(definition: Definition) {
  const traits = traitsOf('1.9');
  const taken = complete(readUpdate(definition, traits), definition.id, traits);
  validate(taken, { traits, secretsEnabled: true, old: undefined });
  return taken;
}

/** With every setting's default left out, for it means the same. */
function meaning(definition: Definition) {
  const { env, ...rest } = canonical(definition);
  const usual = new Map(SETTINGS.map(({ name, default: value }) => [name, value]));
  return { ...rest, env: Object.fromEntries(Object.entries(env).filter(([name, value]) => usual.get(name) !== value)) };
}

function at(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((within, key) => (within as Record<string | number, unknown> | undefined)?.[key], value);
}

test('with nothing but the names given, it is the definition that we ship', async () => {
  assert.deepEqual(meaning(app({})), meaning(await shipped('letsencrypt-dcos')));
});

test('with catch-all, it is the other definition that we ship', async () => {
  const catchAll = await shipped('letsencrypt-dcos-catch-all');
  assert.deepEqual(meaning(app({ 'marathon-lb.catch-all': true })), meaning(catchAll));
});

test('each setting is an option, or is left out for a reason', () => {
  const known = [...Object.keys(SETTING_OPTIONS), ...Object.keys(LEFT_OUT)];
  assert.deepEqual(known.toSorted(), SETTINGS.map(({ name }) => name).toSorted());
});

test('each option is in one of the tables here', () => {
  const known = [...Object.values(SETTING_OPTIONS), ...OTHER_OPTIONS].map(([option]) => option);
  assert.deepEqual([...known, 'marathon-lb.catch-all'].toSorted(), [...OPTIONS.keys()].toSorted());
});

for (const [name, [option, value, asEnv = String(value)]] of Object.entries(SETTING_OPTIONS)) {
  test(`the option ${option} is ${name}, and nothing else changes in the environment`, () => {
    const { [name]: given, ...others } = app({ [option]: value }).env;
    const { [name]: usual, ...before } = app({}).env;
    assert.deepEqual(given, asEnv);
    assert.notDeepEqual(usual, asEnv);
    assert.deepEqual(others, before);
    if (typeof asEnv === 'string') parseConfig({ [name]: asEnv });
  });
}

for (const [option, value, path, lands = value] of OTHER_OPTIONS) {
  test(`the option ${option} lands in ${path.join('.')}`, () => {
    assert.deepEqual(at(app({ [option]: value }), path), lands);
    assert.notDeepEqual(at(app({}), path), lands);
  });
}

test('the default of each option is what the program would do without it', () => {
  const own = new Map(SETTINGS.map(({ name, default: text }) => [name, text]));
  for (const [name, [option]] of Object.entries(SETTING_OPTIONS)) {
    const { default: value } = OPTIONS.get(option) as Schema;
    if (value === '') assert.equal(app({}).env[name] ?? '', '', `${option} is not said`);
    else assert.equal(app({}).env[name], own.get(name), option);
  }
});

test('any number of secrets is one JSON, and each is declared where it is used', () => {
  const secrets = ['service.service-account-secret', 'service.admin-token-secret', 'alerts.webhook-url-secret'];
  for (let chosen = 0; chosen < 8; chosen++) {
    const given = secrets.filter((_, bit) => chosen & (1 << bit));
    const { env, secrets: declared } = canonical(
      app(Object.fromEntries(given.map((option) => [option, `of/${option}`]))),
    );
    const used = Object.values(env).flatMap((value) => (typeof value === 'string' ? [] : [value.secret]));
    assert.deepEqual(used.toSorted(), Object.keys(declared).toSorted());
    assert.deepEqual(
      Object.values(declared)
        .map(({ source }) => source)
        .toSorted(),
      given.map((option) => `of/${option}`).toSorted(),
    );
  }
});

test('quotes, line breaks, commas, braces and other scripts in an option stay one value', () => {
  const typed = 'a"b\\c\nd\te,f{{certificate.email}}</script>&amp;é漢\u2028';
  const free = [...OPTIONS].filter(([, { type, enum: choices, pattern }]) => type === 'string' && !choices && !pattern);
  assert.ok(free.length > 15);
  for (const [option] of free) {
    const found = JSON.stringify(app({ [option]: typed })).split(JSON.stringify(typed).slice(1, -1)).length - 1;
    assert.equal(found, 1, option);
  }
});

test('what is no name, no choice or no number is refused before anything is rendered', () => {
  for (const given of [
    { 'certificate.domains': '' },
    { 'certificate.domains': undefined },
    { 'service.name': '/Upper' },
    { 'certificate.key-type': 'dsa' },
    { 'marathon-lb.http-port': 'eighty' },
    { 'marathon-lb.http-port': 70_000 },
    { 'service.mem': 64 },
  ]) {
    assert.throws(() => app(given), /schemaPath/, JSON.stringify(given));
  }
});

test("config.json is a JSON schema, in words that draft 4 has: it is what DC/OS's form is made from", () => {
  assert.equal(new Ajv({ strict: false }).validateSchema(draftless(config)), true);
  const words = [
    'type',
    'description',
    'default',
    'enum',
    'pattern',
    'minLength',
    'minimum',
    'maximum',
    'properties',
    'required',
  ];
  const check = (schema: Schema, path: string): void => {
    if (path !== '') assert.ok(schema.description, `${path} has a description`);
    const strange = Object.keys(schema).filter((word) => !words.includes(word) && word !== '$schema');
    assert.deepEqual(strange, [], path);
    for (const [name, inner] of Object.entries(schema.properties ?? {})) check(inner, `${path}/${name}`);
  };
  check(config, '');
});

test('package.json and resource.json are of packaging version 4.0, and of this release', () => {
  const description = packageJson('package.json') as Record<string, unknown>;
  const ours = JSON.parse(readFileSync(join(FOLDER, '..', 'package.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual(
    [description.packagingVersion, description.name, description.version],
    ['4.0', ours.name, ours.version],
  );
  assert.match(String(description.name), /^[a-z][a-z0-9-]*[a-z0-9]$/);
  assert.match(String(description.version), /^[-a-zA-Z0-9.]+$/);
  for (const field of ['maintainer', 'description', 'postUninstallNotes'])
    assert.equal(typeof description[field], 'string');
  for (const tag of description.tags as string[]) assert.match(tag, /^\S+$/);
  for (const license of description.licenses as object[]) assert.deepEqual(Object.keys(license), ['name', 'url']);
  assert.deepEqual(Object.keys(packageJson('resource.json') as object), ['assets']);
});
