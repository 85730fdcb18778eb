/** The state folder on a real disk: what is kept, what a kill leaves behind, and what the operator is told. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { EMPTY_LEDGER, type Failure, type Ledger, withInstalled } from '../../src/certificates/ledger.ts';
import { type OrderInFlight, Store } from '../../src/store.ts';
import { type Issued, issue } from '../support/certificates.ts';

const directory = 'https://acme-v02.api.letsencrypt.org/directory';
const staging = 'https://acme-staging-v02.api.letsencrypt.org/directory';
const issuedA = issue({ domains: ['a.net'] });
const issuedB = issue({ domains: ['a.net', 'b.net'] });
const bundleA = CertificateBundle.parse(issuedA.pem);
const bundleB = CertificateBundle.parse(issuedB.pem);

const orderFor = ({ keyPem }: Issued): OrderInFlight => ({
  directory,
  url: 'https://acme-v02.api.letsencrypt.org/acme/order/1/2',
  domains: ['a.net', 'b.net'],
  keyPem,
  createdAt: new Date('2026-11-22T10:00:00Z'),
});
const failure: Failure = {
  at: new Date('2026-11-22T10:00:00Z'),
  directory,
  settings: 'mark',
  scope: 'certificate',
  names: ['a.net'],
  type: 'serverInternal',
  pace: 'order',
  problem: 'ACME: no',
  retryAfter: undefined,
};
const ledger: Ledger = {
  ...EMPTY_LEDGER,
  failures: [
    failure,
    { ...failure, at: new Date('2026-11-22T11:00:00Z'), retryAfter: new Date('2026-11-23'), names: [] },
  ],
  replacements: [{ at: new Date('2026-11-22T12:00:00Z'), slot: 'HAPROXY_SSL_CERT', fingerprint: 'AA:BB' }],
  installed: ['AA:BB', 'CC:DD'],
  posted: { HAPROXY_SSL_CERT: 'CC:DD' },
};

/** A folder that ends with the test; `state` in it does not exist yet. */
async function folder(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'store-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'state');
}

async function opened(dir: string): Promise<Store> {
  const store = new Store(dir);
  await store.open();
  return store;
}

/** Less what depends on the machine's temporary folder being a memory disk. */
const told = (problems: readonly string[]) => problems.filter((sentence) => !sentence.includes('ends with this task'));
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
const pemIn = async (dir: string, name: string) => JSON.parse(await readFile(join(dir, name), 'utf8')).pem;

test('a folder that is not there is made, and nothing is in it', async (t) => {
  const dir = join(await folder(t), 'deep', 'down');
  const { problems, ...rest } = await (await opened(dir)).read();
  assert.deepEqual(told(problems), []);
  assert.deepEqual(rest, {
    bundle: undefined,
    bundleDirectory: undefined,
    previous: undefined,
    order: undefined,
    kept: undefined,
    ledger: EMPTY_LEDGER,
    certbots: [],
    wasEmpty: true,
    writable: true,
  });
  assert.equal(await modeOf(dir), 0o700);
  assert.deepEqual(await readdir(dir), []);
});

test('a restart reads back what was saved', async (t) => {
  const dir = await folder(t);
  const before = await opened(dir);
  const account = { directory, url: 'https://ca/acct/1', keyPem: issuedA.keyPem };
  await before.saveAccount(account);
  await before.saveBundle(bundleA, directory);
  await before.saveBundle(bundleB, staging);
  await before.saveOrder(orderFor(issuedA));
  await before.changeLedger(() => ledger);

  const after = await opened(dir);
  const state = await after.read();
  assert.deepEqual(await after.account(directory), account);
  assert.equal(state.bundle?.pem, bundleB.pem);
  assert.equal(state.bundleDirectory, staging);
  assert.equal(state.previous?.pem, bundleA.pem);
  assert.deepEqual(state.order, orderFor(issuedA));
  assert.deepEqual(state.ledger, ledger);
  assert.equal(state.wasEmpty, false);
  assert.equal(state.writable, true);
  assert.deepEqual(told(state.problems), []);
});

for (const umask of [0o000, 0o022, 0o277]) {
  test(`under umask ${umask.toString(8)} the folder is 0700 and every file 0600`, async (t) => {
    const was = process.umask();
    t.after(() => process.umask(was));
    const dir = await folder(t);
    process.umask(umask);
    const store = await opened(dir);
    await store.saveAccount({ directory, url: undefined, keyPem: issuedA.keyPem });
    await store.saveBundle(bundleA, directory);
    await store.saveBundle(bundleB, directory);
    await store.saveOrder(orderFor(issuedA));
    await store.changeLedger(() => ledger);
    assert.equal(await modeOf(dir), 0o700);
    const names = await readdir(dir);
    assert.equal(names.length, 5, names.join());
    for (const name of names) assert.equal(await modeOf(join(dir, name)), 0o600, name);
  });
}

test('each ACME directory has its own account; one not registered yet is kept too', async (t) => {
  const store = await opened(await folder(t));
  const production = { directory, url: 'https://ca/acct/1', keyPem: issuedA.keyPem };
  const unregistered = { directory: staging, url: undefined, keyPem: issuedB.keyPem };
  await store.saveAccount(production);
  await store.saveAccount(unregistered);
  assert.deepEqual(await store.account(directory), production);
  assert.deepEqual(await store.account(staging), unregistered);
  assert.equal(await store.account('https://acme-v02.api.letsencrypt.org/other'), undefined);
});

test('the order in flight is done with the bundle that it brought, and only with that', async (t) => {
  const store = await opened(await folder(t));
  await store.saveOrder(orderFor(issuedB));
  await store.saveBundle(bundleA, directory); // adopted from the load balancer meanwhile
  assert.deepEqual((await store.read()).order, orderFor(issuedB));
  await store.saveBundle(bundleB, directory);
  assert.equal((await store.read()).order, undefined);
  assert.deepEqual((await store.read()).previous?.domains, ['a.net']);
});

test('an order given up is cleared, once or twice', async (t) => {
  const store = await opened(await folder(t));
  await store.saveOrder(orderFor(issuedA));
  await store.clearOrder();
  await store.clearOrder();
  assert.equal((await store.read()).order, undefined);
});

test('the same bundle saved again does not push out the previous one', async (t) => {
  const store = await opened(await folder(t));
  await store.saveBundle(bundleA, directory);
  await store.saveBundle(bundleB, directory);
  await store.saveBundle(bundleB, directory);
  assert.equal((await store.read()).previous?.fingerprint, bundleA.fingerprint);
});

test('changes of the ledger asked for at once all count, in that order', async (t) => {
  const store = await opened(await folder(t));
  const names = Array.from({ length: 20 }, (_, index) => `${index}`);
  await Promise.all(names.map((name) => store.changeLedger((before) => withInstalled(before, name))));
  assert.deepEqual((await store.read()).ledger.installed, names);
});

/** What a kill -9 leaves at each line of saveBundle(B) over A, with the order for B in flight. */
const kills: readonly { name: string; leaves: (dir: string, store: Store) => Promise<unknown>; current: Issued }[] = [
  { name: 'before anything', leaves: async () => undefined, current: issuedA },
  {
    name: 'in the middle of a temporary file',
    leaves: (dir) => writeFile(join(dir, '.previous-certificate.json.0123456789ab.tmp'), '{"formatVersion":1,"pe'),
    current: issuedA,
  },
  {
    name: 'after the previous one was written',
    leaves: async (dir) =>
      writeFile(join(dir, 'previous-certificate.json'), await readFile(join(dir, 'certificate.json'))),
    current: issuedA,
  },
  {
    name: 'before the order was cleared',
    leaves: async (dir, store) => {
      const order = await readFile(join(dir, 'order.json'));
      await store.saveBundle(bundleB, directory);
      await writeFile(join(dir, 'order.json'), order);
    },
    current: issuedB,
  },
];
for (const { name, leaves, current } of kills) {
  test(`killed ${name}: the next start has a bundle, knows whether the order is done, and can save`, async (t) => {
    const dir = await folder(t);
    const before = await opened(dir);
    await before.saveBundle(bundleA, directory);
    await before.saveOrder(orderFor(issuedB));
    await leaves(dir, before);

    const after = await opened(dir);
    const state = await after.read();
    assert.equal(state.bundle?.pem, current.pem);
    assert.deepEqual(state.order, current === issuedB ? undefined : orderFor(issuedB));
    assert.deepEqual(told(state.problems), []);
    await after.saveBundle(bundleB, directory);
    const { bundle, previous, order } = await after.read();
    assert.deepEqual([bundle?.fingerprint, previous?.fingerprint], [bundleB.fingerprint, bundleA.fingerprint]);
    assert.equal(order, undefined);
    const names = (await readdir(dir)).filter((one) => one.endsWith('.tmp') || one === 'order.json');
    assert.deepEqual(names, []);
  });
}

test('an instance that starts on the same volume does not make a save of another one fail', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  const saving = Array.from({ length: 10 }, () => store.changeLedger(() => ledger));
  await Promise.all([...saving, opened(dir), opened(dir)]);
  assert.deepEqual((await store.read()).ledger, ledger);
});

const damages: readonly { name: string; text: (good: string) => string; says: RegExp }[] = [
  { name: 'truncated', text: (good) => good.slice(0, good.length / 2), says: /no whole JSON document/ },
  { name: 'emptied by a power cut', text: () => '', says: /it is empty/ },
  { name: 'full of zeros', text: (good) => '\0'.repeat(good.length), says: /no whole JSON/ },
  { name: 'another document', text: () => '[]', says: /no JSON object/ },
  { name: 'without a version', text: () => '{}', says: /formatVersion is missing/ },
  { name: 'without its content', text: () => '{"formatVersion":1}', says: /is no (text|list)/ },
];
for (const file of ['certificate.json', 'previous-certificate.json', 'order.json', 'ledger.json']) {
  for (const { name, text, says } of damages) {
    test(`${file} ${name}: set aside, told, and the rest goes on`, async (t) => {
      const dir = await folder(t);
      const before = await opened(dir);
      await before.saveBundle(bundleA, directory);
      await before.saveBundle(bundleB, directory);
      await before.saveOrder(orderFor(issuedA));
      await before.changeLedger(() => ledger);
      const path = join(dir, file);
      const damaged = text(await readFile(path, 'utf8'));
      await writeFile(path, damaged);

      const store = await opened(dir);
      const state = await store.read();
      const [problem, ...others] = told(state.problems);
      assert.deepEqual(others, []);
      assert.ok(problem);
      assert.match(problem, says);
      assert.ok(problem.startsWith(`${path} is damaged: `) && problem.includes('set aside as'), problem);
      assert.doesNotMatch(problem, /PRIVATE|BEGIN/);
      assert.equal(state.writable, true);
      assert.equal(state.wasEmpty, false);
      assert.equal(state.bundle === undefined, file === 'certificate.json');
      assert.equal(state.previous === undefined, file === 'previous-certificate.json');
      assert.equal(state.order === undefined, file === 'order.json');
      assert.equal(state.ledger === EMPTY_LEDGER, file === 'ledger.json');

      const aside = (await readdir(dir)).find((one) => one.startsWith(`${file}.damaged-`));
      assert.equal(await readFile(join(dir, aside ?? ''), 'utf8'), damaged);
      assert.deepEqual((await store.read()).problems, state.problems); // still told, and not doubled
    });
  }
}

test('a certificate whose key was cut out of it is damaged, and the sentence says so', async (t) => {
  const dir = await folder(t);
  await (await opened(dir)).saveBundle(bundleA, directory);
  await writeFile(
    join(dir, 'certificate.json'),
    JSON.stringify({ formatVersion: 1, directory, pem: issuedA.chainPem }),
  );
  const { problems, bundle } = await (await opened(dir)).read();
  assert.equal(bundle, undefined);
  assert.match(told(problems)[0] ?? '', /certificate\.json is damaged: holds no private key\./);
});

test('a damaged account is set aside, so that a new one can be made', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  await store.saveAccount({ directory, url: 'https://ca/acct/1', keyPem: issuedA.keyPem });
  const [file] = await readdir(dir);
  await writeFile(join(dir, file ?? ''), '{');
  assert.equal(await store.account(directory), undefined);
  assert.match(told((await store.read()).problems)[0] ?? '', /account-acme-v02.* is damaged/);
  await store.saveAccount({ directory, url: 'https://ca/acct/2', keyPem: issuedA.keyPem });
  assert.equal((await store.account(directory))?.url, 'https://ca/acct/2');
});

test('a file of a newer release is left alone and told; only when its place is needed it is set aside', async (t) => {
  const dir = await folder(t);
  await (await opened(dir)).saveBundle(bundleA, directory);
  const path = join(dir, 'certificate.json');
  const newer = JSON.stringify({ formatVersion: 2, certificates: [] });
  await writeFile(path, newer);

  const store = await opened(dir);
  const state = await store.read();
  assert.equal(state.bundle, undefined);
  assert.match(
    told(state.problems)[0] ?? '',
    /certificate\.json has format 2, and this release knows 1: it is left alone/,
  );
  assert.equal(await readFile(path, 'utf8'), newer);

  await store.saveBundle(bundleB, directory);
  const after = await store.read();
  assert.equal(after.bundle?.fingerprint, bundleB.fingerprint);
  assert.match(
    told(after.problems)[0] ?? '',
    /written by a newer release; it was set aside as certificate\.json\.newer-/,
  );
  const aside = (await readdir(dir)).find((name) => name.startsWith('certificate.json.newer-'));
  assert.equal(await readFile(join(dir, aside ?? ''), 'utf8'), newer);
});

test('a newer ledger is set aside even when it was never looked at', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  await writeFile(join(dir, 'ledger.json'), '{"formatVersion":2}');
  await store.changeLedger(() => ledger);
  assert.ok((await readdir(dir)).some((name) => name.startsWith('ledger.json.newer-')));
});

test('a folder where keys lay open to others is closed, and the operator is told', async (t) => {
  const dir = await folder(t);
  await (await opened(dir)).saveBundle(bundleA, directory);
  await chmod(dir, 0o755);
  await chmod(join(dir, 'certificate.json'), 0o644);
  const { problems } = await (await opened(dir)).read();
  assert.match(told(problems)[0] ?? '', /was open to others \(mode 0755\); it is 0700 now/);
  assert.equal(await modeOf(dir), 0o700);
  assert.equal(await modeOf(join(dir, 'certificate.json')), 0o600);
});

test('a fresh volume that is open to others is closed without a word', async (t) => {
  const dir = await folder(t);
  await mkdir(dir);
  await chmod(dir, 0o777);
  assert.deepEqual(told((await (await opened(dir)).read()).problems), []);
  assert.equal(await modeOf(dir), 0o700);
});

test('what certbot left in the folder stays, and counts as nothing of ours', async (t) => {
  const dir = await folder(t);
  await mkdir(join(dir, 'live', 'a.net'), { recursive: true });
  await writeFile(join(dir, 'cli.ini'), 'email = a@a.net');
  await writeFile(join(dir, 'other.json.1234.tmp'), '');
  const { wasEmpty, writable } = await (await opened(dir)).read();
  assert.deepEqual([wasEmpty, writable], [true, true]);
  assert.deepEqual((await readdir(dir)).sort(), ['cli.ini', 'live', 'other.json.1234.tmp']);
});

test('a file in the place of the folder: told, no throw, and saving fails with the same sentence', async (t) => {
  const dir = await folder(t);
  await writeFile(dir, '');
  const store = await opened(dir);
  const { problems, writable, wasEmpty, bundle } = await store.read();
  assert.deepEqual([writable, wasEmpty, bundle], [false, true, undefined]);
  assert.match(told(problems)[0] ?? '', /state cannot be written \(EEXIST\): nothing is ordered.*must be a folder/);
  assert.equal(await store.account(directory), undefined);
  await assert.rejects(store.saveOrder(orderFor(issuedA)), /order\.json cannot be written .*must be a folder/);
});

test('a folder that cannot be written: told with the uid that needs it; mended, it is used again', async (t) => {
  const dir = await folder(t);
  const parent = join(dir, '..');
  await chmod(parent, 0o555); // a folder of our own we would mend; below this one it can't even be made
  const back = asNobody();
  const allow = async () => {
    back();
    await chmod(parent, 0o755).catch(() => undefined); // gone already, when all went well
  };
  t.after(allow);

  const store = new Store(dir);
  await store.open();
  const state = await store.read();
  assert.equal(state.writable, false);
  assert.match(
    told(state.problems)[0] ?? '',
    /cannot be written \(EACCES\): nothing is ordered until it can.*chown -R \d+ /,
  );
  await assert.rejects(store.saveBundle(bundleA, directory), /cannot be written/);

  await allow();
  const mended = await store.read();
  assert.equal(mended.writable, true);
  assert.deepEqual(told(mended.problems), []);
  await store.saveBundle(bundleA, directory);
  assert.equal(await pemIn(dir, 'certificate.json'), bundleA.pem);
});

test('a certificate that is there but cannot be read forbids ordering, and is not taken for none', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  await mkdir(join(dir, 'certificate.json')); // reading fails for root too
  const { writable, problems } = await store.read();
  assert.equal(writable, false);
  assert.match(told(problems)[0] ?? '', /certificate\.json cannot be read \(EISDIR\): nothing is ordered/);
  await rm(join(dir, 'certificate.json'), { recursive: true });
  assert.equal((await store.read()).writable, true);
});

test('a certificate or a ledger that cannot be read is not replaced', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  for (const name of ['certificate.json', 'ledger.json']) await mkdir(join(dir, name));
  await assert.rejects(store.saveBundle(bundleA, directory), /certificate\.json cannot be read \(EISDIR\)/);
  await assert.rejects(
    store.changeLedger(() => ledger),
    /ledger\.json cannot be read \(EISDIR\)/,
  );
});

test('an account that is there but cannot be read is not replaced by a new one', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  await store.saveAccount({ directory, url: 'https://ca/acct/1', keyPem: issuedA.keyPem });
  const [file] = await readdir(dir);
  await rm(join(dir, file ?? ''));
  await mkdir(join(dir, file ?? ''));
  await assert.rejects(store.account(directory), /account-.* cannot be read \(EISDIR\)/);
});

test('an account that could not be read for a while forbids ordering no longer, though only orders read it', async (t) => {
  const dir = await folder(t);
  const store = await opened(dir);
  const account = { directory, url: 'https://ca/acct/1', keyPem: issuedA.keyPem };
  await store.saveAccount(account);
  const [file = ''] = await readdir(dir);
  await rename(join(dir, file), join(dir, 'away'));
  await mkdir(join(dir, file));
  await assert.rejects(store.account(directory), /EISDIR/);
  assert.equal((await store.read()).writable, false);
  await rm(join(dir, file), { recursive: true });
  await rename(join(dir, 'away'), join(dir, file));
  const { writable, problems } = await store.read();
  assert.equal(writable, true);
  assert.deepEqual(told(problems), []);
  assert.deepEqual(await store.account(directory), account);
});

test('the accounts that are kept are listed, without their keys', async (t) => {
  const store = await opened(await folder(t));
  assert.deepEqual(await store.accounts(), []);
  const url = 'https://acme-v02.api.letsencrypt.org/acme/acct/1';
  await store.saveAccount({ directory, url, keyPem: 'a key' });
  await store.saveAccount({ directory: staging, url: undefined, keyPem: 'another' });
  const listed = [...(await store.accounts())].sort((a, b) => (a.directory < b.directory ? -1 : 1));
  assert.deepEqual(listed, [
    { directory: staging, url: undefined },
    { directory, url },
  ]);
});

/** Root may write everywhere, so as root the test goes on as nobody. Returns the way back. */
function asNobody(): () => void {
  if (process.geteuid?.() !== 0) return () => undefined;
  process.seteuid?.(65534);
  return () => process.seteuid?.(0);
}

test('who only looks finds what is there and leaves no trace, not even of a damaged file', async (t) => {
  const dir = await folder(t);
  const looker = new Store(dir);
  await looker.openToLook();
  assert.deepEqual([(await looker.read()).wasEmpty, (await looker.read()).writable], [true, true]);
  await assert.rejects(stat(dir), 'a folder that is not there is not made');

  const keeper = await opened(dir);
  await keeper.saveBundle(bundleA, directory);
  await writeFile(join(dir, 'ledger.json'), '{');
  await chmod(dir, 0o755);
  const traces = async () => {
    const { mtimeMs, ctimeMs } = await stat(dir);
    return [mtimeMs, ctimeMs, await readdir(dir)];
  };
  const before = await traces();
  const second = new Store(dir);
  await second.openToLook();
  const { bundle, wasEmpty, writable, problems } = await second.read();
  assert.deepEqual([bundle?.fingerprint, wasEmpty, writable], [bundleA.fingerprint, false, true]);
  assert.match(
    told(problems).join(),
    /ledger\.json is damaged: .* The program will set it aside and go on without it$/,
  );
  assert.deepEqual(await traces(), before);
});
