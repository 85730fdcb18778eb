/** What the plan's actions leave behind when something goes wrong: in the ledger, in the folder, and at the CA. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { obtain } from '../../src/acme/order.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { Actions } from '../../src/act.ts';
import { specFor } from '../../src/certificates/spec.ts';
import { createLog } from '../../src/log.ts';
import { MarathonClient } from '../../src/marathon/client.ts';
import { Peers } from '../../src/peers.ts';
import { Store } from '../../src/store.ts';
import { listenPublic } from '../../src/web/server.ts';
import { type CannedMarathon, startCannedMarathon } from '../support/canned-marathon.ts';
import { CURRENT, loadBalancer, NOW, observation, SETTINGS, SLOT } from '../support/observation.ts';
import { type Pebble, startPebble } from '../support/pebble.ts';

const never = new AbortController().signal;
const replacement = { at: NOW, slot: SLOT, fingerprint: 'AA' };
const install = { kind: 'install', bundle: CURRENT, slots: [SLOT], replacement, keep: false } as const;
const seen = observation({ loadBalancer: loadBalancer({ env: {}, version: 'v1' }) });
const APP = { app: { id: '/marathon-lb', version: 'v1', instances: 2, env: { OTHER: 'stays' }, deployments: [] } };

async function actions(t: TestContext, marathon: CannedMarathon, pebble?: Pebble) {
  const folder = await mkdtemp(join(tmpdir(), 'act-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const store = new Store(folder);
  await store.open();
  const challenges = new Challenges();
  const directoryUrl = pebble?.directoryUrl ?? 'https://ca.invalid/dir';
  const ca = { email: undefined, timeoutMs: 20_000, proxyEnv: {}, userAgent: 'test' };
  const authority = openAuthority({ directoryUrl, caPem: pebble?.caPem, ...ca });
  const acting = new Actions({
    directoryUrl,
    settingsMark: SETTINGS,
    marathon: new MarathonClient({ urls: [marathon.url], auth: { kind: 'none' }, timeoutMs: 5_000 }),
    store,
    obtain: (spec, resume, deps) => obtain(spec, resume, { ...deps, challenges, authority }),
    log: createLog({ level: 'silent' }),
    wake: () => {},
  });
  return { acting, store, challenges };
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
});
