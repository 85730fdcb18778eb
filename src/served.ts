/**
 * What HAProxy really serves, asked over TLS: the last word on whether a certificate is installed.
 *
 * A handshake per endpoint and name (SNI chooses the certificate), judged by the leaf's fingerprint. Three verdicts:
 * served, another certificate, unreachable; the last is not the second, for a port that does not answer proves nothing.
 */
import type { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { mapBounded } from './bounded.ts';

export type ServedVerdict =
  | { readonly kind: 'served' }
  | {
      readonly kind: 'other';
      readonly fingerprint: string;
      readonly domains: readonly string[];
      readonly notAfter: Date;
    }
  | { readonly kind: 'unreachable'; readonly note: string };
export interface ServedLook {
  readonly endpoint: string;
  readonly taskId: string | undefined;
  readonly domain: string;
  readonly verdict: ServedVerdict;
}
/** Where a certificate may be served. */
export interface Endpoint {
  readonly host: string;
  /** undefined: Marathon shows no host port for the load balancer's HTTPS. */
  readonly port: number | undefined;
  readonly taskId: string | undefined;
}

/** Handshakes at once: each costs both sides some milliseconds of CPU, and neither may have many. */
const IN_FLIGHT = 8;

export async function lookAtServed(
  endpoints: readonly Endpoint[],
  domains: readonly string[],
  expected: string,
  deps: { timeoutMs: number; signal: AbortSignal },
): Promise<readonly ServedLook[]> {
  const { timeoutMs, signal } = deps;
  /** Once a port gave no answer, the other names need not wait for it too. */
  const closed = new Map<Endpoint, Unresponsive>();
  const look = async (endpoint: Endpoint, domain: string): Promise<ServedVerdict> => {
    const { port } = endpoint;
    if (port === undefined) return { kind: 'unreachable', note: 'Marathon shows no host port for its HTTPS' };
    try {
      const known = closed.get(endpoint);
      if (known !== undefined) throw known;
      return verdictOn(await certificateFor({ ...endpoint, port }, domain, timeoutMs, signal), expected);
    } catch (error) {
      signal.throwIfAborted(); // shutting down is not the load balancer's failure
      if (error instanceof Unresponsive) closed.set(endpoint, error);
      return { kind: 'unreachable', note: (error as Error).message };
    }
  };
  signal.throwIfAborted();
  const pairs = domains.flatMap((domain) => endpoints.map((endpoint) => ({ endpoint, domain })));
  return mapBounded(pairs, IN_FLIGHT, async ({ endpoint, domain }) => ({
    endpoint: nameOf(endpoint),
    taskId: endpoint.taskId,
    domain,
    verdict: await look(endpoint, domain),
  }));
}

function verdictOn(certificate: X509Certificate, expected: string): ServedVerdict {
  const fingerprint = certificate.fingerprint256;
  if (fingerprint === expected) return { kind: 'served' };
  return { kind: 'other', fingerprint, domains: namesIn(certificate), notAfter: certificate.validToDate };
}

/** SAN dNSNames, or the common name where there is none (the self-signed `CN=*` that marathon-lb's run script makes). */
function namesIn(certificate: X509Certificate): readonly string[] {
  const names = (certificate.subjectAltName ?? '').split(', ').filter((entry) => entry.startsWith('DNS:'));
  if (names.length > 0) return names.map((entry) => entry.slice('DNS:'.length).toLowerCase());
  return certificate.subject?.match(/^CN=(.*)$/m)?.slice(1) ?? [];
}

/** No connection or no answer at all came about, whatever name was to be asked for. */
class Unresponsive extends Error {}

let context: tls.SecureContext | undefined;

/** One for all: made for each handshake, it is a tenth of its CPU, and memory until the next garbage collection. Trusts nobody. */
function ourContext(): tls.SecureContext {
  context ??= tls.createSecureContext({ ca: [] });
  return context;
}

function certificateFor(
  endpoint: Endpoint & { readonly port: number },
  domain: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    // Whether a client trusts it is not the question here, and a test CA's is trusted by nobody.
    const socket = tls.connect({
      host: endpoint.host,
      port: endpoint.port,
      servername: domain,
      secureContext: ourContext(),
      rejectUnauthorized: false,
    });
    let connected = false;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const fail = (reason: string, kind = connected ? Error : Unresponsive): void => {
      const what = connected ? 'TLS handshake with' : 'cannot connect to';
      end(() => reject(new kind(`${what} ${nameOf(endpoint)}: ${reason}`)));
    };
    const onAbort = (): void => fail('given up');
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`, Unresponsive), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      connected = true;
    });
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) fail('it showed no certificate');
      else end(() => resolve(certificate));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once('close', () => fail('closed by the other side'));
  });
}

function nameOf({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port ?? '?'}`;
}
