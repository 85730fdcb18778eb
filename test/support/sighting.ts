/**
 * What a visitor sees at each load balancer, by a client that is none of ours: node:tls with one trusted root, asking by
 * name. It shares no line with src/served.ts, so that the program's own word is never its own proof.
 */
import { connect, createSecureContext, type SecureContext } from 'node:tls';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface Sighting {
  readonly endpoint: Endpoint;
  readonly name: string;
  /** SHA-256 of the leaf; undefined: no TLS there. */
  readonly fingerprint: string | undefined;
  /** Why a browser would not go on; undefined: it would. */
  readonly objection: string | undefined;
}

const TIMEOUT_MS = 10_000;
const AT_ONCE = 20;

export async function sighted(
  endpoints: readonly Endpoint[],
  names: readonly string[],
  rootPem: string,
): Promise<readonly Sighting[]> {
  const trust = createSecureContext({ ca: rootPem }); // once: it is the dearest part
  const wanted = endpoints.flatMap((endpoint) => names.map((name) => ({ endpoint, name })));
  const seen: Sighting[] = [];
  for (let from = 0; from < wanted.length; from += AT_ONCE) {
    const some = wanted.slice(from, from + AT_ONCE);
    seen.push(...(await Promise.all(some.map(({ endpoint, name }) => look(endpoint, name, trust)))));
  }
  return seen;
}

function look(endpoint: Endpoint, name: string, secureContext: SecureContext): Promise<Sighting> {
  return new Promise((resolve) => {
    const socket = connect({
      ...endpoint,
      servername: name,
      secureContext,
      rejectUnauthorized: false,
      timeout: TIMEOUT_MS,
    });
    const end = (fingerprint: string | undefined, objection: string | undefined): void => {
      socket.destroy();
      resolve({ endpoint, name, fingerprint, objection });
    };
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      const refusal = socket.authorized ? undefined : String(socket.authorizationError);
      end(certificate?.fingerprint256, certificate?.checkHost(name) ? refusal : (refusal ?? 'another name'));
    });
    socket.once('error', (error) => end(undefined, error.message));
    socket.once('timeout', () => end(undefined, 'no answer'));
  });
}
