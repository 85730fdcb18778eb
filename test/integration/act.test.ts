/** What the plan's actions leave behind when something goes wrong: in the ledger, in the folder, and at the CA. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { obtain } from '../../src/acme/order.ts';
import { AcmeError } from '../../src/acme/problem.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { Actions } from '../../src/act.ts';
import { type Failure, type Ledger, withFailures } from '../../src/certificates/ledger.ts';
import { specFor } from '../../src/certificates/spec.ts';
import { createLog } from '../../src/log.ts';
import { MarathonClient } from '../../src/marathon/client.ts';
import { Peers } from '../../src/peers.ts';
import { Store } from '../../src/store.ts';
import { listenPublic } from '../../src/web/public.ts';
import { type CannedMarathon, startCannedMarathon } from '../support/canned-marathon.ts';
import { CURRENT, failure, loadBalancer, NAMES, NOW, observation, SETTINGS, SLOT } from '../support/observation.ts';
import { type Pebble, startPebble } from '../support/pebble.ts';

const never = new AbortController().signal;
const replacement = { at: NOW, slot: SLOT, fingerprint: 'AA' };
const install = { kind: 'install', bundle: CURRENT, slots: [SLOT], replacement, keep: false } as const;
const seen = observation({ loadBalancer: loadBalancer({ env: {}, version: 'v1' }) });
const APP = { app: { id: '/marathon-lb', version: 'v1', instances: 2, env: { OTHER: 'stays' }, deployments: [] } };

type Obtain = ConstructorParameters<typeof Actions>[0]['obtain'];

async function actions(t: TestContext, marathon: CannedMarathon, pebble?: Pebble, ca?: Obtain) {
  const folder = await mkdtemp(join(tmpdir(), 'act-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const store = new Store(folder);
  await store.open();
  const challenges = new Challenges();
  const directoryUrl = pebble?.directoryUrl ?? 'https://ca.invalid/dir';
  const client = { email: undefined, timeoutMs: 20_000, proxyEnv: {}, userAgent: 'test' };
  const authority = openAuthority({ directoryUrl, caPem: pebble?.caPem, ...client });
  const acting = new Actions({
    directoryUrl,
    settingsMark: SETTINGS,
    marathon: new MarathonClient({ urls: [marathon.url], auth: { kind: 'none' }, timeoutMs: 5_000 }),
    store,
    obtain: ca ?? ((spec, resume, deps) => obtain(spec, resume, { ...deps, challenges, authority })),
    log: createLog({ level: 'silent' }),
    wake: () => {},
  });
  return { acting, store, challenges, folder };
}

test('Marathon refuses the PUT that answers a replacement: the replacement is not counted, the refusal is told', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: APP }, { status: 500, body: { message: 'oops' } }]);
  const { acting, store } = await actions(t, marathon);
  await acting.carryOut(install, seen, never);
  assert.deepEqual((await store.read()).ledger.replacements, []);
  assert.equal(acting.failedInstall?.count, 1);
  assert.match(acting.failedInstall?.problem ?? '', /PUT .*500 oops/);
});

test('Marathon takes it: the replacement is counted, and what was posted is remembered', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: APP }, { body: { deploymentId: 'd-1', version: 'v2' } }]);
  const { acting, store } = await actions(t, marathon);
  await acting.carryOut(install, seen, never);
  const { ledger } = await store.read();
  assert.deepEqual(ledger.replacements, [replacement]);
  assert.deepEqual(ledger.posted, { [SLOT]: CURRENT.fingerprint });
  assert.deepEqual([acting.deploymentId, acting.failedInstall], ['d-1', undefined]);
  assert.deepEqual(JSON.parse(marathon.asked.at(-1)?.body ?? '').env, { OTHER: 'stays', [SLOT]: CURRENT.pem });
});

test('somebody has changed marathon-lb since it was looked at: nothing is put, it is looked at again', async (t) => {
  const marathon = await startCannedMarathon(t, [{ body: { app: { ...APP.app, version: 'v2' } } }]);
  const { acting } = await actions(t, marathon);
  await acting.carryOut(install, seen, never);
  assert.deepEqual(
    marathon.asked.map(({ method }) => method),
    ['GET'],
  );
});

test('a CA whose certificates are over at once: none is kept, and the next order has to wait', async (t) => {
  const domains = ['a.example'];
  const marathon = await startCannedMarathon(t, [{ body: APP }]);
  const httpPort = 5_002;
  const pebble = await startPebble(t, {
    httpPort,
    strictness: 'calm',
    validitySeconds: 1,
    defaultAddress: '127.31.91.2',
  });
  const { acting, store, challenges } = await actions(t, marathon, pebble);
  const listener = await listenPublic({
    host: '127.31.91.2',
    port: httpPort,
    challenges,
    peers: new Peers(undefined),
    isAlive: () => true,
  });
  t.after(() => listener.close());
  await acting.carryOut({ kind: 'issue', spec: specFor(domains, 'ec256'), resume: undefined }, seen, never);
  await acting.idle();
  const { bundle, order, ledger } = await store.read();
  assert.deepEqual([bundle, order, pebble.orders()], [undefined, undefined, 1]);
  assert.match(ledger.failures[0]?.problem ?? '', /the certificate that the CA sent: .*(expired|due for renewal)/);
  assert.equal(ledger.issued.length, 1, 'the CA has counted it');
  assert.equal(ledger.orders.length, 1);
});

const issueBoth = { kind: 'issue', spec: specFor(NAMES, 'ec256'), resume: undefined } as const;

/** One order at this CA, and what the ledger says afterwards. */
async function ordered(t: TestContext, ca: Obtain) {
  const marathon = await startCannedMarathon(t, []);
  const parts = await actions(t, marathon, undefined, ca);
  await parts.acting.carryOut(issueBoth, seen, never);
  await parts.acting.idle();
  return { ...parts, ...(await parts.store.read()) };
}

test('killed just when the CA is asked for an order: it is counted all the same', async (t) => {
  const { ledger, store } = await ordered(t, async (_spec, _resume, { journal }) => {
    await journal.noteOrder('https://ca.invalid/dir', NAMES);
    throw new DOMException('This operation was aborted', 'AbortError');
  });
  assert.deepEqual(
    ledger.orders.map(({ directory }) => directory),
    ['https://ca.invalid/dir'],
  );
  assert.equal((await store.read()).order, undefined);
});

test("an order that ends by our own stop is nobody's failure", async (t) => {
  const marathon = await startCannedMarathon(t, []);
  const stop = new AbortController();
  const { acting, store } = await actions(t, marathon, undefined, async (_spec, _resume, { signal }) => {
    stop.abort();
    signal.throwIfAborted();
    return CURRENT;
  });
  await acting.carryOut(issueBoth, seen, stop.signal);
  await acting.idle();
  assert.deepEqual((await store.read()).ledger.failures, []);
  assert.equal(acting.order, undefined);
});

test('a certificate came: it is counted, the failures of its names are forgotten, and it is kept', async (t) => {
  let before: Ledger | undefined;
  const holder: { store?: Store } = {};
  const marathon = await startCannedMarathon(t, []);
  const { acting, store } = await actions(t, marathon, undefined, async () => {
    before = (await holder.store?.read())?.ledger;
    return CURRENT;
  });
  holder.store = store;
  const [aboutA, aboutC] = ['a.net', 'c.net'].map((name) =>
    failure({ directory: 'https://ca.invalid/dir', scope: 'name', names: [name], at: new Date() }),
  ) as [Failure, Failure];
  await store.changeLedger((ledger) => withFailures(ledger, [aboutA, aboutC]));
  await acting.carryOut(issueBoth, seen, never);
  await acting.idle();
  const { ledger, bundle } = await store.read();
  assert.equal(before?.failures.length, 2);
  assert.deepEqual(
    ledger.failures.map(({ names }) => names),
    [['c.net']],
  );
  assert.deepEqual(
    ledger.issued.map(({ fingerprint }) => fingerprint),
    [CURRENT.fingerprint],
  );
  assert.equal(bundle?.fingerprint, CURRENT.fingerprint);
});

test('a certificate came and the disk does not take it: it is counted, and what failed is told', async (t) => {
  const marathon = await startCannedMarathon(t, []);
  const holder: { folder?: string } = {};
  const { acting, store, folder } = await actions(t, marathon, undefined, async () => {
    // In the way of the file, and not of the ledger's.
    await mkdir(join(holder.folder ?? '', 'certificate.json', 'in-the-way'), { recursive: true });
    return CURRENT;
  });
  holder.folder = folder;
  await acting.carryOut(issueBoth, seen, never);
  await acting.idle();
  const { ledger, writable } = await store.read();
  assert.equal(ledger.issued.length, 1);
  assert.match(ledger.failures[0]?.problem ?? '', /certificate\.json/);
  assert.deepEqual([ledger.failures[0]?.scope, writable], ['certificate', false]);
});

test('two names of an order are to blame: each is in the ledger by itself, at one moment, with the mark of the settings', async (t) => {
  const problems = ['a.net', 'b.net'].map((domain) => ({ type: 'connection', detail: 'Connection refused', domain }));
  const { ledger } = await ordered(t, () =>
    Promise.reject(new AcmeError({ type: 'connection', detail: 'two', subproblems: problems })),
  );
  assert.deepEqual(
    ledger.failures.map(({ scope, names, pace, settings, directory }) => [scope, names, pace, settings, directory]),
    [
      ['name', ['a.net'], 'name', SETTINGS, 'https://ca.invalid/dir'],
      ['name', ['b.net'], 'name', SETTINGS, 'https://ca.invalid/dir'],
    ],
  );
  assert.equal(ledger.failures[0]?.at.getTime(), ledger.failures[1]?.at.getTime());
});

test('the ledger cannot be written: the CA is not asked, and the folder says why', async (t) => {
  let asked = false;
  const marathon = await startCannedMarathon(t, []);
  const { acting, store, folder } = await actions(t, marathon, undefined, async (_spec, _resume, { journal }) => {
    await journal.noteOrder('https://ca.invalid/dir', NAMES);
    asked = true;
    return CURRENT;
  });
  await mkdir(join(folder, 'ledger.json', 'in-the-way'), { recursive: true });
  await acting.carryOut(issueBoth, seen, never);
  await acting.idle();
  const { writable, problems } = await store.read();
  assert.deepEqual([asked, writable], [false, false]);
  assert.match(problems.join(), /ledger\.json/);
});

test('a new certificate that was asked for is asked for until an order begins, and no longer', async (t) => {
  const marathon = await startCannedMarathon(t, []);
  const { acting } = await actions(t, marathon, undefined, async () => {
    throw new AcmeError({ type: 'serverInternal', detail: 'not now' });
  });
  acting.askRenewal();
  assert.ok(acting.renewAskedAt !== undefined);
  await acting.carryOut({ kind: 'issue', spec: specFor(NAMES, 'ec256'), resume: undefined }, seen, never);
  assert.equal(acting.renewAskedAt, undefined);
  await acting.idle();
  assert.equal(acting.renewAskedAt, undefined, 'a failed order has its own time, and is not hurried');
});

test('what had failed is lifted in the folder, for this CA alone, and is kept for its limits', async (t) => {
  const { acting, store } = await actions(t, await startCannedMarathon(t, []));
  const [here, elsewhere] = ['https://ca.invalid/dir', 'https://other.invalid/dir'].map((directory) =>
    failure({ directory, at: NOW }),
  );
  await store.changeLedger((ledger) => ({ ...ledger, failures: [here, elsewhere].filter((one) => one !== undefined) }));
  await acting.liftHolds();
  const { failures } = (await store.read()).ledger;
  assert.deepEqual(
    failures.map(({ directory, lifted }) => [directory, lifted]),
    [
      ['https://ca.invalid/dir', true],
      ['https://other.invalid/dir', undefined],
    ],
  );
});
