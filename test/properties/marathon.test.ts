/**
 * Marathon's answers, bent: a value or a MarathonError, in time; what is read of an env is what is written back.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { hostPort, isCurrent, isHealthy, isSettled, normaliseId, readApp } from '../../src/marathon/app.ts';
import { MarathonClient } from '../../src/marathon/client.ts';
import { MarathonError, refusal } from '../../src/marathon/error.ts';
import { appUpdate } from '../../src/marathon/update.ts';
import { startCannedMarathon } from '../support/canned-marathon.ts';
import { anyText, assertPrintable, holds } from './holds.ts';
import { mutations } from './mutated.ts';

const FIXTURES = new URL('../fixtures/marathon/', import.meta.url);
const LONGEST_MESSAGE = 2_000;
const fixture = (name: string): unknown => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'));
const apps = readdirSync(FIXTURES)
  .filter((name) => name.startsWith('app-get.'))
  .map((name) => (fixture(name) as { body: unknown }).body);
const errors = (fixture('error-bodies.json') as { cases: { status: number; body?: unknown }[] }).cases;

/** Undefined: it was refused, as it should be. */
function orRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof MarathonError, `${error}`);
    assertMessage(error);
    return undefined;
  }
}

function assertMessage({ message }: Error): void {
  assertPrintable(message, LONGEST_MESSAGE);
  assert.doesNotMatch(message, /PRIVATE KEY|\[object/);
}

const bent = fc.tuple(fc.constantFrom(...apps), mutations).map(([body, mutate]) => mutate(body));

holds('an app that is bent is read or refused, and whatever is asked of it has an answer', bent, (body) => {
  const app = orRefused(() => readApp(body));
  if (app === undefined) return;
  assert.equal(normaliseId(app.id), app.id);
  for (const task of app.tasks) {
    assert.equal(typeof isCurrent(app, task), 'boolean');
    assert.equal(typeof isHealthy(app, task), 'boolean');
    assert.ok([undefined, 'number'].includes(typeof hostPort(app, task, 80)) || hostPort(app, task, 80) === undefined);
  }
  assert.equal(typeof isSettled(app), 'boolean');
  assert.ok(Object.values(app.labels).every((label) => typeof label === 'string'));
});

const variable = fc.oneof(
  fc.stringMatching(/^[A-Z_]{1,9}$/),
  fc.constantFrom('__proto__', 'constructor', '', 'a b', 'ä'),
);
const envValue = fc.oneof(fc.string({ unit: 'binary' }), anyText('-----BEGIN'), fc.record({ secret: fc.string() }));

holds(
  'what was read of an env goes back as it came, but for what we set',
  fc.record({
    env: fc.dictionary(variable, envValue, { maxKeys: 12 }),
    pem: fc.string(),
    app: fc.constantFrom(...apps),
  }),
  ({ env, pem, app }) => {
    const body = { app: { ...(app as { app: object }).app, env } };
    const update = orRefused(() => appUpdate(readApp(JSON.parse(JSON.stringify(body))), { HAPROXY_SSL_CERT: pem }));
    if (update === undefined) return;
    assert.deepEqual(
      Object.keys(update).filter((key) => ['id', 'version'].includes(key)),
      [],
    );
    const sent = new Map(Object.entries((JSON.parse(JSON.stringify(update)) as { env: object }).env));
    assert.equal(sent.get('HAPROXY_SSL_CERT'), JSON.parse(JSON.stringify(pem)));
    const others = Object.entries(JSON.parse(JSON.stringify(env)) as object).filter(
      ([name]) => name !== 'HAPROXY_SSL_CERT',
    );
    assert.deepEqual(
      [...sent].filter(([name]) => name !== 'HAPROXY_SSL_CERT'),
      others,
    );
  },
);

holds(
  'a refusal is a sentence that may be printed, whatever was answered',
  fc.record({
    status: fc.integer({ min: 300, max: 599 }),
    contentType: fc.constantFrom(
      'application/json',
      'text/html',
      '',
      'application/problem+json; charset=x',
      'text/plain',
    ),
    text: fc.oneof(
      fc.tuple(fc.constantFrom(...errors), mutations).map(([{ body }, mutate]) => JSON.stringify(mutate(body)) ?? ''),
      anyText('<', '<title>', '</title>', '<script>', '>', '{', '"', '-----BEGIN PRIVATE KEY-----', '\u001b['),
      fc
        .constant('{"message":"x","deployments":[')
        .map((head) => `${head}${'{"id":"aaaaaaaaaaaaaaaa"},'.repeat(9_000)}{}]}`),
    ),
  }),
  (reply) => {
    const error = refusal('PUT /v2/apps/marathon-lb', reply);
    assertMessage(error);
    assert.equal(error.status, reply.status);
    assert.ok(error.message.startsWith(`Marathon: PUT /v2/apps/marathon-lb: ${reply.status} `));
  },
);

/** One server for all runs: what it answers is the next value drawn. */
async function asked(
  t: TestContext,
  call: (client: MarathonClient, signal: AbortSignal) => Promise<unknown>,
  bodies: fc.Arbitrary<unknown>,
) {
  let body: unknown;
  const { url } = await startCannedMarathon(t, () => ({
    body: JSON.stringify(body) ?? 'null',
    headers: { 'Content-Type': 'application/json' },
  }));
  const client = new MarathonClient({ urls: [url], auth: { kind: 'none' }, timeoutMs: 5_000 });
  const check = async (drawn: unknown): Promise<void> => {
    body = drawn;
    await call(client, AbortSignal.timeout(5_000)).catch((error: unknown) => {
      assert.ok(error instanceof MarathonError, `${error}`);
      assertMessage(error);
    });
  };
  await fc.assert(fc.asyncProperty(bodies, check), { numRuns: 60, seed: 1 });
}

const bentFixture = (name: string): fc.Arbitrary<unknown> => {
  const { body, cases } = fixture(name) as { body?: unknown; cases?: { body?: unknown }[] };
  const whole = body ?? cases?.[0]?.body ?? fixture(name);
  return mutations.map((mutate) => mutate(whole));
};

test('bent deployments are read or refused', (t) =>
  asked(t, (client, signal) => client.deployments(signal), bentFixture('deployments.json')));
test('a bent launch queue is read or refused', (t) =>
  asked(t, (client, signal) => client.queue(signal), bentFixture('queue-stuck.json')));
test('bent versions are read or refused', (t) =>
  asked(
    t,
    (client, signal) => client.pastLabels('/a', signal),
    mutations.map((mutate) => mutate({ versions: ['2021-05-01T10:00:00.000Z', '2'] })),
  ));
