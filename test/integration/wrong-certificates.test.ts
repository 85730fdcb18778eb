/**
 * What must never leave the house: certificates that a CA sends, that lie in the state folder or in marathon-lb, or that
 * another setting has left behind. The real store, planner and hands; the CA speaks HTTP, marathon-lb is an environment.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { obtain } from '../../src/acme/order.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { Actions, type Tools } from '../../src/act.ts';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { specFor } from '../../src/certificates/spec.ts';
import { createLog } from '../../src/log.ts';
import type { App } from '../../src/marathon/app.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { Store } from '../../src/store.ts';
import { type Bytes, json, type Script, startCannedCa } from '../support/canned-ca.ts';
import { type IssueOptions, issue, selfSigned } from '../support/certificates.ts';
import {
  DIRECTORY,
  holding,
  loadBalancer,
  observation,
  policy,
  routes,
  SETTINGS,
  SLOT,
  STAGING,
} from '../support/observation.ts';

const NAMES = ['a.net', 'b.net'];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MS);
const made = (differing: Partial<IssueOptions> = {}) => issue({ domains: NAMES, ...differing });
const bundleOf = (differing: Partial<IssueOptions> = {}) => CertificateBundle.parse(made(differing).pem);

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'wrong-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A program in its world: turn by turn, with whatever is in the folder and in marathon-lb's environment. */
class House {
  env: App['env'];
  readonly puts: App['env'][] = [];
  readonly orders: string[] = [];
  readonly store: Store;
  readonly #dir: string;

  constructor(dir: string, env: App['env']) {
    this.#dir = dir;
    this.env = env;
    this.store = new Store(dir);
  }

  async turn(directoryUrl: string, comes: Partial<IssueOptions> = {}, takeOver = false): Promise<Plan> {
    const at = new Date();
    const stored = await this.store.read();
    const seen = observation({
      ...{ at, stored, routes: routes({}, { at }), pastNames: [] },
      loadBalancer: this.#loadBalancer(),
    });
    const planned = plan(seen, policy({ directoryUrl, takeOver, restore: false }));
    const actions = this.#actions(directoryUrl, comes);
    for (const action of planned.actions) {
      await actions.carryOut(action, seen, AbortSignal.timeout(20_000));
      await actions.idle();
    }
    return planned;
  }

  /** Until nothing more is done. */
  async settle(directoryUrl: string, comes: Partial<IssueOptions> = {}, takeOver = false): Promise<Plan> {
    for (let turns = 0; turns < 8; turns += 1) {
      const planned = await this.turn(directoryUrl, comes, takeOver);
      if (planned.actions.length === 0) return planned;
    }
    throw new Error('it never comes to rest');
  }

  #loadBalancer() {
    return loadBalancer({ env: this.env, version: `v${this.puts.length}` });
  }

  #actions(directoryUrl: string, comes: Partial<IssueOptions>): Actions {
    const marathon: Tools['marathon'] = {
      app: async () => {
        const { value } = this.#loadBalancer() as { value: App };
        return value;
      },
      putEnv: async (_app, changes) => {
        this.puts.push(changes);
        this.env = { ...this.env, ...changes };
        return { deploymentId: `d-${this.puts.length}`, version: `v${this.puts.length}` };
      },
    };
    const log = createLog({ level: 'silent' });
    return new Actions({
      ...{ directoryUrl, marathon, store: this.store, settingsMark: SETTINGS, log, wake: () => {} },
      obtain: async () => {
        this.orders.push(directoryUrl);
        return bundleOf(comes);
      },
    });
  }

  /** As an operator, or another program, may do. */
  async write(name: string, content: object): Promise<void> {
    await writeFile(join(this.#dir, name), JSON.stringify({ formatVersion: 1, ...content }));
  }

  /** Of what marathon-lb has in its first variable. */
  get deployed(): string | undefined {
    const value = this.env[SLOT];
    return typeof value === 'string' ? CertificateBundle.parse(value).fingerprint : undefined;
  }
}

async function house(t: TestContext, env: App['env'] = {}): Promise<House> {
  const made = new House(await folder(t), env);
  await made.store.open();
  return made;
}

// What a CA sends

interface Sent {
  readonly name: string;
  /** What the certificate's address gives, for the key of our order. */
  readonly body: (keyPem: string) => string;
  readonly says: RegExp;
  /** The CA may give a better answer when it is asked again: the order is not over. */
  readonly again?: true;
}

const sent: readonly Sent[] = [
  { name: 'for another key', body: () => made().chainPem, says: /private key belongs to another certificate/ },
  {
    name: 'with the chain before the certificate',
    body: (keyPem) =>
      made({ keyPem })
        .chainPem.split(/(?=-----BEGIN)/)
        .reverse()
        .join(''),
    says: /chain stands before the certificate/,
  },
  {
    name: 'that has expired',
    body: (keyPem) => made({ keyPem, notBefore: inDays(-90), notAfter: inDays(-1) }).chainPem,
    says: /it expired at/,
  },
  {
    name: 'that is not valid yet',
    body: (keyPem) => made({ keyPem, notBefore: inDays(1) }).chainPem,
    says: /not valid before .*is the clock right/,
  },
  {
    name: 'that lives for an hour',
    body: (keyPem) => made({ keyPem, notBefore: new Date(), notAfter: inDays(1 / 24) }).chainPem,
    says: /it lives 60 minutes only/,
  },
  {
    name: 'that is due for renewal as it comes',
    body: (keyPem) => made({ keyPem, notBefore: inDays(-89), notAfter: inDays(1) }).chainPem,
    says: /due for renewal already/,
  },
  {
    name: 'without one of the names',
    body: (keyPem) => made({ keyPem, domains: ['a.net'] }).chainPem,
    says: /b\.net is missing/,
  },
  {
    name: "with somebody else's name on it",
    body: (keyPem) => made({ keyPem, domains: [...NAMES, 'evil.net'] }).chainPem,
    says: /evil\.net was not asked for/,
  },
  { name: 'that is a CA', body: (keyPem) => made({ keyPem, ca: true }).chainPem, says: /is a CA certificate/ },
  {
    name: 'with the chain of another CA',
    body: (keyPem) =>
      (made({ keyPem }).chainPem.split(/(?=-----BEGIN)/)[0] ?? '') +
      (made({ issuerName: 'Other CA' }).chainPem.split(/(?=-----BEGIN)/)[1] ?? ''),
    says: /the chain is broken/,
  },
  {
    name: 'of a test CA, at a directory that is none',
    body: (keyPem) => made({ keyPem, issuerName: '(STAGING) Wannabe Watercress R11' }).chainPem,
    says: /no browser trusts it/,
  },
  {
    name: 'too big for a variable',
    body: (keyPem) => {
      const { chainPem, rootPem } = made({ keyPem });
      return chainPem + rootPem.repeat(300);
    },
    says: /one variable can safely hold 100000/,
  },
  {
    name: 'cut in the middle',
    body: (keyPem) => made({ keyPem }).chainPem.slice(0, -300),
    says: /truncated/,
  },
  { name: 'that is none', body: () => 'Sorry, try again later', says: /it is no PEM/, again: true },
  {
    name: 'with a private key in it',
    body: (keyPem) => made({ keyPem }).chainPem + made().keyPem,
    says: /2 private keys/,
  },
];

/** A CA of one order, which is valid at once and gives these bytes. */
function gives(body: () => string): Script {
  return ({ step, names, base }): Bytes | undefined => {
    if (step === 'certificate')
      return { headers: { 'Content-Type': 'application/pem-certificate-chain' }, body: body() };
    if (step !== 'finalize') return undefined;
    return json(200, {
      ...{ status: 'valid', identifiers: names.map((value) => ({ type: 'dns', value })), authorizations: [] },
      ...{ finalize: `${base}/finalize/0`, certificate: `${base}/certificate/0` },
    });
  };
}

for (const { name, body, says, again } of sent) {
  test(`the CA sends a certificate ${name}: told, never kept, never posted; what is served stays`, async (t) => {
    const dir = await folder(t);
    const store = new Store(dir);
    await store.open();
    const live = bundleOf({ notBefore: inDays(-70) });
    await store.saveBundle(live, DIRECTORY);
    const keyOfOrder = (): string => JSON.parse(readFileSync(join(dir, 'order.json'), 'utf8')).keyPem;
    const ca = await startCannedCa(
      t,
      gives(() => body(keyOfOrder())),
    );
    const where = { directoryUrl: ca.directoryUrl, caPem: undefined, email: undefined };
    const authority = openAuthority({ ...where, timeoutMs: 5_000, proxyEnv: {}, userAgent: 'test' });
    const never = (): never => assert.fail('nothing may be posted');
    const actions = new Actions({
      ...{
        directoryUrl: DIRECTORY,
        store,
        settingsMark: SETTINGS,
        wake: () => {},
        log: createLog({ level: 'silent' }),
      },
      marathon: { app: never, putEnv: never },
      obtain: (spec, resume, deps) => obtain(spec, resume, { ...deps, authority, challenges: new Challenges() }),
    });
    const issueIt = { kind: 'issue', spec: specFor(NAMES, 'ec256'), resume: undefined } as const;
    await actions.carryOut(issueIt, observation(), AbortSignal.timeout(20_000));
    await actions.idle();
    const stored = await store.read();
    assert.equal(ca.orders().length, 1);
    assert.match(stored.ledger.failures.at(-1)?.problem ?? '', says);
    assert.deepEqual([stored.bundle?.fingerprint, stored.previous], [live.fingerprint, undefined]);
    assert.equal(stored.order !== undefined, again === true);
    assert.doesNotMatch(await readFile(join(dir, 'ledger.json'), 'utf8'), /PRIVATE KEY/);
    const at = new Date();
    const seen = observation({
      at,
      stored,
      loadBalancer: loadBalancer({ env: holding(live) }),
      routes: routes({}, { at }),
    });
    assert.deepEqual(plan(seen, policy()).actions, [], 'neither posted nor ordered again at once');
  });
}

// What lies in the folder

const fakes: readonly { readonly name: string; readonly pem: () => string; readonly says: RegExp | undefined }[] = [
  { name: 'not valid yet', pem: () => made({ notBefore: inDays(1) }).pem, says: /not valid before/ },
  { name: 'a CA', pem: () => made({ ca: true }).pem, says: /is a CA certificate/ },
  { name: 'of a test CA', pem: () => made({ issuerName: '(STAGING) Test CA' }).pem, says: /no browser trusts it/ },
  { name: 'too big', pem: () => made().pem + made().rootPem.repeat(300), says: /can safely hold/ },
  {
    name: 'with a broken chain',
    pem: () => made().pem + made({ issuerName: 'Other CA' }).chainPem,
    says: /the chain is broken/,
  },
  { name: 'expired', pem: () => made({ notBefore: inDays(-91) }).pem, says: undefined },
  { name: 'without one of the names', pem: () => made({ domains: ['a.net'] }).pem, says: undefined },
  { name: 'with the key of another', pem: () => made().chainPem + made().keyPem, says: undefined },
  { name: 'with its blocks in the wrong order', pem: () => `${made().rootPem}${made().pem}`, says: undefined },
];
for (const { name, pem, says } of fakes) {
  test(`the folder holds a certificate ${name}: it is not posted${says ? ', and the reason is told' : '; another one is ordered'}`, async (t) => {
    const here = await house(t);
    await here.write('certificate.json', { directory: DIRECTORY, pem: pem() });
    const planned = await here.turn(DIRECTORY);
    assert.deepEqual(here.puts, []);
    if (says === undefined) assert.deepEqual(here.orders, [DIRECTORY]);
    else assert.match([planned.certificate.why, ...planned.notes].join('\n'), says);
  });
}

// Another directory

const PRIVATE = 'https://ca.internal/acme/directory';
const OTHER_PRIVATE = 'https://ca2.internal/acme/directory';
const ZEROSSL = 'https://acme.zerossl.com/v2/DV90';
const TEST_CA = { issuerName: '(STAGING) Wannabe Watercress R11' };

test('from production to staging and back: staging orders its own, never replaces the real one, and coming back orders nothing', async (t) => {
  const here = await house(t);
  await here.settle(DIRECTORY);
  const real = here.deployed;
  assert.deepEqual([here.orders, here.puts.length], [[DIRECTORY], 1]);

  const tried = await here.settle(STAGING, TEST_CA);
  assert.deepEqual([here.orders, here.puts.length, here.deployed], [[DIRECTORY, STAGING], 1, real]);
  assert.deepEqual([tried.certificate.state], ['not-installable']);
  assert.match(
    tried.certificate.why,
    /HAPROXY_SSL_CERT holds a certificate that browsers trust; one of a staging CA never/,
  );

  const back = await here.settle(DIRECTORY);
  assert.deepEqual([here.orders.length, here.puts.length, here.deployed], [2, 1, real]);
  assert.equal(back.certificate.bundle?.fingerprint, real);
  assert.equal((await here.store.read()).bundleDirectory, DIRECTORY);
});

test('from staging to production: the test certificate is no certificate, is replaced, and never comes back', async (t) => {
  const here = await house(t);
  await here.settle(STAGING, TEST_CA);
  const fake = here.deployed;
  await here.settle(DIRECTORY);
  const real = here.deployed;
  assert.notEqual(real, fake);
  assert.deepEqual([here.orders, here.puts.length], [[STAGING, DIRECTORY], 2]);
  const { bundle, previous } = await here.store.read();
  assert.deepEqual([bundle?.fingerprint, previous?.fingerprint], [real, fake]);

  await here.settle(STAGING, TEST_CA);
  await here.settle(DIRECTORY);
  assert.deepEqual([here.deployed, here.puts.length], [real, 2]);
});

for (const [from, to] of [
  [DIRECTORY, ZEROSSL],
  [PRIVATE, OTHER_PRIVATE],
  [PRIVATE, DIRECTORY],
] as const) {
  test(`from ${new URL(from).host} to ${new URL(to).host} and back: each time its own`, async (t) => {
    const here = await house(t);
    await here.settle(from);
    await here.settle(to);
    const second = here.deployed;
    assert.deepEqual([here.orders, here.puts.length], [[from, to], 2]);
    await here.settle(from);
    assert.deepEqual([here.orders, here.puts.length], [[from, to, from], 3]);
    assert.notEqual(here.deployed, second);
  });
}

test('one that we have replaced is not taken back from marathon-lb, though it would live longer', async (t) => {
  const [replaced, current] = [bundleOf({ notAfter: inDays(80) }), bundleOf({ notAfter: inDays(60) })];
  const here = await house(t, holding(replaced));
  await here.store.saveBundle(replaced, DIRECTORY);
  await here.store.saveBundle(current, DIRECTORY);
  await here.settle(DIRECTORY);
  assert.deepEqual([here.deployed, here.orders, here.puts.length], [current.fingerprint, [], 1]);
});

test('the folder was lost and staging is set: the real one in marathon-lb is taken for ours, and nothing is replaced', async (t) => {
  const real = bundleOf();
  const here = await house(t, holding(real));
  await here.settle(STAGING, TEST_CA);
  assert.deepEqual([here.deployed, here.puts], [real.fingerprint, []]);
});

test('the folder was lost and production is set: a test certificate in marathon-lb is replaced by a real one', async (t) => {
  const fake = bundleOf(TEST_CA);
  const here = await house(t, holding(fake));
  await here.settle(DIRECTORY);
  assert.notEqual(here.deployed, fake.fingerprint);
  assert.deepEqual([here.orders, here.puts.length], [[DIRECTORY], 1]);
});

// What is in marathon-lb

const bought = made({ domains: ['shop.net'], issuerName: 'Bought CA' });
const shadowing = made({ domains: ['a.net', 'shop.net'], issuerName: 'Bought CA' });
const slots: readonly {
  readonly name: string;
  readonly first: App['env'][string] | undefined;
  readonly takeOver?: boolean;
  /** Whether ours goes into the first variable. */
  readonly replaced: boolean;
}[] = [
  { name: 'nothing', first: undefined, replaced: true },
  { name: 'an empty text', first: ' ', replaced: true },
  { name: 'a self-signed placeholder', first: selfSigned('*').pem, replaced: true },
  {
    name: "somebody's expired one",
    first: made({ domains: ['shop.net'], notBefore: inDays(-91) }).pem,
    replaced: true,
  },
  { name: 'a bought one', first: bought.pem, replaced: false },
  { name: 'a bought one, and TAKE_OVER', first: bought.pem, takeOver: true, replaced: false },
  { name: 'a bought one with one of our names', first: shadowing.pem, replaced: false },
  { name: 'a bought one with one of our names, and TAKE_OVER', first: shadowing.pem, takeOver: true, replaced: true },
  { name: 'a secret reference', first: { secret: 'pem' }, replaced: false },
  { name: 'a secret reference, and TAKE_OVER', first: { secret: 'pem' }, takeOver: true, replaced: false },
];
for (const { name, first, takeOver = false, replaced } of slots) {
  test(`marathon-lb's first variable holds ${name}: ${replaced ? 'ours takes its place' : 'it stays, and ours goes behind it'}`, async (t) => {
    const others = { HAPROXY_SYSCTL_PARAMS: 'net.core.somaxconn=65535', PORTS: { secret: 'ports' } };
    const here = await house(t, { ...others, ...(first === undefined ? {} : { [SLOT]: first }) });
    await here.settle(DIRECTORY, {}, takeOver);
    const ours = (await here.store.read()).bundle?.pem;
    const { [SLOT]: now, [`${SLOT}0`]: next, ...rest } = here.env;
    assert.deepEqual([now, next], replaced ? [ours, undefined] : [first, ours]);
    assert.deepEqual(rest, others);
    assert.deepEqual([here.orders.length, here.puts.length], [1, 1]);
  });
}
