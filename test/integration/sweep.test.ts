/** The sweep must fail when something comes out: each kind of leak planted, in words and in a whole cluster. */

import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { newKey } from '../support/certificates.ts';
import { SIDECAR, startCluster } from '../support/cluster.ts';
import { shipped } from '../support/definitions.ts';
import { assertNoLeaks, keysIn, leaksIn, secretsOf } from '../support/sweep.ts';
import { until } from '../support/until.ts';

const pemOf = (kind: 'ec256' | 'rsa2048'): string => newKey(kind).export({ type: 'pkcs8', format: 'pem' }).toString();
const keyPem = pemOf('ec256');
const rsaPem = pemOf('rsa2048');
const jwk = createPrivateKey(keyPem).export({ format: 'jwk' });
const rsaJwk = createPrivateKey(rsaPem).export({ format: 'jwk' });
const sec1 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' });
const jwt = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"uid":"keeper"}').toString('base64url')}.c2lnbmF0dXJl`;

const secrets = new Map([
  ...keysIn(JSON.stringify({ formatVersion: 1, keyPem })),
  ...keysIn(rsaPem),
  ...secretsOf({ MARATHON_PASSWORD: 'open-sesame', MARATHON_URL: 'http://me:hunter2-hunter2@marathon.mesos:8080' }),
]);

const leaks: readonly { name: string; text: string; what: RegExp }[] = [
  { name: 'a whole key', text: `order failed: ${keyPem}`, what: /label of a private key/ },
  { name: 'a key of the older form', text: String(sec1), what: /label of a private key/ },
  { name: 'a line of a key', text: `x${keyPem.split('\n')[1]}x`, what: /a line of a private key/ },
  { name: 'the last line of a key', text: rsaPem.split('\n').at(-4) ?? '', what: /a line of a private key/ },
  { name: 'a whole key in one line', text: keyPem.split('\n').slice(1, -2).join(''), what: /private key/ },
  { name: 'the d of an account key', text: `{"kty":"EC","d":"${jwk.d}"}`, what: /private part of a JWK/ },
  { name: 'JSON within JSON', text: JSON.stringify(JSON.stringify({ d: jwk.d })), what: /private part of a JWK/ },
  { name: 'the d alone', text: `key ${jwk.d}`, what: /private part of a key/ },
  { name: 'a prime of an RSA key', text: `p is ${rsaJwk.p}`, what: /private part of a key/ },
  {
    name: 'the d as hexadecimal',
    text: Buffer.from(jwk.d ?? '', 'base64url').toString('hex'),
    what: /private part of a key/,
  },
  { name: 'a JWT', text: `token is ${jwt}`, what: /a JWT/ },
  { name: "a header for Marathon's token", text: 'Authorization: token=abc', what: /a token/ },
  { name: 'basic credentials', text: 'authorization: Basic bWU6b3Blbi1zZXNhbWU=', what: /credentials/ },
  { name: 'a bearer', text: '{"authorization":"Bearer s3cr3t-s3cr3t"}', what: /credentials/ },
  { name: 'a URL with a password', text: 'connect http://me:x@marathon:8080/ failed', what: /a password in a URL/ },
  { name: "a variable's value", text: 'it was open-sesame', what: /the value of MARATHON_PASSWORD/ },
  { name: "the password of a variable's URL", text: 'hunter2-hunter2', what: /the value of MARATHON_URL/ },
];

for (const { name, text, what } of leaks) {
  test(`${name} is found, and not repeated`, () => {
    const found = leaksIn([{ from: 'a log', text }], secrets).join('\n');
    assert.match(found, what);
    assert.match(found, / in a log$/m);
    assert.equal(found.includes(text), false);
    assert.throws(() => assertNoLeaks([{ from: 'a log', text }], secrets), what);
  });
}

const clean: readonly string[] = [
  '{"level":"info","msg":"certificate issued","fingerprint":"3F:A1:9C","domains":["a.example"]}',
  'Authorization: token=*** and Basic ***, http://***@marathon:8080/, [private key], [jwt]',
  'MARATHON_TOKEN is set; put basic authentication away, or the token into a secret',
  'https://acme.example/acme/chall-v3/123/abcDEF',
];
for (const text of clean) {
  test(`no leak: ${text.slice(0, 60)}`, () => assert.deepEqual(leaksIn([{ from: 'a log', text }], secrets), []));
}

/** A stand-in for our program that keeps a key, prints some of it, and shows some more on its pages. */
const BLABBER = `
  import { createServer } from 'node:http';
  import { mkdirSync, writeFileSync } from 'node:fs';
  const keyPem = ${JSON.stringify(keyPem)};
  mkdirSync(process.env.STATE_DIR, { recursive: true });
  writeFileSync(process.env.STATE_DIR + '/account.json', JSON.stringify({ keyPem }));
  console.log('a line: ' + keyPem.split('\\n')[1]);
  console.error('the password is ' + process.env.MARATHON_PASSWORD);
  const answer = (_, reply) => reply.end('{"account":"${jwk.d}"}');
  createServer(answer).listen(process.env.HTTP_PORT, process.env.LISTEN_ADDRESS);
  createServer(answer).listen(process.env.ADMIN_PORT, process.env.LISTEN_ADDRESS);
`;

test('a story fails when a task prints a secret, shows one on a page, or a command tells one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'blabber-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, 'blabber.mjs');
  await writeFile(program, BLABBER);
  const ends = collected(t);
  const cluster = await startCluster(ends, { loadBalancers: 0, images: { argv: [process.execPath, program] } });
  await cluster.addSidecar(await shipped('letsencrypt-dcos', { env: { MARATHON_PASSWORD: 'open-sesame' } }));
  await until(() => cluster.ask('/api/status'), 'the blabber to answer');
  cluster.hear('the command plan', jwt);

  const errors = (await ends.dispose()).map(({ message }) => message).join('\n');
  assert.match(errors, /a line of a private key in .*\/stdout/);
  assert.match(errors, /the value of MARATHON_PASSWORD in .*\/stderr/);
  assert.match(errors, /the private part of a key in \/api\/status of \/letsencrypt-dcos/);
  assert.match(errors, /the private part of a key in http:.*\/ready/);
  assert.match(errors, /a JWT in the command plan/);
  assert.equal(cluster.tasks(SIDECAR).length, 0, 'everything is taken down all the same');
});

/** Ends what was started when asked to, and tells how that went; at the end of the test at the latest. */
function collected(t: TestContext) {
  const hooks: (() => Promise<void>)[] = [];
  const dispose = async (): Promise<readonly Error[]> => {
    const ended = await Promise.allSettled(hooks.splice(0).map((hook) => hook()));
    return ended.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
  };
  t.after(async () => void (await dispose()));
  return { after: (hook: () => Promise<void>) => void hooks.push(hook), dispose };
}
