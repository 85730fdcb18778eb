/** The demo as its user has it: a process that tells a story, and leaves nothing behind. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';

const DEMO = fileURLToPath(new URL('../demo/demo.ts', import.meta.url));

interface Run {
  readonly process: ChildProcess;
  readonly folder: string;
  readonly output: () => string;
  readonly code: Promise<number | null>;
}

async function start(t: TestContext, ...args: readonly string[]): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'demo-'));
  const child = spawn(process.execPath, [DEMO, ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const code = once(child, 'close').then(([exit]) => exit as number | null);
  t.after(async () => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  return { process: child, folder, output: () => output, code };
}

function eventsOf(output: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

/** Processes that were started with the folder in their arguments, working folder or environment. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const looks = pids.map(async (pid) => {
    const parts = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
      readlink(`/proc/${pid}/cwd`).catch(() => ''),
    ]);
    return parts.some((part) => part.includes(folder)) ? [`${pid} ${parts[0]?.replaceAll('\0', ' ')}`] : [];
  });
  return (await Promise.all(looks)).flat();
}

async function leftNothing({ folder }: Run): Promise<void> {
  await until(async () => (await processesOf(folder)).length === 0, 'all processes of the demo to end');
  assert.deepEqual(await readdir(folder), []);
}

test('npm run demo -- --once --json: one order, one deployment, every name on every instance; nothing stays', async (t) => {
  const log = join(await mkdtemp(join(tmpdir(), 'demo-log-')), 'program.log');
  t.after(() => rm(join(log, '..'), { recursive: true, force: true }));
  const demo = await start(t, '--once', '--json', '--names', '5', '--key-type', 'ec256', '--log', log);
  assert.equal(await demo.code, 0, demo.output());
  const result = eventsOf(demo.output()).at(-1) ?? {};
  const { totalMs, caMs, deployMs, ownMs, ...counts } = result;
  assert.deepEqual(counts, { result: 'served', names: 5, instances: 2, orders: 1, deployments: 1 });
  for (const ms of [totalMs, caMs, deployMs, ownMs]) assert.ok(Number(ms) >= 0, JSON.stringify(result));
  assert.ok(Number(totalMs) > 0, JSON.stringify(result));
  assert.match(await readFile(log, 'utf8'), /"msg":"certificate posted"/);
  await leftNothing(demo);
});

test('Ctrl-C in the middle of the demo: it ends at once, says so, and nothing stays', async (t) => {
  const demo = await start(t, '--json');
  await until(() => demo.output().includes('"posted"'), 'the app to be posted', 60_000);
  demo.process.kill('SIGINT');
  assert.equal(await demo.code, 1);
  assert.deepEqual(eventsOf(demo.output()).at(-1), { result: 'failed', why: 'it was stopped' });
  await leftNothing(demo);
});

test('the demo stays up with a status page and a certificate until Ctrl-C', async (t) => {
  const demo = await start(t, '--json', '--names', '1', '--key-type', 'ec256');
  await until(() => demo.output().includes('"result"'), 'the result', 90_000);
  const status = eventsOf(demo.output()).find(({ event }) => event === 'status');
  const reply = await fetch(String(status?.url));
  assert.equal(reply.status, 200);
  assert.match(await reply.text(), /"state": "live"/);
  demo.process.kill('SIGINT');
  assert.equal(await demo.code, 0);
  await leftNothing(demo);
});
