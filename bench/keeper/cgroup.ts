/**
 * The app definition's `cpus: 0.05, mem: 128` as Mesos and Docker make it: a cgroup with a CPU quota and a limit of memory.
 *
 * Version 1 and version 2 of the kernel's interface; root may make them. A process enters before it becomes the program,
 * so that its start counts.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from './stage.ts';

const ROOT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

export interface Limits {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** The app definition's. */
export const LIMITS: Limits = { cpus: 0.05, memoryBytes: 128 * MIB };

/** What the kernel counted. */
export interface Spent {
  /** Held up for want of quota, in seconds. */
  readonly throttledSeconds: number;
  readonly cpuSeconds: number;
  /** Charged at most, pages of files that it was the first to read included; in bytes. */
  readonly peakBytes: number;
  readonly killed: number;
}

export interface Cgroup {
  /** What a shell does to become a part of it. */
  readonly enter: string;
  spent(): Spent;
  /** When all its processes have ended. */
  remove(): void;
}

let made = 0;

export function makeCgroup(limits: Limits): Cgroup {
  const name = `keeper-${process.pid}-${++made}`;
  return existsSync(join(ROOT, 'cgroup.controllers')) ? version2(name, limits) : version1(name, limits);
}

function version1(name: string, { cpus, memoryBytes }: Limits): Cgroup {
  const [cpu, account, memory] = ['cpu', 'cpuacct', 'memory'].map((controller) => join(ROOT, controller, name));
  if (cpu === undefined || account === undefined || memory === undefined) throw new Error('no controllers');
  const folders = [...new Set([cpu, account, memory])];
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  writeFileSync(join(cpu, 'cpu.cfs_period_us'), String(PERIOD_US));
  writeFileSync(join(cpu, 'cpu.cfs_quota_us'), String(PERIOD_US * cpus));
  writeFileSync(join(memory, 'memory.limit_in_bytes'), String(memoryBytes));
  return {
    enter: folders.map((folder) => `echo 0 > ${folder}/cgroup.procs`).join(' && '),
    spent: () => ({
      throttledSeconds: figure(join(cpu, 'cpu.stat'), 'throttled_time') / 1e9,
      cpuSeconds: Number(readFileSync(join(account, 'cpuacct.usage'), 'utf8')) / 1e9,
      peakBytes: Number(readFileSync(join(memory, 'memory.max_usage_in_bytes'), 'utf8')),
      killed: figure(join(memory, 'memory.oom_control'), 'oom_kill'),
    }),
    remove: () => folders.map((folder) => rmdirSync(folder)),
  };
}

function version2(name: string, { cpus, memoryBytes }: Limits): Cgroup {
  const folder = join(ROOT, name);
  writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+cpu +memory');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cpu.max'), `${PERIOD_US * cpus} ${PERIOD_US}`);
  writeFileSync(join(folder, 'memory.max'), String(memoryBytes));
  return {
    enter: `echo 0 > ${folder}/cgroup.procs`,
    spent: () => ({
      throttledSeconds: figure(join(folder, 'cpu.stat'), 'throttled_usec') / 1e6,
      cpuSeconds: figure(join(folder, 'cpu.stat'), 'usage_usec') / 1e6,
      peakBytes: Number(readFileSync(join(folder, 'memory.peak'), 'utf8')),
      killed: figure(join(folder, 'memory.events'), 'oom_kill'),
    }),
    remove: () => rmdirSync(folder),
  };
}

/** One of a file's lines `name value`. */
function figure(file: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? Number.NaN);
}
