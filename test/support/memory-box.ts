/**
 * A process in the 128 MB of its definition: as root in a memory cgroup, as Docker and Mesos would have it; everywhere the
 * kernel's own high-water mark tells how much it had.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { imageFlags } from './image-flags.ts';
import { until } from './until.ts';

export const MIB = 1024 * 1024;
const LIMIT_MIB = 128;
/** The rest is for what a busy machine makes of the order of things. */
export const ENOUGH_MIB = 0.75 * LIMIT_MIB;

export interface Boxed {
  readonly child: ChildProcess;
  /** All that it said, and how it ended if it did. */
  readonly told: () => string;
  /** The most that it had so far, in MiB, without the pages of the node binary, which are the kernel's to keep or drop. */
  readonly peak: () => number;
}

/** Node with the image's flags; killed, and its cgroup taken away, when the test ends. */
export function startBoxed(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>>): Boxed {
  const cgroup = box();
  // Into its cgroup before the program starts, so that every byte of it counts.
  const enter = cgroup === undefined ? 'exec "$@"' : `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`;
  const child = spawn('sh', ['-c', enter, 'sh', process.execPath, ...imageFlags(), ...args], {
    env: { ...env, PATH: process.env.PATH ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk));
  t.after(async () => {
    child.kill('SIGKILL');
    await until(() => child.exitCode !== null || child.signalCode !== null, 'the process has ended');
    if (cgroup !== undefined) await until(() => rmdirSync(cgroup) ?? true, 'its cgroup is empty');
  });
  t.diagnostic(cgroup === undefined ? 'no cgroup to be had: by the high-water mark alone' : `in ${cgroup}`);
  const ended = (): string =>
    (child.exitCode ?? child.signalCode) === null ? '' : `ended: ${child.exitCode ?? child.signalCode}`;
  return { child, told: () => `${said}${ended()}`, peak: () => peakOf(child) };
}

/** A memory cgroup of its own, where this user may have one. */
function box(): string | undefined {
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const folder = join('/sys/fs/cgroup', v2 ? '' : 'memory', `letsencrypt-dcos-${process.pid}-${Date.now()}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, v2 ? 'memory.max' : 'memory.limit_in_bytes'), String(LIMIT_MIB * MIB));
    return folder;
  } catch {
    return undefined;
  }
}

function peakOf({ pid }: ChildProcess): number {
  const memory = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [most = 0, file = 0] = ['VmHWM', 'RssFile'].map((name) =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(memory)?.[1]),
  );
  return (most - file) / 1024;
}
