/**
 * Any bytes in any file of the state folder: the store reads on, loses none of them, and tells none of them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { EMPTY_LEDGER } from '../../src/certificates/ledger.ts';
import { NewerFormat, readAccount, readCertificate, readLedger, readOrder } from '../../src/state-files.ts';
import { Store } from '../../src/store.ts';
import { issue } from '../support/certificates.ts';
import { assertPrintable, holds } from './holds.ts';
import { mutations } from './mutated.ts';

const DIRECTORY = 'https://ca.test/directory';
const issued = issue({ domains: ['a.shop.net'] });
const KEY_LINE = issued.keyPem.split('\n')[1] ?? '';
const order = {
  directory: DIRECTORY,
  url: 'https://ca.test/o/1',
  domains: ['a.shop.net'],
  keyPem: issue({ domains: ['x.net'] }).keyPem,
  createdAt: new Date('2026-03-01T00:00:00Z'),
};
const account = { directory: DIRECTORY, url: 'https://ca.test/a/1', keyPem: issued.keyPem };

/** What the store itself writes for each of its nouns. */
const GOOD: Readonly<Record<string, string>> = await written();

async function written(): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'state-'));
  const store = new Store(folder);
  await store.open();
  const bundle = CertificateBundle.parse(issued.pem);
  await store.saveBundle(CertificateBundle.parse(issue({ domains: ['old.net'] }).pem), DIRECTORY);
  await store.saveBundle(bundle, DIRECTORY);
  await store.saveOrder(order);
  await store.saveAccount(account);
  await store.changeLedger((ledger) => ({
    ...ledger,
    installed: [bundle.fingerprint],
    posted: { HAPROXY_SSL_CERT: bundle.fingerprint },
  }));
  const files = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
  rmSync(folder, { recursive: true });
  return Object.fromEntries(files);
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const spoilt = (text: string): fc.Arbitrary<Buffer> =>
  fc.oneof(
    mutations.map((mutate) => Buffer.from(JSON.stringify(mutate(JSON.parse(text))) ?? '')),
    share.map((where) => Buffer.from(text.slice(0, Math.floor(where * text.length)))),
    fc.tuple(share, fc.nat(255)).map(([where, byte]) => {
      const bytes = Buffer.from(text);
      bytes[Math.floor(where * (bytes.length - 1))] = byte;
      return bytes;
    }),
    fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom('', '\ufeff{}', '{}', '[]', '{"formatVersion":2}', '{"formatVersion":"1"}', '\0'.repeat(4_096))
      .map((odd) => Buffer.from(odd)),
    fc.constant(Buffer.from(text)),
  );
const files = Object.keys(GOOD);
const folders = fc.record(Object.fromEntries(files.map((name) => [name, spoilt(GOOD[name] ?? '')])));

holds(
  'a folder of spoilt files is read without a throw, nothing in it is lost, and no key is told',
  folders,
  async (contents) => {
    const folder = mkdtempSync(join(tmpdir(), 'state-'));
    try {
      for (const [name, bytes] of Object.entries(contents)) writeFileSync(join(folder, name), bytes);
      const store = new Store(folder);
      await store.open();
      const state = await store.read();
      for (const problem of state.problems) assertTold(problem);
      assert.equal(state.ledger === undefined, false);
      await store.account(DIRECTORY).catch((error: Error) => assertTold(error.message));
      const kept = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
      for (const [name, bytes] of Object.entries(contents))
        assert.ok(
          kept.some((one) => one.equals(bytes)),
          `${name} is lost`,
        );
      assert.equal(kept.length, files.length, 'and nothing is there twice');
      const again = await store.read();
      assert.deepEqual({ ...again, problems: [] }, { ...state, problems: [] });
      if (state.writable) await assertUsable(store);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60,
);

function assertTold(sentence: string): void {
  assertPrintable(sentence, 1_000);
  assert.doesNotMatch(sentence, /PRIVATE KEY/);
  assert.ok(!sentence.includes(KEY_LINE.slice(0, 20)), sentence);
}

async function assertUsable(store: Store): Promise<void> {
  await store.changeLedger(() => EMPTY_LEDGER);
  await store.saveOrder(order);
  const { order: kept, ledger } = await store.read();
  assert.deepEqual(kept, order);
  assert.deepEqual(ledger, EMPTY_LEDGER);
}

const readers = { readAccount, readCertificate, readLedger, readOrder };

holds(
  'a reader gives its noun, or throws one sentence',
  fc.tuple(
    fc.constantFrom(...Object.values(readers)),
    fc.constantFrom(...files).chain((name) => spoilt(GOOD[name] ?? '')),
  ),
  ([reader, bytes]) => {
    try {
      reader(bytes.toString());
    } catch (error) {
      assert.ok(
        error instanceof Error && !(error instanceof TypeError || error instanceof RangeError),
        `${(error as Error).stack}`,
      );
      assert.equal((error as NodeJS.ErrnoException).code, undefined, 'the store would take it for the disk');
      assertTold(error.message);
    }
  },
);

test('what the store writes, its readers read', () => {
  const text = (prefix: string): string => GOOD[files.find((name) => name.startsWith(prefix)) ?? ''] ?? '';
  assert.deepEqual(readOrder(text('order')), order);
  assert.deepEqual(readAccount(text('account')), account);
  assert.equal(readCertificate(text('certificate')).bundle.fingerprint, issued.fingerprint);
  assert.deepEqual(readLedger(text('ledger')).installed, [issued.fingerprint]);
  assert.throws(() => readOrder('{"formatVersion":2}'), NewerFormat);
});
