/**
 * The state folder on parts that fail for real: a disk that is full, a mount that is read-only, somebody else's folder,
 * odd things in the places of files, two processes at once, kills at any moment. Never a throw at the start, never a
 * lost key, always a sentence, and well again by itself when the part is.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { type OrderProgress, obtain } from '../../src/acme/order.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { Actions } from '../../src/act.ts';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { withInstalled } from '../../src/certificates/ledger.ts';
import { specFor } from '../../src/certificates/spec.ts';
import { createLog } from '../../src/log.ts';
import { plan } from '../../src/plan/plan.ts';
import { type OrderInFlight, Store } from '../../src/store.ts';
import { issue } from '../support/certificates.ts';
import { loadBalancer, observation, policy } from '../support/observation.ts';
import { type Pebble, startPebble } from '../support/pebble.ts';
import { until } from '../support/until.ts';

const directory = 'https://acme-v02.api.letsencrypt.org/directory';
const NAMES = ['a.net', 'b.net'];
const issuedA = issue({ domains: NAMES });
const issuedB = issue({ domains: NAMES });
const bundleA = CertificateBundle.parse(issuedA.pem);
const bundleB = CertificateBundle.parse(issuedB.pem);
const account = { directory, url: 'https://ca/acct/1', keyPem: issuedA.keyPem };
const order: OrderInFlight = {
  ...{ directory, url: 'https://ca/order/1', domains: NAMES, keyPem: issuedB.keyPem },
  createdAt: new Date('2026-11-22T10:00:00Z'),
};

async function folder(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'faults-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  return join(parent, 'state');
}

async function opened(dir: string): Promise<Store> {
  const store = new Store(dir);
  await store.open();
  return store;
}

/** Everything that a folder can hold. */
async function filled(dir: string): Promise<Store> {
  const store = await opened(dir);
  await store.saveAccount(account);
  await store.saveBundle(bundleA, directory);
  await store.saveBundle(bundleA, directory);
  await store.saveOrder(order);
  await store.changeLedger((ledger) => withInstalled(ledger, 'AA:BB'));
  return store;
}

const told = (problems: readonly string[]) => problems.filter((sentence) => !sentence.includes('ends with this task'));

/** A disk of its own for the folder: a megabyte. */
async function disk(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', dir]);
  t.after(async () => {
    execFileSync('umount', ['-l', dir]);
    await rm(dir, { recursive: true });
  });
  return dir;
}

/** Until nothing more fits. */
function fill(dir: string): void {
  const file = openSync(join(dir, 'somebody-elses-log'), 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  } finally {
    closeSync(file);
  }
}
const makeRoom = (dir: string): Promise<void> => rm(join(dir, 'somebody-elses-log'));

// Disks and mounts

test('a full disk: what is there is read, nothing is replaced by less, nothing is ordered; with room it is well again', async (t) => {
  const dir = await disk(t);
  await filled(dir);
  fill(dir);
  const store = await opened(dir);
  const full = await store.read();
  assert.deepEqual([full.writable, full.bundle?.pem, full.order], [false, bundleA.pem, order]);
  assert.match(told(full.problems).join(), /cannot be written \(ENOSPC\): nothing is ordered until it can; make room/);
  await assert.rejects(store.saveBundle(bundleB, directory), /ENOSPC/);
  await assert.rejects(
    store.saveOrder({ ...order, url: 'https://ca/order/2' }),
    /order\.json cannot be written \(ENOSPC/,
  );
  assert.deepEqual(await store.account(directory), account);
  const after = await store.read();
  assert.deepEqual([after.bundle?.pem, after.order], [bundleA.pem, order]);

  await makeRoom(dir);
  const well = await store.read();
  assert.deepEqual([well.writable, told(well.problems)], [true, []]);
  await store.saveBundle(bundleB, directory);
  assert.equal((await store.read()).bundle?.pem, bundleB.pem);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('room for a probe, and not for our ledger: one save fails, and nothing is ordered until there is room', async (t) => {
  const dir = await disk(t);
  const store = await opened(dir);
  const room = join(dir, 'somebody-elses');
  await writeFile(room, Buffer.alloc(200_000));
  fill(dir);
  await rm(room);
  const long = Array.from({ length: 200 }, (_, n) => `${n}`.padStart(2_000, 'A'));
  await assert.rejects(
    store.changeLedger((ledger) => ({ ...ledger, installed: long })),
    /ENOSPC/,
  );
  for (const look of ['the next look', 'the one after']) assert.equal((await store.read()).writable, false, look);
  await makeRoom(dir);
  assert.equal((await store.read()).writable, true);
});

test('one file that cannot be replaced: nothing is ordered until it can', async (t) => {
  const dir = await disk(t);
  const store = await filled(dir);
  const ledger = join(dir, 'ledger.json');
  execFileSync('mount', ['--bind', ledger, ledger]); // a mount point can be written, and not renamed over: EBUSY
  await assert.rejects(
    store.changeLedger((before) => withInstalled(before, 'CC:DD')),
    /ledger\.json cannot be written/,
  );
  for (const look of ['the next look', 'the one after']) assert.equal((await store.read()).writable, false, look);
  execFileSync('umount', [ledger]);
  assert.equal((await store.read()).writable, true);
  assert.deepEqual((await store.read()).ledger.installed, ['AA:BB']);
});

test('a mount that turns read-only: read all the same, nothing is ordered; mounted for writing it is well again', async (t) => {
  const dir = await disk(t);
  const store = await filled(dir);
  execFileSync('mount', ['-o', 'remount,ro', dir]);
  await assert.rejects(store.saveBundle(bundleB, directory), /EROFS\).*mount it read-write/);
  for (const one of [store, await opened(dir)]) {
    const { writable, bundle, problems } = await one.read();
    assert.deepEqual([writable, bundle?.pem], [false, bundleA.pem]);
    assert.match(told(problems).join(), /cannot be written \(EROFS\).*mount it read-write/);
  }
  execFileSync('mount', ['-o', 'remount,rw', dir]);
  const { writable, problems } = await store.read();
  assert.deepEqual([writable, told(problems)], [true, []]);
});

test('read-only and damaged: the damaged file stays where it is and is told, the others are read', async (t) => {
  const dir = await disk(t);
  await filled(dir);
  await writeFile(join(dir, 'ledger.json'), '{"formatVersion":1,');
  execFileSync('mount', ['-o', 'remount,ro', dir]);
  const { bundle, problems } = await (await opened(dir)).read();
  assert.equal(bundle?.pem, bundleA.pem);
  assert.match(told(problems).join('\n'), /ledger\.json is damaged.*could not be set aside \(EROFS\)/);
});

test("somebody else's folder: told with our uid, not taken for an empty one; given to us it is well again", async (t) => {
  const dir = await folder(t);
  await filled(dir);
  await chmod(join(dir, '..'), 0o755);
  await chmod(dir, 0o000);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  const store = new Store(dir);
  await store.open();
  const closed = await store.read();
  if (isRoot) process.seteuid?.(0);
  assert.deepEqual([closed.writable, closed.bundle], [false, undefined]);
  assert.match(
    told(closed.problems).join('\n'),
    /certificate\.json cannot be read \(EACCES\): nothing is ordered.*chown -R/,
  );

  await chmod(dir, 0o700);
  const well = await store.read();
  assert.deepEqual([well.writable, well.wasEmpty, well.bundle?.pem], [true, false, bundleA.pem]);
  assert.deepEqual(told(well.problems), []);
});

const places: readonly {
  name: string;
  lay: (dir: string) => Promise<unknown>;
  mend: (dir: string) => Promise<unknown>;
}[] = [
  { name: 'a link that leads nowhere', lay: (dir) => symlink(`${dir}.far`, dir), mend: (dir) => mkdir(`${dir}.far`) },
  {
    name: 'a link to itself',
    lay: (dir) => symlink(dir, dir),
    mend: (dir) => rm(dir),
  },
  { name: 'a file', lay: (dir) => writeFile(dir, ''), mend: (dir) => rm(dir) },
  { name: 'a pipe', lay: async (dir) => execFileSync('mkfifo', [dir]), mend: (dir) => rm(dir) },
];
for (const { name, lay, mend } of places) {
  test(`${name} in the place of the folder: told, nothing thrown; mended it is used`, async (t) => {
    const dir = await folder(t);
    await lay(dir);
    const store = await opened(dir);
    const bad = await store.read();
    assert.deepEqual([bad.writable, bad.bundle], [false, undefined]);
    assert.match(told(bad.problems).join('\n'), /state cannot be (written|read) \(E[A-Z]+\)/);
    await mend(dir);
    assert.equal((await store.read()).writable, true);
    await store.saveBundle(bundleA, directory);
    assert.equal((await (await opened(dir)).read()).bundle?.pem, bundleA.pem);
  });
}

test('a link to a folder is as good as the folder', async (t) => {
  const dir = await folder(t);
  await mkdir(`${dir}.far`);
  await symlink(`${dir}.far`, dir);
  await filled(dir);
  assert.equal((await (await opened(`${dir}.far`)).read()).bundle?.pem, bundleA.pem);
});

// Odd things in the place of a file

const accountFile = async (dir: string): Promise<string> =>
  (await readdir(dir)).find((name) => name.startsWith('account-')) ?? '';
const FILES = ['certificate.json', 'previous-certificate.json', 'order.json', 'ledger.json', 'account'];
const oddities: readonly {
  readonly name: string;
  readonly lay: (path: string) => Promise<unknown>;
  readonly says: RegExp | undefined;
  /** Nothing is ordered until somebody has looked at it. */
  readonly blocks: boolean;
}[] = [
  {
    name: 'a pipe that nobody writes to',
    lay: async (path) => execFileSync('mkfifo', [path]),
    says: /is damaged: it is no file \(a pipe/,
    blocks: false,
  },
  {
    name: '64 MiB',
    lay: async (path) => {
      await writeFile(path, '{"formatVersion":1,"pem":"');
      await truncate(path, 64 * 1024 * 1024);
    },
    says: /is damaged: it has 67108864 bytes/,
    blocks: false,
  },
  { name: 'a folder', lay: (path) => mkdir(path), says: /cannot be read \(EISDIR\): nothing is ordered/, blocks: true },
  { name: 'a link to itself', lay: (path) => symlink(path, path), says: /cannot be read \(ELOOP\)/, blocks: true },
  {
    name: 'a link that leads nowhere',
    lay: (path) => symlink(`${path}.nowhere`, path),
    says: undefined,
    blocks: false,
  },
  {
    name: 'a file of a release to come',
    lay: (path) => writeFile(path, '{"formatVersion":99,"pem":7}'),
    says: /has format 99, and this release knows 1/,
    blocks: false,
  },
];
for (const { name, lay, says, blocks } of oddities) {
  test(`${name} in the place of any file: told, the others are read, nothing hangs`, { timeout: 60_000 }, async (t) => {
    for (const file of FILES) {
      const dir = await folder(t);
      await filled(dir);
      const path = join(dir, file === 'account' ? await accountFile(dir) : file);
      await rm(path, { force: true });
      await lay(path);
      const store = await opened(dir);
      const found = file === 'account' ? await store.account(directory).catch(() => undefined) : undefined;
      const state = await store.read();
      assert.equal(found, undefined);
      assert.equal(state.bundle?.pem, file === 'certificate.json' ? undefined : bundleA.pem, file);
      assert.equal(state.writable, !blocks || file === 'account' ? state.writable : false, file);
      assert.match(told(state.problems).join('\n'), says ?? /^$/, file);
      if (blocks) continue;
      await store.saveAccount(account);
      await store.saveBundle(bundleB, directory);
      await store.saveOrder(order);
      await store.changeLedger((ledger) => withInstalled(ledger, 'CC'));
      const after = await (await opened(dir)).read();
      assert.deepEqual([after.bundle?.pem, after.ledger.installed.at(-1), after.writable], [bundleB.pem, 'CC', true]);
    }
  });
}

test('a wrong type in any field of any file: nothing is thrown, the others are read, and all can be saved', async (t) => {
  const dir = await folder(t);
  await filled(dir);
  const wrong: readonly unknown[] = [null, 7, true, '', 'no', [], [[]], {}, { a: {} }, [null], -1];
  const secret = issuedA.keyPem.split('\n')[1] ?? '';
  let cases = 0;
  for (const file of FILES) {
    const path = join(dir, file === 'account' ? await accountFile(dir) : file);
    const good = JSON.parse(await readFile(path, 'utf8').catch(() => '{"formatVersion":1}'));
    for (const field of Object.keys(good)) {
      for (const value of wrong) {
        await writeFile(path, JSON.stringify({ ...good, [field]: value }));
        const store = await opened(dir);
        const state = await store.read();
        await store.account(directory);
        if (file !== 'certificate.json') assert.equal(state.bundle?.pem, bundleA.pem, `${file}: ${field}`);
        assert.ok(!state.problems.join('\n').includes(secret), state.problems.join('\n'));
        cases += 1;
      }
    }
    await writeFile(path, JSON.stringify(good));
  }
  assert.ok(cases > 150, String(cases));
  const store = await opened(dir);
  await store.saveBundle(bundleB, directory);
  assert.equal((await store.read()).bundle?.pem, bundleB.pem);
});

// Orders

/** A CA and a program's hands, but for Marathon. */
async function acting(t: TestContext) {
  const challenges = new Challenges();
  const server = createServer((request, response) => {
    const answer = challenges.answerTo(request.url?.split('/').at(-1) ?? '');
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const pebble = await startPebble(t, { httpPort: (server.address() as AddressInfo).port });
  return { pebble, challenges };
}

type AtStep = (step: OrderProgress['step']) => void;

function hands(
  store: Store,
  { pebble, challenges }: { pebble: Pebble; challenges: Challenges },
  atStep: AtStep = () => {},
) {
  const { directoryUrl, caPem } = pebble;
  const ca = { directoryUrl, caPem, email: undefined, timeoutMs: 20_000, proxyEnv: {}, userAgent: 'test' };
  const authority = openAuthority(ca);
  const marathon = { app: () => assert.fail('no install'), putEnv: () => assert.fail('no install') };
  return new Actions({
    ...{ directoryUrl, store, marathon, settingsMark: 'mark', log: createLog({ level: 'silent' }), wake: () => {} },
    obtain: (spec, resume, deps) => {
      const onProgress = (progress: OrderProgress): void => {
        deps.onProgress(progress);
        atStep(progress.step);
      };
      return obtain(spec, resume, { ...deps, challenges, authority, onProgress });
    },
  });
}

const issueFor = (resume: OrderInFlight | undefined) =>
  ({ kind: 'issue', spec: specFor(NAMES, 'ec256'), resume }) as const;

test('the disk is full when the certificate comes: its key is safe, and with room the same certificate is fetched', async (t) => {
  const ca = await acting(t);
  const dir = await disk(t);
  const store = await opened(dir);
  const first = hands(store, ca, (step) => {
    if (step === 'downloading') fill(dir);
  });
  await first.carryOut(issueFor(undefined), observation(), AbortSignal.timeout(50_000));
  await first.idle();
  const full = await store.read();
  assert.deepEqual([full.writable, full.bundle, ca.pebble.issued()], [false, undefined, 1]);
  assert.ok(full.order, 'the order and its key are kept');
  const { certificate, actions } = plan(
    observation({ stored: full, at: new Date(), loadBalancer: loadBalancer({ env: {} }) }),
    policy({ directoryUrl: ca.pebble.directoryUrl }),
  );
  assert.deepEqual([certificate.bundle, actions], [undefined, []]);
  assert.match(certificate.why, /ENOSPC\).*make room/);

  await makeRoom(dir);
  const restarted = await opened(dir);
  const found = await restarted.read();
  assert.deepEqual([found.writable, found.order?.keyPem], [true, full.order.keyPem]);
  const second = hands(restarted, ca);
  await second.carryOut(issueFor(found.order), observation(), AbortSignal.timeout(50_000));
  await second.idle();
  const { bundle, order: left } = await restarted.read();
  assert.ok(bundle?.holdsKey(full.order.keyPem));
  assert.deepEqual([ca.pebble.orders(), ca.pebble.issued(), left], [1, 1, undefined]);
});

test('the disk is full before the order is sent: the CA is asked for none', async (t) => {
  const ca = await acting(t);
  const dir = await disk(t);
  const store = await opened(dir);
  const first = hands(store, ca, (step) => {
    if (step === 'key') fill(dir);
  });
  await first.carryOut(issueFor(undefined), observation(), AbortSignal.timeout(50_000));
  await first.idle();
  assert.deepEqual([ca.pebble.orders(), (await store.read()).writable], [0, false]);
  assert.match(told((await store.read()).problems).join(), /ENOSPC/);
});

test('two processes on one folder: the second goes on with the order of the first, and the CA sees one', async (t) => {
  const ca = await acting(t);
  const dir = await folder(t);
  const [one, two] = [await opened(dir), await opened(dir)];
  const signal = AbortSignal.timeout(50_000);
  const follower = hands(two, ca);
  let joined: Promise<void> | undefined;
  const join2 = async (): Promise<void> => {
    const { order: shared } = await two.read();
    assert.ok(shared, 'the order of the other one');
    await follower.carryOut(issueFor(shared), observation(), signal);
    await follower.idle();
  };
  const leader = hands(one, ca, (step) => {
    if (step === 'validating') joined ??= join2();
  });
  await leader.carryOut(issueFor(undefined), observation(), signal);
  await leader.idle();
  await joined;
  const [a, b] = [await one.read(), await two.read()];
  assert.deepEqual([ca.pebble.orders(), ca.pebble.issued(), a.order], [1, 1, undefined]);
  assert.ok(a.bundle && a.bundle.fingerprint === b.bundle?.fingerprint);
  assert.equal(ca.pebble.counts().newAccount, 1);
});

// Processes

/** Saves one thing after the other, for ever; a line for each that has been saved. */
const SAVER = `
  import { Store } from ${JSON.stringify(new URL('../../src/store.ts', import.meta.url).href)};
  import { CertificateBundle } from ${JSON.stringify(new URL('../../src/certificates/bundle.ts', import.meta.url).href)};
  import { withInstalled } from ${JSON.stringify(new URL('../../src/certificates/ledger.ts', import.meta.url).href)};
  const [, dir, who, ...pems] = process.argv;
  const bundles = pems.map((pem) => CertificateBundle.parse(pem));
  const keys = pems.map((pem) => pem.slice(pem.indexOf('-----BEGIN PRIVATE')));
  const directory = 'https://ca/dir';
  const store = new Store(dir);
  await store.open();
  for (let i = 0; ; i += 1) {
    const domains = ['a.net'];
    await store.saveAccount({ directory, url: 'https://ca/acct/' + i, keyPem: keys[i % 2] });
    console.log('account ' + i);
    await store.saveOrder({ directory, url: 'https://ca/order/' + i, domains, keyPem: keys[i % 2], createdAt: new Date() });
    console.log('order ' + i);
    await store.changeLedger((ledger) => withInstalled(ledger, who + i));
    console.log('ledger ' + i);
    await store.saveBundle(bundles[i % 2], directory);
    console.log('bundle ' + i);
    const { bundle, problems } = await store.read();
    if (bundle === undefined) throw new Error('no bundle');
    for (const problem of problems) if (!problem.includes('ends with this task')) console.log('told ' + problem);
  }`;

interface Saver {
  readonly child: ChildProcess;
  /** What it was last heard to have saved, by kind. */
  readonly saved: ReadonlyMap<string, number>;
  readonly told: ReadonlySet<string>;
  readonly lines: () => number;
  readonly exit: Promise<unknown[]>;
}

function startSaver(t: TestContext, dir: string, who: string): Saver {
  const argv = ['--input-type=module', '-e', SAVER, dir, who, bundleA.pem, bundleB.pem];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const saved = new Map<string, number>();
  const sentences = new Set<string>();
  let count = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    count += 1;
    const [kind = '', text = ''] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
    if (kind === 'told') sentences.add(text);
    else saved.set(kind, Number(text));
  });
  return { child, saved, told: sentences, lines: () => count, exit: once(child, 'close') };
}

test('killed at any moment of any save: all that it said was saved is there at the next start', async (t) => {
  const dir = await folder(t);
  for (let seed = 1; seed <= 8; seed += 1) {
    const saver = startSaver(t, dir, `${seed}-`);
    await until(() => saver.lines() >= seed * 3, 'it to save', 60_000);
    await new Promise((done) => setTimeout(done, (seed * 7) % 5));
    saver.child.kill('SIGKILL');
    await saver.exit;
    const store = await opened(dir);
    const { bundle, order: held, ledger, problems, writable } = await store.read();
    const known = await store.account('https://ca/dir');
    const at = (kind: string): number => saver.saved.get(kind) ?? -1;
    const number = (url: string | undefined): number => Number(/\d+$/.exec(url ?? '')?.[0] ?? -1);
    assert.ok(bundle && [bundleA.pem, bundleB.pem].includes(bundle.pem), `seed ${seed}`);
    assert.ok(number(known?.url) >= at('account'), `seed ${seed}: account`);
    assert.ok(ledger.installed.includes(`${seed}-${at('ledger')}`), `seed ${seed}: ledger`);
    // An order whose bundle was saved is done and gone; one that was saved after that is there, with its key.
    if (at('order') > at('bundle') && held !== undefined)
      assert.ok(number(held.url) >= at('order'), `seed ${seed}: order`);
    if (held === undefined)
      assert.ok(bundle.holdsKey(at('order') % 2 === 0 ? issuedA.keyPem : issuedB.keyPem), `seed ${seed}: key`);
    assert.deepEqual([told(problems), writable], [[], true], `seed ${seed}`);
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  }
});

test('two processes that save into one folder: neither fails, no file breaks, and the operator is told', async (t) => {
  const dir = await folder(t);
  const savers = [startSaver(t, dir, 'one-'), startSaver(t, dir, 'two-')];
  const heard = (): boolean => savers.every((saver) => saver.lines() > 60 && saver.told.size > 0);
  await until(heard, 'both to have met', 60_000);
  for (const { child } of savers) assert.deepEqual([child.exitCode, child.signalCode], [null, null], 'neither failed');
  for (const { child, exit } of savers) {
    child.kill('SIGKILL');
    await exit;
  }
  const sentences = savers.flatMap((saver) => [...saver.told]);
  for (const one of sentences) assert.match(one, /was changed by another process or by hand; .*a STATE_DIR of its own/);
  const { bundle, problems } = await (await opened(dir)).read();
  assert.ok(bundle);
  assert.deepEqual(told(problems), []);
});
