/**
 * One look at a name from outside: handshakes by hand, one request to each port, and what follows from it.
 *
 * Nothing is guessed: where nobody answers, or nobody who speaks TLS, there is no grade but an error that says so.
 */
import type { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { type Advice, adviceOn } from './advice.ts';
import { type Asking, nameOf, type Place, Unreachable } from './ask.ts';
import { judgeChain } from './certificate.ts';
import type { Facts } from './facts.ts';
import { gradeOf, type Verdict } from './grade.ts';
import { type Handshakes, handshakesOf } from './handshakes.ts';
import { type Page, pageOf, redirectOf } from './web.ts';

export interface Target {
  /** Asked for by SNI and Host, and looked for on the certificate. */
  readonly name: string;
  /** Where to connect: a name or an address. */
  readonly host: string;
  readonly httpsPort: number;
  readonly httpPort: number;
}

export interface Audit {
  readonly target: Target;
  readonly at: Date;
  /** The one that was asked, and how many more the name has. */
  readonly place: Place;
  readonly otherAddresses: readonly string[];
  readonly facts: Facts;
  readonly verdict: Verdict;
  readonly advice: readonly Advice[];
}

export interface Means extends Asking {
  readonly roots: readonly X509Certificate[];
  readonly onProgress: (what: string) => void;
}

export async function audit(target: Target, means: Means): Promise<Audit> {
  const { name, httpsPort, httpPort } = target;
  means.onProgress(`looking up ${target.host}`);
  const [host, ...otherAddresses] = await addressesOf(target.host, means);
  const place = { host, port: httpsPort };
  const handshakes = await shaken(place, name, means);
  means.onProgress('asking for the page and its headers');
  const [redirect, page] = await Promise.all([
    redirectOf({ host, port: httpPort }, name, means),
    pageOf(place, name, means),
  ]);
  const at = new Date();
  const certificates = chainsOf(handshakes, page).flatMap(
    (chain) => judgeChain(chain, { name, at, roots: means.roots }) ?? [],
  );
  const facts = { name, handshakes, certificates, web: { redirect, page } };
  return { target, at, place, otherAddresses, facts, verdict: gradeOf(facts), advice: adviceOn(facts, at) };
}

/** Once, and not for each of a hundred connections: they have to meet the same server. */
async function addressesOf(host: string, { timeoutMs, signal }: Asking): Promise<readonly [string, ...string[]]> {
  signal.throwIfAborted();
  const late = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const given = new Promise<never>((_, reject) =>
    late.addEventListener('abort', () => reject(new Unreachable(`${host}: DNS did not answer`)), { once: true }),
  );
  try {
    const found = await Promise.race([lookup(host, { all: true }), given]);
    const [first, ...others] = found.map(({ address }) => address);
    if (first === undefined) throw new Unreachable(`${host} has no address`);
    return [first, ...others];
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Unreachable) throw error;
    throw new Unreachable(`${host} has no address: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
}

async function shaken(place: Place, name: string, means: Means): Promise<Handshakes> {
  const left = new Set(['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1.0', 'SSLv3', 'SSLv2']);
  const tell = (): void =>
    means.onProgress(`asking ${nameOf(place)} which suites it takes with ${[...left].join(', ')}`);
  tell();
  const handshakes = await handshakesOf(place, name, means, (done) => {
    left.delete(done);
    tell();
  });
  if (handshakes.versions.length > 0 || handshakes.sslv2) return handshakes;
  throw new Unreachable(
    `${nameOf(place)} takes connections, but no TLS handshake for ${name} in any version comes about`,
  );
}

/** Each once, by its leaf; in TLS 1.3 only a whole handshake shows them. */
function chainsOf({ versions }: Handshakes, page: Page): readonly (readonly Buffer[])[] {
  const seen = versions.flatMap(({ chains }) => chains);
  const all = seen.length > 0 || page.kind === 'unreachable' ? seen : [page.chain];
  return [...new Map(all.map((chain) => [chain[0]?.toString('base64'), chain])).values()];
}
