/** Settings: what a value becomes, and what an operator reads when it is mistaken. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Config,
  ConfigError,
  type Environment,
  effectiveSettings,
  parseConfig,
  SETTINGS,
} from '../../src/config.ts';

function problemsOf(env: Environment): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
}

test('with nothing set, the defaults of a real cluster stand', () => {
  const config = parseConfig({});
  assert.deepEqual(config.marathon.urls, ['http://marathon.mesos:8080']);
  assert.equal(config.appId, '/letsencrypt-dcos');
  assert.equal(config.taskId, undefined);
  assert.deepEqual(config.loadBalancer, {
    id: '/marathon-lb',
    certEnv: 'HAPROXY_SSL_CERT',
    httpPort: 80,
    httpsPort: 443,
    servedCheck: undefined,
  });
  assert.equal(config.acme.directoryUrl, 'https://acme-v02.api.letsencrypt.org/directory');
  assert.equal(config.acme.keyType, 'rsa4096');
  assert.deepEqual(config.acme.proxyEnv, {});
  assert.deepEqual([config.httpPort, config.adminPort, config.listenAddress], [80, 9000, '0.0.0.0']);
  assert.equal(config.stateDir, '/etc/letsencrypt');
  assert.deepEqual([config.takeOver, config.pause, config.logLevel], [false, false, 'info']);
  assert.deepEqual([config.marathon.timeoutMs, config.acme.timeoutMs], [10_000, 30_000]);
  assert.deepEqual([config.deploymentTimeoutMs, config.probeTimeoutMs], [600_000, 5_000]);
  assert.deepEqual(config.warnings, []);
});

test("the first program's definition works as it is", () => {
  const config = parseConfig({
    MARATHON_APP_ID: '/letsencrypt-dcos',
    MARATHON_URL: 'http://master.mesos:8080',
    MARATHON_LB_ID: 'marathon-lb',
    LETSENCRYPT_EMAIL: 'brenden@mesosphere.com',
    MARATHON_APP_LABELS: 'HAPROXY_0_VHOST HAPROXY_GROUP',
  });
  assert.deepEqual(config.marathon.urls, ['http://master.mesos:8080']);
  assert.equal(config.loadBalancer.id, '/marathon-lb');
  assert.equal(config.acme.email, 'brenden@mesosphere.com');
});

const accepted: { name: string; env: Environment; read: (config: Config) => unknown; value: unknown }[] = [
  {
    name: 'several Marathons, with blanks, a path and a final slash',
    env: { MARATHON_URL: ' http://a:8080/ , https://dcos.example/service/marathon/,' },
    read: ({ marathon }) => marathon.urls,
    value: ['http://a:8080', 'https://dcos.example/service/marathon'],
  },
  {
    name: 'the user in the URL logs in, and does not stay in the URL',
    env: { MARATHON_URL: 'http://me:p%40ss%3A1@a:8080,http://b:8080' },
    read: ({ marathon }) => [marathon.urls, marathon.user, marathon.password],
    value: [['http://a:8080', 'http://b:8080'], 'me', 'p@ss:1'],
  },
  {
    name: 'user and password by themselves',
    env: { MARATHON_USER: 'me', MARATHON_PASSWORD: 'secret' },
    read: ({ marathon }) => [marathon.user, marathon.password, marathon.token],
    value: ['me', 'secret', undefined],
  },
  { name: 'a user to become', env: { RUN_AS: '1000' }, read: ({ runAs }) => runAs, value: { uid: 1000, gid: 1000 } },
  { name: 'and a group', env: { RUN_AS: '1000:65534' }, read: ({ runAs }) => runAs, value: { uid: 1000, gid: 65534 } },
  {
    name: 'a token for the status page',
    env: { ADMIN_TOKEN: 'correct-horse-battery' },
    read: ({ adminToken }) => adminToken,
    value: 'correct-horse-battery',
  },
  {
    name: 'without a token there is nothing to press',
    env: {},
    read: ({ adminToken }) => adminToken,
    value: undefined,
  },
  { name: 'a token', env: { MARATHON_TOKEN: 't' }, read: ({ marathon }) => marathon.token, value: 't' },
  {
    name: 'an app in a folder, without its first slash',
    env: { MARATHON_LB_ID: 'edge/marathon-lb.public' },
    read: ({ loadBalancer }) => loadBalancer.id,
    value: '/edge/marathon-lb.public',
  },
  {
    name: 'the old name of the directory variable',
    env: { LETSENCRYPT_URL: 'https://acme.example/dir' },
    read: ({ acme }) => acme.directoryUrl,
    value: 'https://acme.example/dir',
  },
  {
    name: 'the new name of the directory variable goes first',
    env: { LETSENCRYPT_URL: 'https://old.example/dir', LETSENCRYPT_SERVER_URL: 'https://new.example/dir' },
    read: ({ acme }) => acme.directoryUrl,
    value: 'https://new.example/dir',
  },
  {
    name: 'an empty variable is one that is not set',
    env: { MARATHON_URL: '', HTTP_PORT: ' ', SERVED_CHECK: '' },
    read: ({ marathon, httpPort }) => [marathon.urls.length, httpPort],
    value: [1, 80],
  },
  {
    name: 'a public address to look at',
    env: { SERVED_CHECK: 'www.example.com:8443' },
    read: ({ loadBalancer }) => loadBalancer.servedCheck,
    value: { host: 'www.example.com', port: 8443 },
  },
  {
    name: 'a public address of IPv6',
    env: { SERVED_CHECK: '[2001:db8::1]:443' },
    read: ({ loadBalancer }) => loadBalancer.servedCheck,
    value: { host: '2001:db8::1', port: 443 },
  },
  { name: 'capitals in a word', env: { KEY_TYPE: 'EC256' }, read: ({ acme }) => acme.keyType, value: 'ec256' },
  {
    name: 'an install window with its time zone',
    env: { INSTALL_WINDOW: ' Sat, Sun 1:00-6:00 Europe/Berlin ' },
    read: ({ installWindow }) => [installWindow?.text, installWindow?.zone, installWindow?.hours],
    value: ['Sat, Sun 1:00-6:00 Europe/Berlin', 'Europe/Berlin', [{ days: [6, 0], from: 60, until: 360 }]],
  },
  {
    name: 'without one, at any time',
    env: { INSTALL_WINDOW: ' ' },
    read: ({ installWindow }) => installWindow,
    value: undefined,
  },
  { name: 'capitals in true', env: { PAUSE: 'True' }, read: ({ pause }) => pause, value: true },
  {
    name: 'a part of a second',
    env: { PROBE_TIMEOUT: '0.25' },
    read: ({ probeTimeoutMs }) => probeTimeoutMs,
    value: 250,
  },
  {
    name: 'no word on the preflight',
    env: {},
    read: ({ preflight }) => preflight,
    value: { mode: 'auto', resolvers: undefined },
  },
  {
    name: 'DNS servers with and without a port',
    env: { PREFLIGHT: 'Strict', PREFLIGHT_RESOLVERS: '1.1.1.1, 10.0.0.1:5353,::1 ,[::1]:53,[::1]' },
    read: ({ preflight }) => preflight,
    value: { mode: 'strict', resolvers: ['1.1.1.1', '10.0.0.1:5353', '::1', '[::1]:53', '[::1]'] },
  },
  { name: 'no webhook', env: { WEBHOOK_FORMAT: 'slack' }, read: ({ webhook }) => webhook, value: undefined },
  ...[
    ['https://hooks.slack.com/services/T/B/x', 'slack'],
    ['https://discord.com/api/webhooks/1/x/slack', 'slack'],
    ['https://hooks.slack.com.evil.net/x', 'json'],
    ['https://alerts.example/hook?x=1', 'json'],
  ].map(([url = '', format]) => ({
    name: `the webhook ${url}, told as ${format}`,
    env: { WEBHOOK_URL: url },
    read: ({ webhook }: Config) => webhook,
    value: { url, format },
  })),
  {
    name: 'a form that the address does not tell',
    env: { WEBHOOK_URL: 'https://mattermost.example/hooks/x', WEBHOOK_FORMAT: 'Slack' },
    read: ({ webhook }) => webhook?.format,
    value: 'slack',
  },
  {
    name: 'the proxy in small letters',
    env: { https_proxy: 'http://proxy:3128', no_proxy: '.mesos' },
    read: ({ acme }) => acme.proxyEnv,
    value: { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '.mesos' },
  },
  {
    name: 'the proxy in capitals goes before',
    env: { HTTPS_PROXY: 'proxy-1:3128', https_proxy: 'http://proxy-2:3128' },
    read: ({ acme }) => acme.proxyEnv,
    value: { HTTPS_PROXY: 'http://proxy-1:3128' },
  },
  ...['17 3 * * *', '*/5 * * * *', '0 0,12 1-15/2 jan,6 mon-fri', '0 0 * * 7'].map((expression) => ({
    name: `the schedule ${expression}`,
    env: { CHECK_SCHEDULE: expression },
    read: ({ checkSchedule }: Config) => checkSchedule,
    value: expression,
  })),
];
for (const { name, env, read, value } of accepted)
  test(`accepted: ${name}`, () => assert.deepEqual(read(parseConfig(env)), value));

const refused: { env: Environment; problem: RegExp }[] = [
  { env: { HTTP_PORT: '80a' }, problem: /^HTTP_PORT must be a port from 1 to 65535, not '80a'$/ },
  { env: { HTTP_PORT: '0' }, problem: /^HTTP_PORT must be a port/ },
  { env: { ADMIN_PORT: '65536' }, problem: /^ADMIN_PORT must be a port/ },
  { env: { MARATHON_LB_HTTPS_PORT: '-1' }, problem: /^MARATHON_LB_HTTPS_PORT must be a port/ },
  { env: { HTTP_PORT: '9000' }, problem: /^HTTP_PORT and ADMIN_PORT are both 9000; give each/ },
  ...['dns.example', '1.1.1', '1.1.1.1:0', '1.1.1.1,', '[1.1.1.1]:53', '1.1.1.1:53:53', '::1]:53'].map((text) => ({
    env: { PREFLIGHT_RESOLVERS: text },
    problem: /^PREFLIGHT_RESOLVERS must be addresses of DNS servers such as/,
  })),
  { env: { WEBHOOK_URL: 'hooks.slack.com/services/x' }, problem: /^WEBHOOK_URL must be a URL that begins with https/ },
  { env: { WEBHOOK_FORMAT: 'teams' }, problem: /^WEBHOOK_FORMAT must be one of auto, json, slack, not 'teams'$/ },
  { env: { PREFLIGHT: 'on' }, problem: /^PREFLIGHT must be one of auto, strict, off, not 'on'$/ },
  { env: { MARATHON_URL: 'marathon.mesos:8080' }, problem: /^MARATHON_URL must be a URL that begins with http/ },
  { env: { MARATHON_URL: 'zk://a:2181/marathon' }, problem: /^MARATHON_URL must be a URL/ },
  { env: { MARATHON_URL: ',' }, problem: /^MARATHON_URL must name at least one URL, such as / },
  { env: { MARATHON_URL: 'http://a:1@h,http://b:2@i' }, problem: /^MARATHON_URL must carry the same user/ },
  { env: { MARATHON_URL: 'http://a/?x=1' }, problem: /^MARATHON_URL must not carry/ },
  { env: { MARATHON_LB_ID: '/Marathon LB' }, problem: /^MARATHON_LB_ID must be the id of a Marathon app/ },
  { env: { MARATHON_LB_ID: '/a/restart' }, problem: /^MARATHON_LB_ID must be the id/ },
  { env: { MARATHON_LB_ID: 'letsencrypt-dcos' }, problem: /^MARATHON_LB_ID is '\/letsencrypt-dcos', our own app/ },
  {
    env: { MARATHON_LB_CERT_ENV: 'A B' },
    problem: /^MARATHON_LB_CERT_ENV must be the name of an environment variable/,
  },
  { env: { LETSENCRYPT_SERVER_URL: 'acme.example' }, problem: /^LETSENCRYPT_SERVER_URL must be a URL/ },
  { env: { LETSENCRYPT_URL: 'acme.example' }, problem: /^LETSENCRYPT_URL must be a URL/ },
  { env: { LETSENCRYPT_URL: 'https://acme-v01.ca.example/directory' }, problem: /^LETSENCRYPT_URL .*ACME v1/ },
  { env: { KEY_TYPE: 'rsa1024' }, problem: /^KEY_TYPE must be one of rsa4096, rsa3072, .*, not 'rsa1024'$/ },
  { env: { LOG_LEVEL: 'loud' }, problem: /^LOG_LEVEL must be one of trace, debug/ },
  { env: { TAKE_OVER: 'yes' }, problem: /^TAKE_OVER must be 'true' or 'false', not 'yes'$/ },
  { env: { PAUSE: '1' }, problem: /^PAUSE must be 'true' or 'false'/ },
  { env: { INSTALL_WINDOW: '2-5' }, problem: /^INSTALL_WINDOW has '2-5' where hours from 00:00 to 24:00 stand, such/ },
  {
    env: { INSTALL_WINDOW: '02:00-05:00 CET' },
    problem: /^INSTALL_WINDOW names the time zone 'CET', .* write UTC, or/,
  },
  { env: { SERVED_CHECK: 'www.example.com' }, problem: /^SERVED_CHECK must be host:port/ },
  { env: { SERVED_CHECK: 'www.example.com:0' }, problem: /^SERVED_CHECK must be a port/ },
  { env: { LISTEN_ADDRESS: 'everywhere' }, problem: /^LISTEN_ADDRESS must be an IP address/ },
  { env: { ADMIN_TOKEN: 'short' }, problem: /^ADMIN_TOKEN must have 16 to 256 characters(?!.*short)/ },
  { env: { ADMIN_TOKEN: 'correct horse battery staple' }, problem: /^ADMIN_TOKEN must have .*no space(?!.*horse)/ },
  { env: { RUN_AS: 'root' }, problem: /^RUN_AS must be the numbers of a user and a group/ },
  { env: { RUN_AS: '0:0' }, problem: /^RUN_AS must be the numbers/ },
  { env: { ACME_TIMEOUT: '0' }, problem: /^ACME_TIMEOUT must be a number of seconds/ },
  { env: { MARATHON_TIMEOUT: '10s' }, problem: /^MARATHON_TIMEOUT must be a number of seconds.*not '10s'$/ },
  { env: { DEPLOYMENT_TIMEOUT: '1e9' }, problem: /^DEPLOYMENT_TIMEOUT must be/ },
  { env: { HTTPS_PROXY: 'socks5://proxy' }, problem: /^HTTPS_PROXY must be a URL/ },
  { env: { DCOS_SERVICE_ACCOUNT_CREDENTIAL: '{"uid":' }, problem: /^DCOS_SERVICE_ACCOUNT_CREDENTIAL / },
  { env: { MARATHON_USER: 'me' }, problem: /^MARATHON_PASSWORD is not set/ },
  { env: { MARATHON_PASSWORD: 'x' }, problem: /^MARATHON_USER is not set/ },
  {
    env: { MARATHON_USER: 'me', MARATHON_PASSWORD: 'x', MARATHON_TOKEN: 't' },
    problem: /2 ways to log in \(MARATHON_USER with MARATHON_PASSWORD, MARATHON_TOKEN\); keep one/,
  },
  {
    env: { MARATHON_URL: 'http://me:x@a', MARATHON_TOKEN: 't' },
    problem: /2 ways to log in \(a user in MARATHON_URL, /,
  },
  { env: { CHECK_SCHEDULE: 'daily' }, problem: /^CHECK_SCHEDULE must be a cron expression of five fields/ },
  { env: { CHECK_SCHEDULE: '0 0 3 * * *' }, problem: /^CHECK_SCHEDULE must be a cron expression of five fields/ },
  { env: { CHECK_SCHEDULE: '60 * * * *' }, problem: /^CHECK_SCHEDULE has '60' as its minute/ },
  { env: { CHECK_SCHEDULE: '0 5-3 * * *' }, problem: /^CHECK_SCHEDULE has '5-3' as its hour/ },
  { env: { CHECK_SCHEDULE: '0 0 0 * *' }, problem: /as its day of the month/ },
  { env: { CHECK_SCHEDULE: '0 0 * foo *' }, problem: /^CHECK_SCHEDULE has 'foo' as its month/ },
  { env: { CHECK_SCHEDULE: '0 0 * * 1,' }, problem: /as its day of the week/ },
  { env: { CHECK_SCHEDULE: '*/0 * * * *' }, problem: /as its minute/ },
];
for (const { env, problem } of refused)
  test(`refused: ${Object.entries(env).map(([name, value]) => `${name}=${value}`)}`, () => {
    const problems = problemsOf(env);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', problem);
  });

test('all mistakes are told at once', () => {
  const problems = problemsOf({ HTTP_PORT: 'x', MARATHON_URL: 'x', KEY_TYPE: 'x', PAUSE: 'x' });
  assert.deepEqual(problems.map((problem) => problem.split(' ')[0]).sort(), [
    'HTTP_PORT',
    'KEY_TYPE',
    'MARATHON_URL',
    'PAUSE',
  ]);
});

test('an e-mail address that is none is a warning, and the account is made without one', () => {
  const config = parseConfig({ LETSENCRYPT_EMAIL: 'me at example.com' });
  assert.equal(config.acme.email, undefined);
  assert.match(
    config.warnings[0] ?? '',
    /^LETSENCRYPT_EMAIL must be one e-mail address such as 'ops@example.com', not 'me at example.com'/,
  );
});

test("Let's Encrypt's ACME v1 address becomes that of v2, with a warning", () => {
  const config = parseConfig({ LETSENCRYPT_URL: 'https://acme-v01.api.letsencrypt.org/directory' });
  assert.equal(config.acme.directoryUrl, 'https://acme-v02.api.letsencrypt.org/directory');
  assert.equal(config.warnings.length, 1);
});

test('a variable that marathon-lb does not read is a warning', () => {
  assert.match(parseConfig({ MARATHON_LB_CERT_ENV: 'MY_CERT' }).warnings[0] ?? '', /marathon-lb as it comes reads/);
  assert.deepEqual(parseConfig({ MARATHON_LB_CERT_ENV: 'HAPROXY_SSL_CERT28' }).warnings, []);
});

test('a webhook in the open is a warning, which does not show it', () => {
  const { warnings } = parseConfig({ WEBHOOK_URL: 'http://alerts.internal/hunter2' });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^WEBHOOK_URL is not https/);
  assert.doesNotMatch(warnings[0] ?? '', /hunter2/);
});

test('no mistake quotes a secret', () => {
  const secrets = ['hunter2', 'PRIVATE KEY'];
  const problems = problemsOf({
    MARATHON_URL: 'http//me:hunter2@marathon:8080',
    HTTPS_PROXY: 'ftp://me:hunter2@proxy',
    MARATHON_TOKEN: 'hunter2',
    MARATHON_PASSWORD: 'hunter2',
    WEBHOOK_URL: 'ftp://hunter2',
    DCOS_SERVICE_ACCOUNT_CREDENTIAL: '{"private_key":"-----BEGIN PRIVATE KEY-----hunter2","uid":"x"',
  }).join('\n');
  for (const secret of secrets) assert.ok(!problems.includes(secret), problems);
});

test('the effective settings show every setting, and no secret', () => {
  const shown = effectiveSettings({
    MARATHON_URL: 'http://me:hunter2@a:8080,http://me:hunt@hunter2@b:8080/x',
    MARATHON_PASSWORD: 'hunter2',
    MARATHON_TOKEN: 'hunter2',
    DCOS_SERVICE_ACCOUNT_CREDENTIAL: '{"private_key":"hunter2"}',
    WEBHOOK_URL: 'https://hooks.slack.com/services/hunter2',
    https_proxy: 'me:hunter2@proxy:3128',
    LETSENCRYPT_EMAIL: 'me@example.com',
  });
  assert.deepEqual(
    Object.keys(shown),
    SETTINGS.map(({ name }) => name),
  );
  assert.ok(!JSON.stringify(shown).includes('hunter2'), JSON.stringify(shown));
  assert.equal(shown.MARATHON_URL, 'http://***@a:8080,http://***@b:8080/x');
  assert.equal(shown.HTTPS_PROXY, '***@proxy:3128');
  assert.equal(shown.MARATHON_TOKEN, '***');
  assert.equal(shown.LETSENCRYPT_EMAIL, 'me@example.com');
  assert.equal(shown.HTTP_PORT, '80');
  assert.equal(shown.DOMAINS, '');
});
