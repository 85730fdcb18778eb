/**
 * Whatever holds a secret, and every error: inspected, made JSON, and logged. What is plain data by nature (an app with
 * its env, an account, the settings) is never printed but through the log, which masks it.
 */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Challenges } from '../../src/acme/challenges.ts';
import { AcmeError } from '../../src/acme/problem.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { BundleError, CertificateBundle } from '../../src/certificates/bundle.ts';
import { ConfigError, effectiveSettings, parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { readApp } from '../../src/marathon/app.ts';
import { MarathonClient } from '../../src/marathon/client.ts';
import { MarathonError } from '../../src/marathon/error.ts';
import { describeError } from '../../src/mask.ts';
import { NewerFormat, readAccount, readOrder } from '../../src/state-files.ts';
import { Store } from '../../src/store.ts';
import { issue, newKey } from '../support/certificates.ts';
import { keysIn, leaksIn, secretsOf } from '../support/sweep.ts';

const issued = issue({ domains: ['a.example'] });
const rsaPem = newKey('rsa2048').export({ type: 'pkcs8', format: 'pem' }).toString();
const accountPem = newKey('ec256').export({ type: 'pkcs8', format: 'pem' }).toString();
const account = { directory: 'https://acme.example/dir', url: 'https://acme.example/acct/1', keyPem: accountPem };
const order = { ...account, url: 'https://acme.example/order/1', domains: ['a.example'], keyPem: issued.keyPem };
const env = {
  MARATHON_URL: 'http://me:hunter2-hunter2@marathon.mesos:8080',
  MARATHON_TOKEN: 'eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiJ4In0.open-sesame',
  MARATHON_PASSWORD: 'open-sesame-open',
  HTTPS_PROXY: 'http://you:swordfish-swordfish@proxy:3128',
  DCOS_SERVICE_ACCOUNT_CREDENTIAL: JSON.stringify({
    ...{ uid: 'keeper', login_endpoint: 'https://leader.mesos/acs/api/v1/auth/login', scheme: 'RS256' },
    private_key: rsaPem,
  }),
};
const secrets = new Map([...secretsOf(env), ...keysIn(issued.pem), ...keysIn(accountPem)]);
const json = JSON.stringify;

function printedForms(value: unknown): readonly string[] {
  const logged: string[] = [];
  const log = createLog({ level: 'trace', write: (line) => logged.push(line) });
  log.error({ err: value }, 'as an error');
  log.info({ value, nested: { deep: [value] }, text: String(value) }, 'as a fact');
  return [
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    inspect(value),
    String(value),
    `${json(value)}`,
    ...(value instanceof Error ? [value.stack ?? '', describeError(value)] : []),
    ...logged,
  ];
}

function assertSilent(value: unknown): void {
  for (const text of printedForms(value)) assert.deepEqual(leaksIn([{ from: text.slice(0, 60), text }], secrets), []);
}

/** Answers everything with a refusal that repeats what it was sent. */
async function parrot(t: TestContext): Promise<string> {
  const server = createServer(async (request, response) => {
    const heard: string[] = [json(request.headers)];
    for await (const chunk of request) heard.push(String(chunk));
    response.writeHead(422, { 'content-type': 'application/json' });
    response.end(json({ message: 'Object is not valid', details: [{ path: '/env', errors: heard }] }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const thrownBy = async (work: () => unknown): Promise<Error> => {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it should have thrown');
};

const holders: readonly { name: string; make: () => unknown }[] = [
  { name: 'a bundle', make: () => CertificateBundle.parse(issued.pem) },
  { name: 'a client of Marathon with a token', make: () => client({ kind: 'token', token: env.MARATHON_TOKEN }) },
  {
    name: 'a client of Marathon with a password',
    make: () => client({ kind: 'basic', user: 'me', password: env.MARATHON_PASSWORD }),
  },
  { name: 'a client of Marathon with a service account', make: () => client(serviceAccount()) },
  { name: 'a CA', make: () => authority('https://acme.example/dir') },
  {
    name: 'a session with an account',
    make: () => authority('https://acme.example/dir').connect(account, AbortSignal.timeout(1_000)),
  },
  { name: 'challenges', make: () => new Challenges() },
  { name: 'a store', make: () => new Store('/nowhere') },
  { name: 'the effective settings', make: () => effectiveSettings(env) },
];

for (const { name, make } of holders) {
  test(`${name} may be inspected, made JSON and logged`, async () => assertSilent(await make()));
}

function client(auth: ConstructorParameters<typeof MarathonClient>[0]['auth'], host = 'marathon.mesos:8080') {
  return new MarathonClient({ urls: [`http://me:hunter2-hunter2@${host}`], auth, timeoutMs: 2_000 });
}

function serviceAccount() {
  const { DCOS_SERVICE_ACCOUNT_CREDENTIAL } = env;
  const { serviceAccount: credential } = parseConfig({ DCOS_SERVICE_ACCOUNT_CREDENTIAL }).marathon;
  assert.ok(credential);
  return { kind: 'service-account', credential } as const;
}

function authority(directoryUrl: string) {
  const proxyEnv = { HTTPS_PROXY: env.HTTPS_PROXY };
  const common = { caPem: undefined, email: undefined, timeoutMs: 2_000, userAgent: 'test/1' };
  return openAuthority({ directoryUrl, proxyEnv, ...common });
}

const half = (pem: string): string => pem.slice(0, pem.length / 2);
const app = { id: '/marathon-lb', env: { HAPROXY_SSL_CERT: issued.pem, MARATHON_TOKEN: env.MARATHON_TOKEN } };

const errors: readonly { name: string; kind: new (...given: never[]) => Error; work: () => unknown }[] = [
  {
    name: 'a PEM cut in the key',
    kind: BundleError,
    work: () => CertificateBundle.parse(issued.chainPem + half(issued.keyPem)),
  },
  {
    name: 'a key of another certificate',
    kind: BundleError,
    work: () => CertificateBundle.parse(issued.chainPem + accountPem),
  },
  { name: 'a key twice', kind: BundleError, work: () => CertificateBundle.parse(issued.pem + accountPem) },
  {
    name: 'a credential cut short',
    kind: ConfigError,
    work: () => parseConfig({ ...env, DCOS_SERVICE_ACCOUNT_CREDENTIAL: half(env.DCOS_SERVICE_ACCOUNT_CREDENTIAL) }),
  },
  { name: 'all credentials at once', kind: ConfigError, work: () => parseConfig(env) },
  {
    name: 'a URL that is none, with a password',
    kind: ConfigError,
    work: () =>
      parseConfig({
        MARATHON_URL: 'marathon//me:hunter2-hunter2@x y',
        HTTPS_PROXY: 'ftp://you:swordfish-swordfish@proxy',
      }),
  },
  {
    name: 'a key among the settings',
    kind: ConfigError,
    work: () => parseConfig({ KEY_TYPE: accountPem, ADMIN_PORT: accountPem, LETSENCRYPT_SERVER_URL: accountPem }),
  },
  {
    name: 'an account file cut short',
    kind: Error,
    work: () => readAccount(half(json({ formatVersion: 1, ...account }))),
  },
  {
    name: 'an order file of a later release',
    kind: NewerFormat,
    work: () => readOrder(json({ formatVersion: 9, ...order })),
  },
  { name: 'an order file without a date', kind: Error, work: () => readOrder(json({ formatVersion: 1, ...order })) },
  {
    name: 'an app of a shape unknown',
    kind: MarathonError,
    work: () => readApp({ app: { ...app, id: 7, tasks: accountPem } }),
  },
];

for (const { name, kind, work } of errors) {
  test(`the error about ${name} tells no secret`, async () => {
    const error = await thrownBy(work);
    assert.ok(error instanceof kind, inspect(error));
    assertSilent(error);
  });
}

test('a Marathon that repeats what it was sent gives an error without it', async (t) => {
  const host = await parrot(t);
  const lb = readApp({ app: { ...app, instances: 1, version: '2026-01-01T00:00:00.000Z', labels: {}, tasks: [] } });
  for (const auth of [{ kind: 'token', token: env.MARATHON_TOKEN }, { kind: 'none' }] as const) {
    const put = client(auth, host).putEnv(lb, { HAPROXY_SSL_CERT: issued.pem }, AbortSignal.timeout(2_000));
    const error = await thrownBy(() => put);
    assert.ok(error instanceof MarathonError, inspect(error));
    assertSilent(error);
  }
});

test('a CA that cannot be reached, or answers something else, gives an error without the account', async (t) => {
  const host = await parrot(t);
  for (const url of [`http://${host}/dir`, 'http://127.0.0.1:1/dir']) {
    const session = await authority(url).connect(account, AbortSignal.timeout(5_000));
    const error = await thrownBy(() => session.newOrder(['a.example']));
    session.close();
    assert.ok(error instanceof AcmeError, inspect(error));
    assertSilent(error);
  }
});

const plainData: readonly { name: string; value: unknown }[] = [
  { name: 'an app with a certificate in its env', value: app },
  { name: 'an account', value: account },
  { name: 'an order in flight', value: order },
  { name: 'the settings', value: parseConfig({ MARATHON_TOKEN: env.MARATHON_TOKEN, HTTPS_PROXY: env.HTTPS_PROXY }) },
  { name: 'the settings with a user in the URL', value: parseConfig({ MARATHON_URL: env.MARATHON_URL }) },
  {
    name: 'the settings with a service account',
    value: parseConfig({ DCOS_SERVICE_ACCOUNT_CREDENTIAL: env.DCOS_SERVICE_ACCOUNT_CREDENTIAL }),
  },
];

for (const { name, value } of plainData) {
  test(`${name} in a line of the log is masked`, () => {
    const lines: string[] = [];
    const log = createLog({ level: 'trace', write: (line) => lines.push(line) });
    log.info({ value, as: json(value), twice: json(json(value)) }, 'as a fact');
    assert.deepEqual(leaksIn([{ from: 'the log', text: lines.join('') }], secrets), []);
  });
}
