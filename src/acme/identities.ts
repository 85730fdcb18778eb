/**
 * The domains that a CA goes by in CAA records, as its directory has them (RFC 8555 §7.1.1).
 *
 * Asked for by a plain request, once, and only when a name has CAA records: acme-client would cost more than the whole
 * preflight.
 */
import http from 'node:http';
import https from 'node:https';
import type { AuthorityOptions } from './transport.ts';
import { agentsFor } from './transport.ts';

const MAX_BYTES = 1 << 16;

/** Resolves with undefined where the directory names none: there is nothing to compare with then. */
export type Identities = (signal: AbortSignal) => Promise<readonly string[] | undefined>;

export function identitiesAt(options: AuthorityOptions): Identities {
  let known: { readonly names: readonly string[] | undefined } | undefined;
  return async (signal) => {
    known ??= { names: readIdentities(await read(options, signal)) };
    return known.names;
  };
}

function readIdentities(text: string): readonly string[] | undefined {
  const directory = JSON.parse(text) as { meta?: { caaIdentities?: unknown } | null } | null;
  const found = directory?.meta?.caaIdentities;
  if (!Array.isArray(found)) return undefined;
  const names = found.filter((name): name is string => typeof name === 'string' && /^[\w.-]{1,253}$/.test(name));
  return names.length > 0 ? names : undefined;
}

async function read(options: AuthorityOptions, signal: AbortSignal): Promise<string> {
  const { directoryUrl, timeoutMs, userAgent } = options;
  const agents = agentsFor(options);
  const secure = directoryUrl.startsWith('https:');
  const agent = secure ? agents.httpsAgent : agents.httpAgent;
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = (secure ? https : http).get(directoryUrl, {
        agent,
        signal: inTime,
        headers: { 'User-Agent': userAgent },
      });
      request.once('response', resolve).once('error', reject);
    });
    return await wholeOf(response);
  } finally {
    agent.destroy();
  }
}

async function wholeOf(response: http.IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`HTTP ${response.statusCode}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`a directory of more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
