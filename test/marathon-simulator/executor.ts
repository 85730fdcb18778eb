/**
 * What stands in for Mesos and Docker: something that starts a task as a real process.
 *
 * An executor gets a `Launch` (what Mesos would have told the agent) and gives back something that can be killed and
 * that says when it has ended. Nothing it starts may outlive the simulator: `track` sees to that even when the
 * test's own process crashes or is ended by a signal; only after a SIGKILL of it there is nobody left to see to it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppDefinition, AppWithTasks } from './model.ts';

export interface Launch {
  readonly taskId: string;
  readonly app: AppDefinition;
  readonly host: string;
  /** Host ports by port index. */
  readonly ports: readonly number[];
  /** Exactly what a task gets from Marathon and Mesos, the app's own env last. */
  readonly env: Readonly<Record<string, string>>;
  readonly sandbox: string;
  /** containerPath → real folder that outlives the task. */
  readonly volumes: Readonly<Record<string, string>>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningTask {
  readonly pid: number | undefined;
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
}

export interface ClusterView {
  apps(): readonly AppWithTasks[];
  /** Called after every change of an app or a task; returns how to stop listening. */
  onChange(listener: () => void): () => void;
}

export type Executor = (launch: Launch, cluster: ClusterView) => Promise<RunningTask>;

export interface ProcessOptions {
  /** The image's entry point; the definition's `args` are appended, a `cmd` replaces it (`/bin/sh -c`). */
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** What the image's ENV, Docker's port mapping or Mesos-DNS would have done. */
  readonly extraEnv?: (launch: Launch) => Readonly<Record<string, string>>;
}

/** Each task is a process of this machine, with Marathon's environment for it and nothing of ours. */
export function processExecutor(options: ProcessOptions): Executor {
  return async (launch) => {
    const [file, ...args] = argvOf(options.argv, launch.app);
    if (file === undefined) throw new Error(`nothing to run for ${launch.app.id}`);
    const output = await openOutput(launch.sandbox);
    const child = spawn(file, args, {
      cwd: options.cwd ?? launch.sandbox,
      env: { ...launch.env, ...options.extraEnv?.(launch) },
      stdio: ['ignore', output.stdout.fd, output.stderr.fd],
      detached: true,
    });
    const started = once(child, 'spawn');
    return await started.then(() => track(child, toGroup)).finally(() => output.close());
  };
}

/** Docker's rule: `cmd` is run by a shell, `args` are given to the entry point. */
export function argvOf(entryPoint: readonly string[], app: AppDefinition): readonly string[] {
  if (app.cmd !== undefined) return ['/bin/sh', '-c', app.cmd];
  return [...entryPoint, ...(app.args ?? [])];
}

/** Mesos keeps a task's output in the files `stdout` and `stderr` of its sandbox. */
export async function openOutput(sandbox: string) {
  const [stdout, stderr] = await Promise.all([open(join(sandbox, 'stdout'), 'a'), open(join(sandbox, 'stderr'), 'a')]);
  return { stdout, stderr, close: () => Promise.all([stdout.close(), stderr.close()]) };
}

/** How a signal gets to what was spawned. */
type Send = (child: ChildProcess, signal: NodeJS.Signals) => void;

const toChild: Send = (child, signal) => void child.kill(signal);

/**
 * To everything that a `detached` child has started, too: the program below the shell of a `cmd`. Mesos' command
 * executor signals the whole tree as well.
 */
export const toGroup: Send = ({ pid }, signal) => {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it has ended by itself.
  }
};

const children = new Map<ChildProcess, Send>();
let watching = false;

/** Makes a RunningTask of a child, and makes sure that it dies with this process. */
export function track(child: ChildProcess, send: Send = toChild): RunningTask {
  watchOurEnd();
  children.set(child, send);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      children.delete(child);
      send(child, 'SIGKILL'); // a container ends with its first process
      resolve({ code, signal });
    });
  });
  const kill = (signal: NodeJS.Signals): void => {
    if (children.has(child)) send(child, signal);
  };
  return { pid: child.pid, exited, kill };
}

function watchOurEnd(): void {
  if (watching) return;
  watching = true;
  process.on('exit', killAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, dieWithoutOrphans);
}

/** A signal that nobody else handles ends this process without an 'exit' event. */
function dieWithoutOrphans(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  killAll();
  process.removeListener(signal, dieWithoutOrphans);
  process.kill(process.pid, signal);
}

function killAll(): void {
  for (const [child, send] of children) send(child, 'SIGKILL');
}
