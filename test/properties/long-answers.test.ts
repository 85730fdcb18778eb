/**
 * Marathon's answers, each as long as is still read, again and again in the 128 MB of our definition: what is read takes
 * several times its size, and what is left of it must not wait for V8 to need it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { build } from 'esbuild';
import { builtinsAsTheyAre, REQUIRE } from '../support/bundle.mjs';
import { ENOUGH_MIB, MIB, startBoxed } from '../support/memory-box.ts';
import { until } from '../support/until.ts';

const ROUNDS = 5;

/** As many of it as make a text just shorter than so many bytes. */
function listOf(item: object, bytes: number): string {
  const one = JSON.stringify(item);
  return `[${one}${`,${one}`.repeat(Math.floor((bytes - 100) / (one.length + 1)) - 1)}]`;
}

const STEPS = Array.from({ length: 10 }, (_, n) => ({
  actions: [{ action: 'ScaleApplication', app: `/group/app-${n}` }],
}));
const DEPLOYMENT = { id: 'd', affectedApps: ['/a'], steps: STEPS, currentStep: 1, totalSteps: 10 };
const TASK = { id: 'a.1', host: '10.0.0.1', ports: [31_000], state: 'TASK_RUNNING', version: '2026-01-01T00:00:00Z' };
const APP = { id: '/a', version: 'x', instances: 1, labels: {}, env: { PEM: 'x'.repeat(20_000) } };
const WAITING = { app: APP, count: 1, delay: { overdue: true, timeLeftSeconds: 0 } };

const ANSWERS: Readonly<Record<string, string>> = {
  '/v2/apps/a': `{"app":{"id":"/a","version":"x","tasks":${listOf(TASK, 4 * MIB)}}}`,
  '/v2/apps/a/versions': JSON.stringify({ versions: Array.from({ length: 50 }, (_, n) => `version-${n}`) }),
  '/v2/apps/a/versions/': JSON.stringify({ ...APP, labels: { LONG: 'x'.repeat(4 * MIB - 30_000) } }),
  '/v2/apps': `{"apps":${listOf({ ...APP, env: {} }, 4 * MIB)}}`,
  '/v2/deployments': listOf(DEPLOYMENT, 8 * MIB),
  '/v2/queue': `{"queue":${listOf(WAITING, 8 * MIB)}}`,
};

const QUESTIONS: Readonly<Record<string, string>> = {
  'an app with thousands of tasks': "app('/a', signal)",
  'the versions of an app with a label of megabytes': "pastLabels('/a', signal)",
  'thousands of neighbours': "neighbours(['external'], signal)",
  'thousands of deployments': 'deployments(signal)',
  'a queue of hundreds of apps': 'queue(signal)',
};

async function marathon(t: TestContext): Promise<string> {
  const server = http.createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    response.setHeader('Content-Type', 'application/json').end(ANSWERS[path.replace(/version-.*$/, '')]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A program that does nothing but ask Marathon, bundled as ours is. */
async function asker(t: TestContext, url: string, question: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'asker-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const entry = join(folder, 'asker.ts');
  writeFileSync(
    entry,
    `import { MarathonClient } from ${JSON.stringify(join(import.meta.dirname, '../../src/marathon/client.ts'))};
    const marathon = new MarathonClient({ urls: ['${url}'], auth: { kind: 'none' }, timeoutMs: 30_000 });
    const signal = new AbortController().signal;
    for (let round = 1; round <= ${ROUNDS}; round++) {
      await marathon.${question};
      process.stdout.write('round ' + round + '.');
    }
    setInterval(() => undefined, 1_000);`,
  );
  const outfile = join(folder, 'asker.mjs');
  await build({
    ...{ entryPoints: [entry], outfile, bundle: true, logLevel: 'warning', platform: 'node', target: 'node24' },
    ...{ format: 'esm', plugins: [builtinsAsTheyAre], banner: REQUIRE },
  });
  return outfile;
}

for (const [what, question] of Object.entries(QUESTIONS))
  test(`${what}, ${ROUNDS} times, in 128 MB`, async (t) => {
    const { child, told, peak } = startBoxed(t, [await asker(t, await marathon(t), question)], {});
    await until(() => child.exitCode ?? child.signalCode ?? told().includes(`round ${ROUNDS}.`), 'all is read', 60_000);
    assert.match(told(), new RegExp(`round ${ROUNDS}\\.$`));
    t.diagnostic(`at most ${peak().toFixed(0)} MiB`);
    assert.ok(peak() < ENOUGH_MIB, `${peak().toFixed(0)} MiB at its peak`);
  });
