/**
 * certbot's folder in the place of ours, as the program before us leaves it: what of it is taken over, what is told of
 * the rest, and that the CA sees neither an order nor a new account.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { obtain } from '../../src/acme/order.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { Actions } from '../../src/act.ts';
import { findAccounts } from '../../src/certbot.ts';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { specFor } from '../../src/certificates/spec.ts';
import { createLog } from '../../src/log.ts';
import { MarathonClient } from '../../src/marathon/client.ts';
import { plan } from '../../src/plan/plan.ts';
import { Store } from '../../src/store.ts';
import { startCannedMarathon } from '../support/canned-marathon.ts';
import { ACCOUNT_ID, layOutAccount, layOutLineage, rsaKey } from '../support/certbot.ts';
import { type IssueOptions, issue, selfSigned } from '../support/certificates.ts';
import {
  ago,
  ahead,
  DAY,
  DIRECTORY,
  holding,
  loadBalancer,
  observation,
  policy,
  SLOT,
  STAGING,
} from '../support/observation.ts';
import { startPebble } from '../support/pebble.ts';

const V1 = 'https://acme-v01.api.letsencrypt.org/directory';
const NAMES = ['a.net', 'b.net'];
const made = (differing: Partial<IssueOptions> = {}) =>
  issue({ domains: NAMES, notBefore: ago(10 * DAY), ...differing });
const good = made();

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'certbot-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function opened(dir: string): Promise<Store> {
  const store = new Store(dir);
  await store.open();
  return store;
}

/** What the program would do with this folder, an empty variable in marathon-lb and no other memory. */
async function planned(store: Store, directoryUrl = DIRECTORY) {
  const seen = observation({ stored: await store.read(), loadBalancer: loadBalancer({ env: {} }) });
  const { actions, notes, certificate } = plan(seen, policy({ directoryUrl }));
  return { kinds: actions.map(({ kind }) => kind), notes: notes.filter((note) => /certbot/.test(note)), certificate };
}

/** Every name, link and text: to see that nothing of certbot's was touched. */
async function everything(dir: string): Promise<readonly string[]> {
  const inside = await readdir(dir, { recursive: true, withFileTypes: true });
  const of = inside.filter(({ parentPath }) => /live|archive|renewal|accounts/.test(parentPath));
  const texts = of.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) return `${path} -> ${await readlink(path)}`;
    return entry.isFile() ? `${path}: ${await readFile(path, 'utf8')}` : path;
  });
  return (await Promise.all(texts)).sort();
}

test("certbot's certificate is adopted and installed, nothing is ordered, and certbot's files stay as they are", async (t) => {
  const dir = await folder(t);
  await layOutLineage(dir, 'a.net', good);
  const keyPem = await layOutAccount(dir, DIRECTORY, { uri: 'https://acme-v02.api.letsencrypt.org/acme/acct/123' });
  await chmod(dir, 0o755); // as /etc/letsencrypt is: certbot closes live, archive and accounts
  const before = await everything(dir);
  const store = await opened(dir);
  const { kinds, notes, certificate } = await planned(store);
  assert.deepEqual([kinds, notes, certificate.state], [['adopt', 'install'], [], 'installing']);
  assert.equal(certificate.bundle?.fingerprint, good.fingerprint);
  assert.equal((await store.read()).wasEmpty, false, 'no crash pause: the folder has outlived a task');

  await store.saveBundle(certificate.bundle, DIRECTORY);
  const after = await planned(store);
  assert.deepEqual(after.kinds, ['install']);
  assert.match(after.notes.join('\n'), /certbot's certificate a\.net was imported; its own files stay/);
  assert.match(after.notes.join('\n'), /certbot's account 07a1.* was imported/);
  const account = { directory: DIRECTORY, url: 'https://acme-v02.api.letsencrypt.org/acme/acct/123', keyPem };
  assert.deepEqual(await store.account(DIRECTORY), account);
  assert.deepEqual(await everything(dir), before);

  for (const part of ['live', 'archive', 'renewal', 'accounts']) await rm(join(dir, part), { recursive: true });
  const restarted = await opened(dir);
  assert.equal((await restarted.read()).bundle?.fingerprint, good.fingerprint);
  assert.deepEqual(await restarted.account(DIRECTORY), account);
});

test("who only looks finds certbot's account, and keeps no copy of it", async (t) => {
  const dir = await folder(t);
  const keyPem = await layOutAccount(dir, DIRECTORY, { uri: 'https://acme-v02.api.letsencrypt.org/acme/acct/123' });
  const before = await readdir(dir);
  const looker = new Store(dir);
  await looker.openToLook();
  assert.equal((await looker.account(DIRECTORY))?.keyPem, keyPem);
  assert.deepEqual(await readdir(dir), before);
});

const aside = (dir: string, part: string) => rename(join(dir, part), join(dir, `${part}.away`));
const garbage = '-----BEGIN CERTIFICATE-----\nthis is not it\n';
interface Row {
  readonly name: string;
  readonly lay: (dir: string) => Promise<unknown>;
  /** The configured directory; Let's Encrypt's unless told. */
  readonly directory?: string;
  /** The fingerprint that is adopted; undefined: none, so that one is ordered. */
  readonly adopts: string | undefined;
  readonly says?: RegExp;
}

const other = made({ domains: ['c.net'] });
const longer = made({ notBefore: ago(2 * DAY) });
const half = made({ domains: ['a.net'], notBefore: ago(DAY) });
const expired = made({ notBefore: ago(100 * DAY) });
const early = made({ notBefore: ahead(DAY) });
const staged = made({ issuerName: '(STAGING) Wannabe Watercress R11' });
const rows: readonly Row[] = [
  {
    name: "of ACME v1's days",
    lay: (dir) => layOutLineage(dir, 'a.net', good, { server: V1 }),
    adopts: good.fingerprint,
  },
  {
    name: 'without a renewal file',
    lay: (dir) => layOutLineage(dir, 'a.net', good, { server: null }),
    adopts: good.fingerprint,
  },
  {
    name: 'of staging',
    lay: (dir) => layOutLineage(dir, 'a.net', staged, { server: STAGING }),
    adopts: undefined,
    says: /a\.net is not imported: it is of .*staging.*, and we keep to https:\/\/acme-v02/,
  },
  {
    name: 'of staging, and so are we',
    lay: (dir) => layOutLineage(dir, 'a.net', staged, { server: STAGING }),
    directory: STAGING,
    adopts: staged.fingerprint,
  },
  {
    name: 'of production, when we are set to staging',
    lay: (dir) => layOutLineage(dir, 'a.net', good),
    directory: STAGING,
    adopts: undefined,
    says: /it is of https:\/\/acme-v02/,
  },
  {
    name: 'of staging, whatever its renewal file says',
    lay: (dir) => layOutLineage(dir, 'a.net', staged),
    adopts: undefined,
    says: /its issuer is for tests/,
  },
  {
    name: 'of staging, without a renewal file',
    lay: (dir) => layOutLineage(dir, 'a.net', staged, { server: null }),
    adopts: undefined,
    says: /its issuer is for tests/,
  },
  {
    name: "of another CA's ACME v1",
    lay: (dir) => layOutLineage(dir, 'a.net', good, { server: 'https://ca.example/acme-v1/directory' }),
    adopts: undefined,
    says: /it is of https:\/\/ca\.example/,
  },
  {
    name: 'with a renewal file of zeros',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      await writeFile(join(dir, 'renewal', 'a.net.conf'), '\0'.repeat(500));
    },
    adopts: good.fingerprint,
  },
  { name: 'expired', lay: (dir) => layOutLineage(dir, 'a.net', expired), adopts: undefined, says: /it expired at / },
  {
    name: 'not valid yet',
    lay: (dir) => layOutLineage(dir, 'a.net', early),
    adopts: undefined,
    says: /not valid before/,
  },
  { name: 'for other names', lay: (dir) => layOutLineage(dir, 'c.net', other), adopts: undefined },
  {
    name: 'several: the one that lives longest of those that cover all names',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      await layOutLineage(dir, 'a.net-0001', longer);
      await layOutLineage(dir, 'a.net-0002', half);
      await layOutLineage(dir, 'c.net', other);
    },
    adopts: longer.fingerprint,
  },
  {
    name: 'one staging, one expired, one good',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', staged, { server: STAGING });
      await layOutLineage(dir, 'a.net-0001', expired);
      await layOutLineage(dir, 'a.net-0002', good);
    },
    adopts: good.fingerprint,
    says: /a\.net is not imported: it is of .*\n.*a\.net-0001 is not imported: it expired/,
  },
  {
    name: 'live/ copied with links that lead nowhere',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      await aside(dir, 'archive');
    },
    adopts: undefined,
    says: /a\.net in .* cannot be imported: .*live\/a\.net\/privkey\.pem cannot be read \(ENOENT\)/,
  },
  {
    name: 'archive/ alone, the newest of eleven versions',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', expired, { version: 9 });
      await aside(dir, 'live');
      await layOutLineage(dir, 'a.net', good, { version: 11 });
      await rm(join(dir, 'live'), { recursive: true });
    },
    adopts: good.fingerprint,
  },
  {
    name: 'live/ as files instead of links, without archive/',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      const live = join(dir, 'live', 'a.net');
      for (const part of ['cert', 'chain', 'fullchain', 'privkey']) {
        const text = await readFile(join(live, `${part}.pem`), 'utf8');
        await rm(join(live, `${part}.pem`));
        await writeFile(join(live, `${part}.pem`), text);
      }
      await rm(join(dir, 'archive'), { recursive: true });
    },
    adopts: good.fingerprint,
  },
  {
    name: 'without fullchain.pem: made of cert.pem and chain.pem',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      await rm(join(dir, 'archive', 'a.net', 'fullchain1.pem'));
    },
    adopts: good.fingerprint,
  },
  {
    name: 'killed while it moved the links: the archived pair is whole',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', expired);
      await aside(dir, 'live');
      await layOutLineage(dir, 'a.net', good, { version: 2 });
      await rm(join(dir, 'live', 'a.net', 'privkey.pem'));
      await symlink('../../archive/a.net/privkey1.pem', join(dir, 'live', 'a.net', 'privkey.pem'));
    },
    adopts: good.fingerprint,
  },
  {
    name: 'with the key of another one',
    lay: (dir) => layOutLineage(dir, 'a.net', { chainPem: good.chainPem, keyPem: other.keyPem }),
    adopts: undefined,
    says: /fullchain\.pem with its privkey\.pem the private key belongs to another certificate/,
  },
  {
    name: 'garbage',
    lay: (dir) => layOutLineage(dir, 'a.net', { chainPem: garbage, keyPem: 'garbage' }),
    adopts: undefined,
    says: /a\.net in .* cannot be imported/,
  },
  {
    name: 'half a file, from a disk that was full',
    lay: (dir) => layOutLineage(dir, 'a.net', { ...good, chainPem: good.chainPem.slice(0, 300) }),
    adopts: undefined,
    says: /cannot be imported: .*truncated/,
  },
  {
    name: 'with a chain that is none',
    lay: (dir) =>
      layOutLineage(dir, 'a.net', {
        ...good,
        chainPem: good.chainPem.split(/(?=-----BEGIN)/)[0] + selfSigned('x').chainPem,
      }),
    adopts: undefined,
    says: /not imported: the chain is broken/,
  },
  {
    name: 'a CA certificate',
    lay: (dir) => layOutLineage(dir, 'a.net', made({ ca: true })),
    adopts: undefined,
    says: /not imported: the first certificate is a CA/,
  },
  {
    name: 'a folder where privkey.pem should be',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      await rm(join(dir, 'archive', 'a.net', 'privkey1.pem'));
      await mkdir(join(dir, 'archive', 'a.net', 'privkey1.pem'));
    },
    adopts: undefined,
    says: /privkey\.pem cannot be read \(EISDIR\)/,
  },
  {
    name: 'a megabyte where fullchain.pem should be',
    lay: (dir) => layOutLineage(dir, 'a.net', { ...good, chainPem: '#'.repeat(1_048_576) }),
    adopts: undefined,
    says: /cert\.pem cannot be read|fullchain\.pem/,
  },
  {
    name: 'begun and never made',
    lay: (dir) => mkdir(join(dir, 'live', 'a.net'), { recursive: true }),
    adopts: undefined,
  },
];
for (const { name, lay, directory = DIRECTORY, adopts, says } of rows) {
  test(`a certificate of certbot's ${name}: ${adopts === undefined ? 'not adopted' : 'adopted'}${says ? ', and the reason is told' : ''}`, async (t) => {
    const dir = await folder(t);
    await lay(dir);
    const { kinds, notes, certificate } = await planned(await opened(dir), directory);
    assert.equal(certificate.bundle?.fingerprint, adopts);
    assert.equal(kinds.includes('adopt'), adopts !== undefined);
    assert.match(notes.join('\n'), says ?? /^$/);
    assert.doesNotMatch(notes.join('\n'), /BEGIN|PRIVATE KEY|#####/);
  });
}

test('the labels were edited with the upgrade: what certbot made stays known as ours in marathon-lb, and gives way', async (t) => {
  const dir = await folder(t);
  const old = made({ domains: ['old.net', 'a.net'] });
  await layOutLineage(dir, 'old.net', old);
  const fresh = CertificateBundle.parse(made().pem);
  const store = await opened(dir);
  await store.saveBundle(fresh, DIRECTORY);
  const env = holding(CertificateBundle.parse(old.pem));
  const seen = observation({ stored: await store.read(), loadBalancer: loadBalancer({ env }) });
  const [action, ...others] = plan(seen, policy()).actions;
  assert.deepEqual(others, []);
  assert.deepEqual(action?.kind === 'install' && [action.bundle.fingerprint, action.slots], [
    fresh.fingerprint,
    [SLOT],
  ]);
});

test("with a certificate of our own, certbot's is history: not taken though it lives longer, not told though it is damaged", async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  await store.saveBundle(CertificateBundle.parse(good.pem), DIRECTORY);
  await layOutLineage(dir, 'a.net', longer);
  await layOutLineage(dir, 'bad', { chainPem: garbage, keyPem: '' });
  const { kinds, notes, certificate } = await planned(await opened(dir));
  assert.deepEqual([kinds, notes, certificate.bundle?.fingerprint], [['install'], [], good.fingerprint]);
});

test('files that it may not read: told with the uid, nothing of it used; mended, it is used at the next look', async (t) => {
  const dir = await folder(t);
  await layOutLineage(dir, 'a.net', good);
  await layOutAccount(dir, DIRECTORY, { uri: 'https://acme-v02.api.letsencrypt.org/acme/acct/1' });
  const closed = ['live', 'archive', 'accounts'].map((part) => join(dir, part));
  for (const path of closed) await chmod(path, 0o000);
  await chmod(dir, 0o777);
  const isRoot = process.geteuid?.() === 0; // who may read everything, so the test goes on as nobody
  if (isRoot) process.seteuid?.(65_534);
  const store = await opened(dir);
  const found = await planned(store);
  const account = await store.account(DIRECTORY);
  const told = await planned(store);
  if (isRoot) process.seteuid?.(0);
  for (const path of closed) await chmod(path, 0o755);

  assert.ok(!found.kinds.includes('adopt'));
  assert.match(found.notes.join(), /live cannot be imported: it cannot be read \(EACCES\): it must belong to uid \d+/);
  assert.equal(account, undefined);
  assert.match(told.notes.join(), /accounts cannot be imported: it cannot be read \(EACCES\)/);
  assert.deepEqual((await planned(store)).kinds, ['adopt', 'install']);
});

// Accounts

const REG = 'https://acme-v01.api.letsencrypt.org/acme/reg/9';
const ACCT = 'https://acme-v02.api.letsencrypt.org/acme/acct/9';
const [one, two] = [rsaKey(), rsaKey()];
const accounts: readonly {
  readonly name: string;
  readonly lay: (dir: string) => Promise<unknown>;
  readonly directory?: string;
  readonly finds: { readonly keyPem: string; readonly url: string | undefined } | undefined;
  readonly says?: RegExp;
}[] = [
  {
    name: 'with its address',
    lay: (dir) => layOutAccount(dir, DIRECTORY, { uri: ACCT, keyPem: one }),
    finds: { keyPem: one, url: ACCT },
  },
  {
    name: "of ACME v1's days: its key alone, by which the CA finds it",
    lay: (dir) => layOutAccount(dir, V1, { uri: REG, keyPem: one }),
    finds: { keyPem: one, url: undefined },
  },
  {
    name: 'of v1, linked to as v2 by certbot',
    lay: async (dir) => {
      await layOutAccount(dir, V1, { uri: REG, keyPem: one });
      await mkdir(join(dir, 'accounts', 'acme-v02.api.letsencrypt.org'));
      await symlink(
        '../acme-v01.api.letsencrypt.org/directory',
        join(dir, 'accounts', 'acme-v02.api.letsencrypt.org', 'directory'),
      );
    },
    finds: { keyPem: one, url: undefined },
  },
  {
    name: 'of a private CA with a port',
    lay: (dir) =>
      layOutAccount(dir, 'https://127.0.0.1:14000/dir', { uri: 'https://127.0.0.1:14000/my-account/1', keyPem: one }),
    directory: 'https://127.0.0.1:14000/dir',
    finds: { keyPem: one, url: 'https://127.0.0.1:14000/my-account/1' },
  },
  {
    name: 'of staging, when we are set to production',
    lay: (dir) => layOutAccount(dir, STAGING, { uri: ACCT, keyPem: one }),
    finds: undefined,
  },
  {
    name: 'one of two: that of the certificates, though the other is newer',
    lay: async (dir) => {
      await layOutLineage(dir, 'a.net', good);
      await layOutAccount(dir, DIRECTORY, { uri: ACCT, keyPem: one });
      const newer = { id: 'f'.repeat(32), uri: ACCT, keyPem: two, createdAt: '2026-11-01T00:00:00Z' };
      await layOutAccount(dir, DIRECTORY, newer);
    },
    finds: { keyPem: one, url: ACCT },
  },
  {
    name: 'one of two without a certificate: the newer',
    lay: async (dir) => {
      await layOutAccount(dir, DIRECTORY, { uri: ACCT, keyPem: one });
      const newer = { id: 'f'.repeat(32), uri: ACCT, keyPem: two, createdAt: '2026-11-01T00:00:00Z' };
      await layOutAccount(dir, DIRECTORY, newer);
    },
    finds: { keyPem: two, url: ACCT },
  },
  {
    name: 'without regr.json and meta.json',
    lay: async (dir) => {
      await layOutAccount(dir, DIRECTORY, { uri: ACCT, keyPem: one });
      const at = join(dir, 'accounts', 'acme-v02.api.letsencrypt.org', 'directory', ACCOUNT_ID);
      for (const file of ['regr.json', 'meta.json']) await rm(join(at, file));
    },
    finds: { keyPem: one, url: undefined },
  },
  {
    name: 'whose address is of another server',
    lay: (dir) => layOutAccount(dir, DIRECTORY, { uri: 'https://elsewhere.example/acct/1', keyPem: one }),
    finds: { keyPem: one, url: undefined },
  },
  ...['', '{"kty":"RSA","n":"', '{"kty":"RSA"}', '[]', '{"kty":"oct","k":"c2VjcmV0"}'].map((text) => ({
    name: `whose key file is ${text === '' ? 'empty' : text}`,
    lay: async (dir: string) => {
      await layOutAccount(dir, DIRECTORY, { uri: ACCT, keyPem: one });
      const at = join(dir, 'accounts', 'acme-v02.api.letsencrypt.org', 'directory', ACCOUNT_ID);
      await rm(join(at, 'private_key.json'));
      await writeFile(join(at, 'private_key.json'), text);
    },
    finds: undefined,
    says: /account .*07a1.* cannot be imported: .*private_key\.json .*a new account is made for the next order$/,
  })),
];
for (const { name, lay, directory = DIRECTORY, finds, says } of accounts) {
  test(`an account of certbot's ${name}: ${finds === undefined ? 'not used' : 'used'}`, async (t) => {
    const dir = await folder(t);
    await lay(dir);
    const store = await opened(dir);
    assert.deepEqual(await store.account(directory), finds && { directory, ...finds });
    const { problems } = await findAccounts(dir, directory);
    assert.match(problems.join('\n'), says ?? /^$/);
    assert.doesNotMatch(problems.join('\n'), /"kty"|PRIVATE KEY/);
  });
}

// At a CA

/** Answers the CA's challenges, on a port that Pebble is told of. */
async function startResponder(t: TestContext, challenges: Challenges): Promise<number> {
  const server = createServer((request, response) => {
    const answer = challenges.answerTo(request.url?.split('/').at(-1) ?? '');
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('made through Pebble with an RSA account: adopted and posted, nothing ordered; the renewal is by the same account', async (t) => {
  const challenges = new Challenges();
  const pebble = await startPebble(t, { httpPort: await startResponder(t, challenges) });
  const { directoryUrl, caPem } = pebble;
  const ca = { directoryUrl, caPem, email: undefined, timeoutMs: 20_000, proxyEnv: {}, userAgent: 'test' };
  const authority = openAuthority(ca);
  const APP = { id: '/marathon-lb', version: 'v1', instances: 1, env: {}, deployments: [] };
  const marathon = await startCannedMarathon(t, [
    { body: { app: APP } },
    { body: { deploymentId: 'd-1', version: 'v2' } },
  ]);
  const acting = (store: Store) =>
    new Actions({
      ...{ directoryUrl, store, settingsMark: 'mark', log: createLog({ level: 'silent' }), wake: () => {} },
      marathon: new MarathonClient({ urls: [marathon.url], auth: { kind: 'none' }, timeoutMs: 5_000 }),
      obtain: (spec, resume, deps) => obtain(spec, resume, { ...deps, challenges, authority }),
    });
  const signal = AbortSignal.timeout(50_000);
  const order = { kind: 'issue', spec: specFor(NAMES, 'rsa2048'), resume: undefined } as const;
  const renewed = async (store: Store) => {
    const actions = acting(store);
    await actions.carryOut(order, observation(), signal);
    await actions.idle();
    return (await store.read()).bundle;
  };

  const keyPem = rsaKey();
  const past = await opened(await folder(t));
  await past.saveAccount({ directory: directoryUrl, url: undefined, keyPem });
  const first = await renewed(past);
  const uri = (await past.account(directoryUrl))?.url;
  assert.ok(first && uri);
  const [chainPem = '', certKeyPem = ''] = first.pem.split(/(?=-----BEGIN PRIVATE)/);

  const dir = await folder(t);
  await layOutLineage(dir, 'a.net', { chainPem, keyPem: certKeyPem }, { server: directoryUrl });
  await layOutAccount(dir, directoryUrl, { uri, keyPem });
  const store = await opened(dir);
  const seen = observation({
    ...{ at: new Date(), stored: await store.read() },
    loadBalancer: loadBalancer({ env: {}, version: 'v1' }),
  });
  const { actions } = plan(seen, policy({ directoryUrl }));
  assert.deepEqual(
    actions.map(({ kind }) => kind),
    ['adopt', 'install'],
  );
  const present = acting(store);
  for (const action of actions) await present.carryOut(action, seen, signal);
  assert.equal(JSON.parse(marathon.asked.at(-1)?.body ?? '').env[SLOT], first.pem);
  assert.deepEqual([pebble.orders(), pebble.counts().newAccount], [1, 1], 'as before');

  const second = await renewed(store);
  assert.notEqual(second?.fingerprint, first.fingerprint);
  assert.deepEqual([pebble.orders(), pebble.counts().newAccount], [2, 1], 'without a new account');
  assert.deepEqual(await store.account(directoryUrl), { directory: directoryUrl, url: uri, keyPem });

  const old = await folder(t); // where nothing tells the account's address
  await layOutAccount(old, directoryUrl, { uri: REG, keyPem });
  const found = await opened(old);
  assert.ok(await renewed(found));
  assert.equal((await found.account(directoryUrl))?.url, uri, 'the CA found it by its key');
});
