/**
 * A visitor who comes every second: what each HAProxy that is up serves for each name, and whether a browser would mind.
 *
 * By node:tls alone; no line of the program is used, so that its own word is never its own proof.
 */
import type { X509Certificate } from 'node:crypto';
import { connect, createSecureContext } from 'node:tls';

export type Verdict =
  | { readonly kind: 'down' }
  /** Self-signed: what marathon-lb puts there when it is given none. */
  | { readonly kind: 'placeholder' }
  /** Of none of the CA's roots. */
  | { readonly kind: 'foreign'; readonly why: string }
  | { readonly kind: 'expired' | 'good' | 'other name'; readonly leaf: X509Certificate };

export interface Visit {
  readonly at: number;
  readonly host: string;
  readonly name: string;
  readonly verdict: Verdict;
}

const TIMEOUT_MS = 900;

export async function visit(
  hosts: readonly string[],
  names: readonly string[],
  roots: readonly string[],
): Promise<readonly Visit[]> {
  const trust = createSecureContext({ ca: roots.join('\n') });
  const wanted = hosts.flatMap((host) => names.map((name) => ({ host, name })));
  const at = Date.now();
  return Promise.all(
    wanted.map(
      ({ host, name }) =>
        new Promise<Visit>((done) => {
          const options = { host, port: 443, servername: name, secureContext: trust, rejectUnauthorized: false };
          const socket = connect({ ...options, timeout: TIMEOUT_MS });
          const end = (verdict: Verdict): void => {
            socket.destroy();
            done({ at, host, name, verdict });
          };
          socket.once('secureConnect', () => {
            const why = socket.authorized ? undefined : String(socket.authorizationError);
            end(judged(socket.getPeerX509Certificate(), why, name));
          });
          socket.once('error', () => end({ kind: 'down' }));
          socket.once('timeout', () => end({ kind: 'down' }));
        }),
    ),
  );
}

function judged(leaf: X509Certificate | undefined, why: string | undefined, name: string): Verdict {
  if (leaf === undefined) return { kind: 'down' };
  if (why === 'DEPTH_ZERO_SELF_SIGNED_CERT') return { kind: 'placeholder' };
  if (why === 'CERT_HAS_EXPIRED') return { kind: 'expired', leaf };
  const isNameOnly = why === undefined || why.startsWith('ERR_TLS_CERT_ALTNAME') || why.includes('ALTNAME');
  if (!isNameOnly) return { kind: 'foreign', why: `${why} (${leaf.issuer})` };
  return { kind: leaf.checkHost(name) === undefined ? 'other name' : 'good', leaf };
}
