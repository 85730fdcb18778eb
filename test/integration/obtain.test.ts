/**
 * `obtain --out DIR` by the command line, with the real Pebble: the files, what a second run does, and what it refuses.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { main } from '../../src/cli.ts';
import { freePort } from '../support/free-port.ts';
import { type PebbleOptions, startPebble } from '../support/pebble.ts';

const HOST = '127.0.0.1';
const FILES = ['bundle.pem', 'fullchain.pem', 'privkey.pem'];

async function world(t: TestContext, options: PebbleOptions = {}) {
  const httpPort = await freePort(HOST);
  const pebble = await startPebble(t, { httpPort, ...options });
  const dir = await mkdtemp(join(tmpdir(), 'obtain-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const out = join(dir, 'not', 'there', 'yet');
  const env = {
    ...{ DOMAINS: 'a.example,b.example', KEY_TYPE: 'ec256', LISTEN_ADDRESS: HOST, HTTP_PORT: String(httpPort) },
    ...{ LETSENCRYPT_SERVER_URL: pebble.directoryUrl, ACME_CA_FILE: pebble.caFile },
  };
  const run = (changes: Readonly<Record<string, string>> = {}, args: readonly string[] = []) =>
    ran(['obtain', '--out', out, ...args], { ...env, ...changes });
  return { pebble, out, env, run };
}

async function ran(args: readonly string[], env: Readonly<Record<string, string>>) {
  const texts = { out: '', err: '' };
  const into = (stream: keyof typeof texts) => (text: string) => {
    texts[stream] += text;
  };
  const code = await main(args, {
    env,
    signal: AbortSignal.timeout(30_000),
    out: into('out'),
    err: into('err'),
    terminal: { out: false, err: true, columns: 80 },
  });
  return { code, ...texts };
}

const textsIn = (folder: string) => Promise.all(FILES.map((name) => readFile(join(folder, name), 'utf8')));
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

test('obtain writes key, chain and bundle, orders nothing while they still do, and again when something else is wanted', async (t) => {
  const { pebble, out, run } = await world(t);

  const first = await run();
  assert.deepEqual([first.code, pebble.issued()], [0, 1], first.err);
  assert.match(first.err, /\rvalidating 2 of 2 …/, 'people see how far it is');
  const [bundle = '', chain = '', key = ''] = await textsIn(out);
  assert.equal(bundle, chain + key);
  const leaf = new X509Certificate(chain);
  assert.equal(leaf.subjectAltName, 'DNS:a.example, DNS:b.example');
  assert.ok(leaf.checkPrivateKey(createPrivateKey(key)));
  assert.deepEqual(await Promise.all(FILES.map((name) => modeOf(join(out, name)))), ['600', '644', '600']);
  assert.deepEqual((await readdir(out)).sort(), ['.letsencrypt-dcos', ...FILES]);
  assert.equal(await modeOf(join(out, '.letsencrypt-dcos')), '700');

  await rm(join(out, 'privkey.pem'));
  const second = await run({}, ['--json']);
  assert.deepEqual([second.code, pebble.orders()], [0, 1], second.err);
  const told = JSON.parse(second.out) as { ordered: boolean; fingerprint: string };
  assert.deepEqual([told.ordered, told.fingerprint], [false, leaf.fingerprint256]);
  assert.deepEqual(await textsIn(out), [bundle, chain, key], 'what was missing is there again');
  assert.match((await run()).out, /^Nothing was ordered, for renewal is due at 20/);

  const third = await run({ DOMAINS: 'a.example', KEY_TYPE: 'ec384' });
  assert.deepEqual([third.code, pebble.issued(), pebble.counts().newAccount], [0, 2, 1], third.err);
  const [, , other = ''] = await textsIn(out);
  assert.equal(createPrivateKey(other).asymmetricKeyDetails?.namedCurve, 'secp384r1');
});

test('obtain says what it could not do, and leaves what is not its own', async (t) => {
  const { pebble, out, env, run } = await world(t, { blocked: ['bad.example'] });

  const refused = await run({ DOMAINS: 'a.example,bad.example' });
  assert.equal(refused.code, 1);
  assert.match(refused.err, /bad\.example: rejectedIdentifier/);

  const taken = createServer();
  await new Promise<void>((done) => taken.listen(Number(env.HTTP_PORT), HOST, done));
  const blocked = await run();
  taken.close();
  assert.equal(blocked.code, 1);
  assert.match(blocked.err, /^HTTP_PORT: cannot listen .* another process has the port/m);

  await writeFile(join(out, 'privkey.pem'), 'a key of somebody else\n');
  const orders = pebble.orders();
  const foreign = await run();
  assert.deepEqual([foreign.code, pebble.orders()], [1, orders]);
  assert.match(
    foreign.err,
    /privkey\.pem was not written by letsencrypt-dcos .* move it away, or choose another folder/,
  );
  assert.equal(await readFile(join(out, 'privkey.pem'), 'utf8'), 'a key of somebody else\n');
});

const MISTAKES: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>, RegExp])[] = [
  ['no folder', [], { DOMAINS: 'a.example' }, /^obtain needs a folder for the files: --out DIR$/m],
  ['an empty folder name', ['--out', ' '], { DOMAINS: 'a.example' }, /--out DIR/],
  ['no names', ['--out', '/nowhere'], {}, /^DOMAINS must hold the names/m],
  ['a name that cannot be', ['--out', '/nowhere'], { DOMAINS: 'a.example,*.b.example' }, /^DOMAINS: \*\.b\.example /m],
  ['a mistaken setting', ['--out', '/nowhere'], { DOMAINS: 'a.example', HTTP_PORT: 'x' }, /^HTTP_PORT must be/m],
  ['an operand', ['a.example'], {}, /takes no argument/],
];

for (const [what, args, env, words] of MISTAKES) {
  test(`obtain with ${what} is a mistake that is told, with exit code 2`, async () => {
    const { code, err } = await ran(['obtain', ...args], env);
    assert.equal(code, 2);
    assert.match(err, words);
  });
}
