/**
 * The process: signals, one command, an exit code.
 *
 * The first SIGTERM or SIGINT asks to end: what is in hand is finished or abandoned, and the next start goes on. A
 * second one ends at once, and so does the deadline, which is below the grace that Marathon gives by default.
 */
import { main } from './cli.ts';
import { describeError } from './mask.ts';

const STOP_DEADLINE_MS = 2_500;

const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => end(name));

function end(name: string): void {
  if (stop.signal.aborted) endAtOnce();
  stop.abort(new Error(`${name} received`));
  setTimeout(() => {
    process.stderr.write(
      `not stopped within ${STOP_DEADLINE_MS / 1000} s after ${name}: ending at once; the next start goes on where this one was\n`,
    );
    endAtOnce();
  }, STOP_DEADLINE_MS).unref();
}

/** Not by exit, which waits for the thread pool: for a volume that hangs, or a key that is still being made. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

// None is known to get here. Printed by Node as it is, an error of another package could hold a private key.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${describeError(error)}\n`, () => process.exit(1));
});

// Whoever reads what is shown may have seen enough, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const code = await main(process.argv.slice(2), {
  env: process.env,
  signal: stop.signal,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  terminal: { out: process.stdout.isTTY, err: process.stderr.isTTY, columns: process.stdout.columns ?? 80 },
});
// By exit, for a kept-alive socket must not hold a process whose work is done; after what was written has gone out.
process.stdout.write('', () => process.exit(code));
