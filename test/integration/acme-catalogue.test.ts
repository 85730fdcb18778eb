/**
 * Whatever a CA may say, and each way of not reaching it: from its bytes on a socket to the sentence on `/api/status`,
 * and to what the program does next.
 *
 * Every row (acme-rows/) runs the whole program. The texts are Let's Encrypt's own (Boulder's va, ra, ratelimits, policy
 * and wfe2 packages), Pebble's, or those of a proxy. Who is blamed shows in what is ordered next and in when the same is
 * tried again.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Bytes, json, type Script, type Step, startCannedCa } from '../support/canned-ca.ts';
import { startProgram, type Told } from '../support/one-program.ts';
import { until } from '../support/until.ts';
import { ACCOUNT, LIMITS } from './acme-rows/limits.ts';
import { REACHING, SICKNESS } from './acme-rows/reaching.ts';
import { ORDER, REFUSED_NAMES } from './acme-rows/refusals.ts';
import { A, at, B, FIRST_WAIT, MINUTE, problem, type Row, refusal, SECOND } from './acme-rows/row.ts';
import { VALIDATION } from './acme-rows/validation.ts';

const ROWS: readonly Row[] = [
  ...VALIDATION,
  ...REFUSED_NAMES,
  ...LIMITS,
  ...ACCOUNT,
  ...ORDER,
  ...SICKNESS,
  ...REACHING,
];

test('what a CA may say, and what becomes of it', { concurrency: 8 }, async (t) => {
  await Promise.all(ROWS.map((row) => t.test(row.name, (t) => play(t, row))));
});

async function play(t: TestContext, row: Row): Promise<void> {
  const { domains = [A, B], blames, env = {} } = row;
  const ca = await startCannedCa(t, row.ca, row.tls);
  const directoryUrl = (await row.directoryUrl?.(t, ca)) ?? ca.directoryUrl;
  const program = await startProgram(t, { directoryUrl, domains, env });
  const rest = domains.filter((name) => !blames.includes(name));
  const expected = row.orders ?? (typeof blames === 'string' || rest.length === 0 ? [domains] : [domains, rest]);
  let last: Told | null = null;
  const settled = async (): Promise<Told | false> => {
    last = await program.told();
    return last !== null && ca.orders().length >= expected.length && hasSaid(last, row) && last;
  };
  const told = await until(settled, row.name, 40_000).catch((error: Error) => {
    throw new Error(`${error.message}; it says ${JSON.stringify(last)}; orders ${JSON.stringify(ca.orders())}`);
  });
  assert.deepEqual(ca.orders(), expected, 'the orders that were asked for');
  const proved = ca.asked.filter(({ step }) => step === 'challenge').flatMap(({ names }) => names);
  assert.deepEqual(proved, [...new Set(proved)], 'what was proved once is not proved again');
  for (const { who, sentence, until: then } of blamed(told, row)) {
    assert.ok(sentence.includes(row.words), sentence);
    assert.match(sentence, row.cure);
    const named = typeof row.wait === 'object' ? row.wait[who] : row.wait;
    const wait = typeof named === 'number' ? named : FIRST_WAIT[named ?? 'order'];
    const waits = Date.parse(then) - Date.parse(told.at);
    assert.ok(Math.abs(waits - wait) <= wait * 0.11 + 20 * SECOND, `tried again after ${waits / MINUTE} minutes`);
  }
}

interface Blame {
  readonly who: string;
  readonly sentence: string;
  readonly until: string;
}

/** Of each name that is blamed; or of all of them, for which the plan itself speaks. */
function blamed({ certificate }: Told, { blames }: Row): readonly Blame[] {
  if (typeof blames === 'string') {
    const next = /next try (\S+Z)/.exec(certificate.why)?.[1];
    return next === undefined || certificate.state !== 'backing-off'
      ? []
      : [{ who: blames, sentence: certificate.why, until: next }];
  }
  return certificate.names.flatMap(({ name, obstacle }) =>
    obstacle?.from === 'ca' ? [{ who: name, sentence: obstacle.why, until: obstacle.until }] : [],
  );
}

function hasSaid(told: Told, row: Row): boolean {
  const found = blamed(told, row);
  if (typeof row.blames === 'string') return found.length === 1;
  assert.ok(
    found.every(({ who }) => row.blames.includes(who)),
    'somebody else is blamed',
  );
  return found.length === row.blames.length;
}

test('the state folder cannot be written: nothing is asked of the CA, and the cure is told', async (t) => {
  const ca = await startCannedCa(t, () => undefined);
  const inTheWay = { STATE_DIR: join(import.meta.filename, 'state') };
  const program = await startProgram(t, { directoryUrl: ca.directoryUrl, domains: [A, B], env: inTheWay });
  const told = await until(async () => (await program.told())?.certificate, 'a plan');
  assert.equal(told.state, 'not-writable');
  assert.match(told.why, /nothing is ordered until it can; STATE_DIR must be a folder, and a file is in its way/);
  assert.deepEqual(ca.asked, []);
});

const HELD: readonly { readonly what: string; readonly ca: Script }[] = [
  { what: 'each name', ca: ({ step }) => (step === 'challenge' ? json(200, problem('dns', 'NXDOMAIN')) : undefined) },
  { what: 'these names', ca: at('newOrder', refusal(429, 'rateLimited', 'too many for this exact set')) },
  {
    what: 'the account, for as long as the CA has asked for',
    ca: at('newOrder', {
      ...refusal(429, 'rateLimited', 'too many new orders (300) from this account'),
      headers: { 'Retry-After': '122400' },
    }),
  },
  { what: 'the CA', ca: at('newOrder', refusal(500, 'serverInternal', 'Error creating new order')) },
];

test('what has to wait waits on after a restart, until the same moment, and the CA is not asked', {
  concurrency: 4,
}, async (t) => {
  await Promise.all(HELD.map((row) => t.test(row.what, (t) => waitsOn(t, row.ca))));
});

async function waitsOn(t: TestContext, script: Script): Promise<void> {
  const ca = await startCannedCa(t, script);
  const folder = await mkdtemp(join(tmpdir(), 'held-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const held = async (one: TestContext): Promise<Told['certificate']> => {
    const env = { STATE_DIR: join(folder, 'state') };
    const program = await startProgram(one, { directoryUrl: ca.directoryUrl, domains: [A, B], env });
    const told = async () => (await program.told())?.certificate;
    return until(async () => {
      const certificate = await told();
      return certificate?.state === 'backing-off' && certificate;
    }, 'it to back off');
  };
  const said: Told['certificate'][] = [];
  await t.test('the first task', async (one) => void said.push(await held(one)));
  const asked = ca.asked.length;
  await t.test('the next one, on its folder', async (one) => void said.push(await held(one)));
  assert.deepEqual(said[1], said[0]);
  assert.match(said[0]?.why ?? '', /next try \S+Z/);
  assert.equal(ca.asked.length, asked, 'requests to the CA');
}

/** What needs no operator: the program helps itself, and the order goes on. */
interface Handled {
  readonly name: string;
  /** Made anew for each CA, for it remembers. */
  readonly ca: () => Script;
  readonly env?: Readonly<Record<string, string>>;
  /** How often each was asked for. */
  readonly steps: Partial<Record<Step, number>>;
}

const once = (step: Step, answer: Bytes) => (): Script => {
  let told = false;
  return (asked) => {
    if (told || asked.step !== step) return undefined;
    told = true;
    return answer;
  };
};

const HANDLED: readonly Handled[] = [
  {
    name: 'an account that the CA has forgotten is registered anew with the same key',
    ca: once('newOrder', refusal(400, 'accountDoesNotExist', 'No account exists with the provided key')),
    steps: { newAccount: 2, newOrder: 2 },
  },
  ...['unsupportedContact', 'invalidContact'].map((type) => ({
    name: `an address that the CA does not take is left out: ${type}`,
    ca:
      (): Script =>
      ({ step, payload }) =>
        step === 'newAccount' && 'contact' in payload
          ? refusal(400, type, 'contact email has invalid domain')
          : undefined,
    env: { LETSENCRYPT_EMAIL: 'me@a.example' },
    steps: { newAccount: 2, newOrder: 1 },
  })),
  {
    name: 'a nonce that is spent is replaced',
    ca: once('newOrder', refusal(400, 'badNonce', 'JWS has an invalid anti-replay nonce')),
    steps: { newOrder: 2 },
  },
  {
    name: 'an order that is not ready yet is waited for',
    ca: once('finalize', refusal(403, 'orderNotReady', 'Order is not ready')),
    steps: { newOrder: 1, finalize: 2 },
  },
  {
    name: 'a finalize whose answer is lost is not sent blindly again',
    ca: once('finalize', { fault: 'reset' }),
    steps: { newOrder: 1, finalize: 2 },
  },
  {
    name: 'a broken read is repeated',
    ca: once('authz', { fault: 'reset' }),
    steps: { newOrder: 1, authz: 3 },
  },
];

test('what a CA may say that the program answers by itself', { concurrency: 8 }, async (t) => {
  await Promise.all(HANDLED.map((row) => t.test(row.name, (t) => goesOn(t, row))));
});

async function goesOn(t: TestContext, { ca: script, env = {}, steps }: Handled): Promise<void> {
  const ca = await startCannedCa(t, script());
  const program = await startProgram(t, { directoryUrl: ca.directoryUrl, domains: [A, B], env });
  const count = (step: string): number => ca.asked.filter((asked) => asked.step === step).length;
  await until(
    () => count('finalize') >= (steps.finalize ?? 1) && count('order') > 1,
    'the order to be finalized',
    40_000,
  );
  const found = Object.keys(steps).map((step) => [step, count(step)]);
  assert.deepEqual(Object.fromEntries(found), steps);
  assert.equal((await program.told())?.certificate.state, 'ordering');
}
