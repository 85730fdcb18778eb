/**
 * One run of a client as a process: how long it took, what CPU it and all that it started used, whether it succeeded.
 */
import { spawn } from 'node:child_process';

export interface Run {
  readonly ok: boolean;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  /** Requests that the CA saw meanwhile. */
  readonly requests: number;
  readonly newNonces: number;
  readonly output: string;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** For a client that does not end by itself: whether it has what it was to get. */
  readonly isDone?: (() => boolean) | undefined;
}

export type Timed = Pick<Run, 'ok' | 'wallSeconds' | 'cpuSeconds' | 'output'>;

/** The shell's own clock, to the millisecond, of the command and all that it waited for. */
const TIMED = `TIMEFORMAT='%U %S'; trap : TERM; time "$@"`;

export async function measured({ argv, env, timeoutMs, isDone }: Command): Promise<Timed> {
  const begun = performance.now();
  // A session of its own, to be ended as a whole.
  const child = spawn('bash', ['-c', TIMED, 'bash', ...argv], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let endedAt: number | undefined;
  const end = (): void => {
    endedAt ??= performance.now();
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-20_000);
    });
  }
  const patience = setTimeout(end, timeoutMs);
  let done = isDone === undefined;
  const look = setInterval(() => {
    if (done || isDone?.() !== true) return;
    done = true;
    end();
  }, 5);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearTimeout(patience);
  clearInterval(look);
  const wallSeconds = ((endedAt ?? performance.now()) - begun) / 1_000;
  const [user = Number.NaN, system = Number.NaN] = (/([\d.]+) ([\d.]+)\s*$/.exec(output)?.slice(1) ?? []).map(Number);
  const ok = isDone === undefined ? code === 0 && endedAt === undefined : done;
  return { ok, wallSeconds, cpuSeconds: user + system, output };
}

/** Whether a command is there. */
export function isThere(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' });
    child.on('close', (code) => resolve(code === 0)).on('error', () => resolve(false));
  });
}
