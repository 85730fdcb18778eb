/**
 * `audit NAME`: the grade that a server's TLS and HTTP would get, what keeps it from A+, and what mends it.
 *
 * Exit code 0: the audit could be made, and the grade is what `--at-least` asks for, if it was given.
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { getCACertificates } from 'node:tls';
import { Unreachable } from '../audit/ask.ts';
import { audit as auditTarget, type Target } from '../audit/audit.ts';
import { GRADES, type Grade, isAtLeast } from '../audit/grade.ts';
import { auditAsJson, auditAsText } from '../audit/report.ts';
import { ConfigError } from '../config.ts';
import { printable } from '../printable.ts';
import { showingProgress } from '../terminal/progress.ts';
import { styleOf } from '../terminal/style.ts';
import type { Context, Given } from './command.ts';

/** Of each connection. */
const TIMEOUT_MS = 5_000;
/** Of the whole: a server that takes each connection slowly must not hold a script for an hour. */
const DEADLINE_MS = 120_000;

export async function audit(context: Context, { operands, json, options }: Given): Promise<number> {
  const target = targetOf(operands[0] ?? '', options);
  const least = gradeIn(options['at-least']);
  const roots = await rootsWith(options.ca);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(DEADLINE_MS)]);
  let step = '';
  const onProgress = (what: string): void => {
    step = what;
  };
  const means = { timeoutMs: TIMEOUT_MS, signal, roots, onProgress };
  try {
    const made = await showingProgress(
      context,
      () => step,
      () => auditTarget(target, means),
    );
    context.out(json ? `${JSON.stringify(auditAsJson(made), null, 2)}\n` : auditAsText(made, styleOf(context)));
    return least === undefined || isAtLeast(made.verdict.grade, least) ? 0 : 1;
  } catch (error) {
    context.signal.throwIfAborted();
    const late = signal.aborted ? `it did not end within ${DEADLINE_MS / 1000} s; last: ${step}` : undefined;
    if (late === undefined && !(error instanceof Unreachable)) throw error;
    const cure = `Check the name, and that this machine may connect to its port ${target.httpsPort}; --at asks another address.`;
    context.err(`audit of ${target.name} could not be made: ${late ?? (error as Error).message}\n${cure}\n`);
    return 1;
  }
}

function targetOf(text: string, options: Given['options']): Target {
  const url = placeIn(text, 'The name to audit');
  const at = options.at === undefined ? undefined : placeIn(options.at, '--at');
  const name = hostOf(url);
  return {
    name,
    host: at === undefined ? name : hostOf(at),
    httpsPort: Number(at?.port || url.port || 443),
    httpPort: portIn(options['http-port'] ?? '80'),
  };
}

/** A name, a name with a port, or a URL. */
function placeIn(text: string, what: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${isIP(text) === 6 ? `[${text}]` : text}`);
  if (url?.protocol === 'https:' && url.hostname !== '' && url.username === '') return url;
  throw new ConfigError([`${what} must be a name, a name with a port, or an https URL, not '${printable(text, 80)}'`]);
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function portIn(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new ConfigError([`--http-port must be a port from 1 to 65535, not '${printable(text, 40)}'`]);
}

function gradeIn(text: string | undefined): Grade | undefined {
  const grade = GRADES.find((one) => one === text?.toUpperCase());
  if (grade !== undefined || text === undefined) return grade;
  throw new ConfigError([`--at-least must be one of ${GRADES.slice(0, 8).join(', ')}, not '${printable(text, 40)}'`]);
}

/** Those that Node trusts (NODE_EXTRA_CA_CERTS among them), and the operator's own. */
async function rootsWith(file: string | undefined): Promise<readonly X509Certificate[]> {
  const trusted = getCACertificates('default');
  const own = file === undefined ? [] : await certificatesIn(file);
  return [...own, ...trusted].map((pem) => new X509Certificate(pem));
}

async function certificatesIn(file: string): Promise<readonly string[]> {
  const mistake = (why: string): never => {
    throw new ConfigError([
      `--ca ${printable(file, 200)} cannot be used: ${why}; name a PEM file with the roots to trust`,
    ]);
  };
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) =>
    mistake(error.code ?? 'unreadable'),
  );
  const blocks =
    text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? mistake('no certificate in it');
  return blocks.filter((pem) => isReadable(pem) || mistake('a certificate in it cannot be read'));
}

function isReadable(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
