/**
 * Any environment: settings that the program can start with, or every mistake told at once, by its variable, without a
 * secret.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ConfigError, effectiveSettings, parseConfig, SETTINGS } from '../../src/config.ts';
import { TABLE } from '../../src/settings/table.ts';
import { anyText, assertPrintable, holds } from './holds.ts';

const SECRET = 'hunter2hunter2';
const LONGEST_PROBLEM = 500;

const names = Object.values(TABLE).flatMap((setting) => [
  setting.name,
  ...('aliases' in setting ? setting.aliases : []),
]);
const values = [
  ...[
    'true',
    'FALSE',
    'yes',
    '0',
    '80',
    '443',
    '65536',
    '-1',
    '1e3',
    '0.0001',
    '86401',
    '٣',
    '/',
    '//',
    '/a/b',
    'a//b',
  ],
  ...['*/5 * * * *', '0 0 30 2 *', '1-99 * * * *', 'jan * * * *', '1000:1000', '0:0', 'ec256', 'EC256', 'info'],
  ...[
    'http://marathon.mesos:8080',
    'https://ca.test/directory',
    'http://',
    'ftp://x',
    'a@b.net',
    'host:443',
    '[::1]:80',
  ],
  ...[
    'https://acme-v01.api.letsencrypt.org/directory',
    'https://ca.test/acme-v1/x',
    'http://a,http://b?x',
    'HAPROXY_SSL_CERT7',
  ],
  ...['/letsencrypt-dcos', '/marathon-lb', '{"uid":"x"}', '"{}"', '0.0.0.0', '::', '::ffff:1.2.3.4'],
];
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...values) },
  { weight: 1, arbitrary: anyText('/', 'a', '1', '.', ':', ',', '@', '%', '*', '-', 'http://') },
);
const environment = fc.dictionary(fc.constantFrom(...names, 'PATH', '__proto__'), value, { maxKeys: 12 });

/** Where people do put secrets: variables for them, and URLs with a password. */
const secretly = fc.constantFrom<readonly [string, string]>(
  ['MARATHON_PASSWORD', SECRET],
  ['MARATHON_TOKEN', SECRET],
  ['WEBHOOK_URL', `https://hooks.slack.com/services/${SECRET}`],
  ['WEBHOOK_URL', `hooks.slack.com/services/${SECRET}`],
  ['MARATHON_URL', `http://user:${SECRET}@marathon:8080`],
  ['MARATHON_URL', `http://user:${SECRET}@marathon:8080?x`],
  ['MARATHON_URL', `http://user:p@${SECRET}@marathon:99999999`],
  ['MARATHON_URL', `user:${SECRET}@marathon`],
  ['MARATHON_URL', `http://a:b@m,http://user:${SECRET}@n`],
  ['HTTPS_PROXY', `http://user:${SECRET}@proxy:3128`],
  ['HTTPS_PROXY', `user:${SECRET}@proxy:port`],
  ['LETSENCRYPT_SERVER_URL', `https://user:${SECRET}@ca.test/directory`],
  ['LETSENCRYPT_SERVER_URL', `https://user:${SECRET}@acme-v01.api.letsencrypt.org/directory`],
  ['LETSENCRYPT_SERVER_URL', `https://user:${SECRET}@ca.test/acme-v1`],
  ['LETSENCRYPT_URL', `//user:${SECRET}@ca.test/acme-v1`],
  ['DCOS_SERVICE_ACCOUNT_CREDENTIAL', `{"uid":"x","private_key":"${SECRET}","login_endpoint":"http://x"}`],
  ['DCOS_SERVICE_ACCOUNT_CREDENTIAL', `{"uid":"x","private_key":"${SECRET}`],
  [
    'DCOS_SERVICE_ACCOUNT_CREDENTIAL',
    `{"uid":"x","login_endpoint":"http://x","scheme":"-----BEGIN RSA PRIVATE KEY-----${SECRET}"}`,
  ],
);

holds(
  'an environment is taken, or each mistake is told with the name of its variable, and never a secret',
  fc.tuple(environment, fc.option(secretly, { nil: undefined })),
  ([drawn, secret]) => {
    const env = secret === undefined ? drawn : { ...drawn, [secret[0]]: secret[1] };
    assert.ok(!JSON.stringify(effectiveSettings(env)).includes(SECRET), 'the settings as shown');
    try {
      const { warnings } = parseConfig(env);
      for (const warning of warnings) assertClean(warning);
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${error}`);
      assert.ok(error.problems.length > 0);
      for (const problem of error.problems) assertSentence(problem);
      assert.equal(error.message.split('\n').length, error.problems.length, 'one line each');
    }
  },
  600,
);

function assertClean(sentence: string): void {
  assertPrintable(sentence, LONGEST_PROBLEM);
  assert.ok(!sentence.includes(SECRET), sentence);
}

function assertSentence(sentence: string): void {
  assertClean(sentence);
  assert.ok(/^MARATHON_… /.test(sentence) || names.some((name) => sentence.includes(name)), sentence);
}

holds(
  'a mistake in one variable never hides one in another',
  fc.uniqueArray(
    fc.constantFrom('HTTP_PORT', 'ADMIN_PORT', 'KEY_TYPE', 'PAUSE', 'MARATHON_URL', 'RUN_AS', 'ACME_TIMEOUT'),
    {
      minLength: 1,
    },
  ),
  (wrong) => {
    const env = Object.fromEntries(wrong.map((name) => [name, 'no!']));
    assert.throws(
      () => parseConfig(env),
      (error: unknown) =>
        error instanceof ConfigError &&
        wrong.every((name) => error.problems.some((problem) => problem.startsWith(`${name} `))) &&
        error.problems.length === wrong.length,
    );
  },
  50,
);

holds(
  'what is set and right is what is shown, unless it is secret',
  fc.record({ HTTP_PORT: fc.integer({ min: 1, max: 65_535 }), DOMAINS: fc.stringMatching(/^[a-z]{1,9}\.net$/) }),
  ({ HTTP_PORT, DOMAINS }) => {
    const env = { HTTP_PORT: String(HTTP_PORT), DOMAINS, MARATHON_TOKEN: SECRET };
    const shown = effectiveSettings(env);
    assert.deepEqual(
      Object.keys(shown),
      SETTINGS.map(({ name }) => name),
    );
    assert.deepEqual([shown.HTTP_PORT, shown.DOMAINS, shown.MARATHON_TOKEN], [String(HTTP_PORT), DOMAINS, '***']);
  },
  50,
);
