/**
 * The log: one JSON line an event, a constant sentence in `msg`, facts in fields, and nothing that must stay secret.
 *
 * Two lines of defence: an error is written as its name and message alone, never with its fields (an AxiosError carries
 * headers and body, and ours hold keys); and each finished line passes `mask`, wherever in it the secret stands.
 */

import { type Logger, pino } from 'pino';

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

const DEEPEST_CAUSE = 5;

/** An error as its name and message, and those of what caused it. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (
    let at = error;
    at !== undefined && parts.length < DEEPEST_CAUSE;
    at = at instanceof Error ? at.cause : undefined
  )
    parts.push(at instanceof Error ? nameAndMessage(at) : String(at));
  return mask(parts.join('; caused by '));
}

/** The plain name says nothing; the others say which door it came through. */
function nameAndMessage(error: Error): string {
  return error.name === 'Error' ? error.message : `${error.name}: ${error.message}`;
}

function asText(value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value;
}

/** Whatever the field is called: pino alone would list an error's fields under any other name than `err`. */
function withErrorsAsText(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, asText(value)]));
}

/** In JSON, in JSON within a string of JSON (`\"d\":\"`), or as plain text. */
const QUOTE = String.raw`\\*"`;
const SECRET_FIELDS = 'd|p|q|dp|dq|qi|k|token|password|secret|private_key|privateKey|keyPem|hmac';

/** Each rule keeps what says that there was something, and takes what it was. */
const RULES: readonly (readonly [RegExp, string])[] = [
  // A key that is cut off before its END line goes to the end of the string that it stands in.
  [/-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]*?(?:-----END \1PRIVATE KEY-----|(?=\\*"|$))/g, '[private key]'],
  [new RegExp(`(${QUOTE}(?:${SECRET_FIELDS})${QUOTE}\\s*:\\s*${QUOTE})[^"\\\\]+`, 'g'), '$1***'],
  [/(authorization[\\"'\s]*[:=,][\\"'\s]*)[^"'\\\r\n]+/gi, '$1***'],
  [/\b(Basic|Bearer) (?=\S*[A-Z0-9=])[A-Za-z0-9+/=._~-]{8,}/g, '$1 ***'],
  [/(token=)[^\s"'&,;\\]+/gi, '$1***'],
  [/eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*/g, '[jwt]'],
  [/(:\/\/)[^\s/@"'\\]+@/g, '$1***@'],
  // Whoever has the path of a webhook may post there.
  [/(:\/\/hooks\.slack(?:-gov)?\.com\/)[^\s"'\\]+/g, '$1***'],
];

/** What must never be printed, made unreadable. For everything that leaves the process as text. */
export function mask(text: string): string {
  return RULES.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}

/** The link that ends a pause at Let's Encrypt (Boulder's unpause portal): whom we ask to open it has to see all of it. */
const UNPAUSE = /(\bunpause\?jwt=[A-Za-z0-9_.-]+)/;

/** For the operator's own eyes: the status. */
export function maskForOperator(text: string): string {
  const [plain = '', ...rest] = text.split(UNPAUSE);
  return mask(plain) + rest.map((part, index) => (index % 2 === 0 ? part : mask(part))).join('');
}
