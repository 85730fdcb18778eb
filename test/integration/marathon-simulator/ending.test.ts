/** However a simulator ends, alone or within a test, its tasks end with it: their children too. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../../support/until.ts';
import { processesIn } from './processes.ts';

const CLI = fileURLToPath(new URL('../../marathon-simulator/cli.ts', import.meta.url));
const STORY = fileURLToPath(new URL('orphans-story.ts', import.meta.url));
const SHELL = { id: '/shell', cmd: 'sleep 1000; true' };

type Program = ChildProcessByStdio<null, Readable, null>;

async function ownFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ending-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function run(t: TestContext, argv: readonly string[], TMPDIR: string): Program {
  const env = { ...process.env, TMPDIR, NODE_TEST_CONTEXT: undefined };
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function firstLine(child: Program): Promise<string> {
  const [line] = (await once(child.stdout, 'data', { signal: AbortSignal.timeout(60_000) })) as [Buffer];
  return line.toString();
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`npm run simulator, ${signal} while a task runs: exit 0, no process and no folder stays`, async (t) => {
    const folder = await ownFolder(t);
    const child = run(t, [CLI, '--port', '0', '--agents', '127.41.6.2', '--quiet'], folder);
    const { listening } = JSON.parse(await firstLine(child)) as { listening: string };
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify(SHELL);
    assert.equal((await fetch(`${listening}/v2/apps`, { method: 'POST', headers, body })).status, 201);
    await until(async () => (await processesIn(folder)).length === 2, 'the shell and its child to run');
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    await until(async () => (await processesIn(folder)).length === 0, 'both to end');
    assert.deepEqual(await readdir(folder), []);
  });
}

for (const { how, signal, ends } of [
  { how: 'is ended by a signal that its test does not know', signal: 'SIGTERM', ends: [null, 'SIGTERM'] },
  { how: 'is in a test that crashes', signal: 'SIGUSR2', ends: [1, null] },
] as const) {
  test(`a simulator that ${how} takes its tasks with it`, async (t) => {
    const folder = await ownFolder(t);
    const child = run(t, [STORY, folder], folder);
    assert.equal(await firstLine(child), 'running\n');
    await until(async () => (await processesIn(folder)).length === 3, 'all tasks to run');
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), ends);
    await until(async () => (await processesIn(folder)).length === 0, 'all tasks to end');
  });
}
