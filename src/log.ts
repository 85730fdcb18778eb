/**
 * The log: one JSON line an event, a constant sentence in `msg`, facts in fields, and nothing that must stay secret.
 *
 * Two lines of defence: an error is written as its name and message alone, never with its fields (an AxiosError carries
 * headers and body, and ours hold keys); and each finished line passes `mask`, wherever in it the secret stands.
 */
import { type Logger, pino } from 'pino';
import { describeError, mask } from './mask.ts';

/** What the rooms are given to write with; they need not know who made it. */
export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  /** Where lines go; by default standard output. */
  readonly write?: (line: string) => void;
}

export function createLog(options: LogOptions): Log {
  const write = options.write ?? standardOutput();
  return pino(
    {
      level: options.level,
      base: null, // pid and host name are Mesos' to know, and the same on every line
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: asText },
      formatters: { level: (label) => ({ level: label }), log: withErrorsAsText },
    },
    { write: (line: string) => write(mask(line)) },
  );
}

/**
 * Written at once: a worker thread or a buffer would cost more of 0.05 CPU than the few lines a day do, and would lose
 * the last line of a process that is killed.
 */
function standardOutput(): (line: string) => void {
  const destination = pino.destination({ dest: 1, sync: true });
  return (line) => void destination.write(line);
}

function asText(value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value;
}

/** Whatever the field is called: pino alone would list an error's fields under any other name than `err`. */
function withErrorsAsText(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, asText(value)]));
}
