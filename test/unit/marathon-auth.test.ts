/** DC/OS service accounts: reading the credential, signing the login token, keeping a session. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { expiryOf, loginToken, parseServiceAccount, Session } from '../../src/marathon/auth.ts';

const dcos = JSON.parse(readFileSync(new URL('../fixtures/marathon/dcos-login.json', import.meta.url), 'utf8'));
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: typeof rsa.privateKey) => key.export({ type: 'pkcs8', format: 'pem' }).toString();

const CREDENTIAL = { ...dcos.credential_env_DCOS_SERVICE_ACCOUNT_CREDENTIAL, private_key: pem(rsa.privateKey) };

test('the credential is read as DC/OS writes it', () => {
  const account = parseServiceAccount(JSON.stringify(CREDENTIAL));
  assert.equal(account.uid, 'letsencrypt-dcos-principal');
  assert.equal(account.loginEndpoint, 'https://master.mesos/acs/api/v1/auth/login');
  assert.deepEqual(parseServiceAccount(JSON.stringify(JSON.stringify(CREDENTIAL))), account, 'wrapped once more');
  const escaped = { ...CREDENTIAL, private_key: CREDENTIAL.private_key.replaceAll('\n', '\\n') };
  assert.deepEqual(parseServiceAccount(JSON.stringify(escaped)), account, 'with literal \\n');
});

for (const [name, credential, sentence] of [
  ['no JSON', `uid=x ${CREDENTIAL.private_key}`, /^is not a JSON object/],
  ['a list', '[]', /^is not a JSON object/],
  ['no uid', { ...CREDENTIAL, uid: '' }, /^has no uid/],
  ['no URL to log in', { ...CREDENTIAL, login_endpoint: 'ftp://x' }, /^has no login_endpoint/],
  ['another scheme', { ...CREDENTIAL, scheme: 'HS256' }, /^has the scheme 'HS256'/],
  ['a broken key', { ...CREDENTIAL, private_key: CREDENTIAL.private_key.slice(0, 300) }, /^has no private_key/],
  [
    'a key of another kind',
    { ...CREDENTIAL, private_key: pem(ec.privateKey) },
    /^has no private_key that is an RSA key/,
  ],
] as const) {
  test(`a credential with ${name} is refused without showing it`, () => {
    const text = typeof credential === 'string' ? credential : JSON.stringify(credential);
    assert.throws(
      () => parseServiceAccount(text),
      (error: Error) => sentence.test(error.message) && !/BEGIN|MII/.test(`${error.stack} ${String(error.cause)}`),
    );
  });
}

test('the login token is an RS256 JWT of uid and exp, a minute long', () => {
  const account = parseServiceAccount(JSON.stringify(CREDENTIAL));
  const now = new Date((dcos.jwt_payload.exp - 60) * 1000);
  const token = loginToken(account, now);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  assert.deepEqual(decoded(header), dcos.jwt_header);
  assert.deepEqual(decoded(payload), dcos.jwt_payload);
  const signed = Buffer.from(`${header}.${payload}`);
  assert.ok(verify('RSA-SHA256', signed, rsa.publicKey, Buffer.from(signature, 'base64url')));
  assert.equal(expiryOf(token)?.getTime(), dcos.jwt_payload.exp * 1000);
  assert.equal(expiryOf('opaque'), undefined);
});

/** An unsigned JWT that ends in so many seconds. */
const lasting = (seconds: number) => {
  const claims = { exp: Math.floor(Date.now() / 1000) + seconds };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
};

function session(lifeSeconds: number) {
  const account = parseServiceAccount(JSON.stringify(CREDENTIAL));
  const logins: string[] = [];
  const made = new Session(account, async (_endpoint, body) => {
    logins.push(body);
    return `${lasting(lifeSeconds)}${logins.length}`;
  });
  return { made, logins };
}

test('requests that come together share one login, and later ones its token', async () => {
  const { made, logins } = session(3600);
  const headers = await Promise.all([made.header(), made.header()]);
  assert.deepEqual(headers, [await made.header(), await made.header()]);
  assert.match(headers[0] ?? '', /^token=e30\./);
  assert.equal(logins.length, 1);
  assert.deepEqual(Object.keys(JSON.parse(logins[0] ?? '')), ['uid', 'token', 'exp']);
});

test('a token that ends within a minute is renewed before it is used', async () => {
  const { made, logins } = session(59);
  await made.header();
  await made.header();
  assert.equal(logins.length, 2);
});

test('a refused token is forgotten, but not the newer one that another request has fetched', async () => {
  const { made, logins } = session(3600);
  const first = await made.header();
  made.forget(first);
  const second = await made.header();
  made.forget(first);
  assert.equal(await made.header(), second);
  assert.equal(logins.length, 2);
});
