/**
 * The domains that a CA goes by in CAA records, as its directory has them (RFC 8555 §7.1.1).
 *
 * Asked for by a plain request, once, and only when a name has CAA records: acme-client would cost more than the whole
 * preflight.
 */
import http from 'node:http';
import https from 'node:https';
import { bodyOf, responseTo } from '../response.ts';
import type { AuthorityOptions } from './transport.ts';
import { agentsFor } from './transport.ts';

const MAX_BYTES = 1 << 16;

/** Resolves with undefined where the directory names none: there is nothing to compare with then. */
export type Identities = (signal: AbortSignal) => Promise<readonly string[] | undefined>;

export function identitiesAt(options: AuthorityOptions): Identities {
  let known: { readonly names: readonly string[] | undefined } | undefined;
  return async (signal) => {
    known ??= { names: readIdentities((await read(options, signal)).text) };
    return known.names;
  };
}

/** What the directory tells of itself, besides: whether it is one, and what time it is there. */
export interface DirectorySeen {
  /** It names where orders are made (RFC 8555 §7.1.1). */
  readonly isDirectory: boolean;
  /** Of the answer, as its server has it. */
  readonly date: Date | undefined;
}

/** Throws what the network throws, or a sentence about the answer. */
export async function lookAtDirectory(options: AuthorityOptions, signal: AbortSignal): Promise<DirectorySeen> {
  const { text, date } = await read(options, signal);
  return { isDirectory: isDirectory(text), date };
}

function isDirectory(text: string): boolean {
  try {
    return typeof (JSON.parse(text) as { newOrder?: unknown } | null)?.newOrder === 'string';
  } catch {
    return false;
  }
}

function readIdentities(text: string): readonly string[] | undefined {
  const directory = JSON.parse(text) as { meta?: { caaIdentities?: unknown } | null } | null;
  const found = directory?.meta?.caaIdentities;
  if (!Array.isArray(found)) return undefined;
  const names = found.filter((name): name is string => typeof name === 'string' && /^[\w.-]{1,253}$/.test(name));
  return names.length > 0 ? names : undefined;
}

interface Read {
  readonly text: string;
  readonly date: Date | undefined;
}

async function read(options: AuthorityOptions, signal: AbortSignal): Promise<Read> {
  const { directoryUrl, timeoutMs, userAgent } = options;
  const agents = agentsFor(options);
  const secure = directoryUrl.startsWith('https:');
  const agent = secure ? agents.httpsAgent : agents.httpAgent;
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const headers = { 'User-Agent': userAgent };
    const request = (secure ? https : http).get(directoryUrl, { agent, signal: inTime, headers });
    const response = await responseTo(request, inTime);
    const date = new Date(response.headers.date ?? Number.NaN);
    return { text: await wholeOf(response), date: Number.isNaN(date.getTime()) ? undefined : date };
  } finally {
    agent.destroy();
  }
}

async function wholeOf(response: http.IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`HTTP ${response.statusCode}`);
  }
  const body = await bodyOf(response, MAX_BYTES);
  if (body === undefined) throw new Error(`a directory of more than ${MAX_BYTES} bytes`);
  return body.toString();
}
