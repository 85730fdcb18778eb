/**
 * A certificate that is had: leaf, chain and private key, as HAProxy takes them, and the gate before HAProxy gets them.
 *
 * The key lives in #private fields only: inspected, logged or made JSON, a bundle shows facts. Certificates are read
 * with node:crypto, which knows RSA and EC (node-forge reads RSA only).
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type InspectOptions, inspect } from 'node:util';
import { isStagingIssuer } from './authority.ts';
import { BundleError, ENCRYPTED, normalisePem, type PemBlock, readBlocks, writeBlock } from './pem.ts';

export { BundleError, normalisePem };

const KEY_BLOCKS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];
/** OpenSSL writes the first beside EC keys, HAProxy admins put the second into the file; neither is needed. */
const IGNORED_BLOCKS = ['EC PARAMETERS', 'DH PARAMETERS'];

export class CertificateBundle {
  /** SAN dNSNames, lower-case, in the certificate's order: the CA's choice, so compare as sets. */
  readonly domains: readonly string[];
  readonly commonName: string | undefined;
  /** The whole name in one line: "C=US, O=Let's Encrypt, CN=R10". */
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 of the leaf, 'AB:CD:…'. */
  readonly fingerprint: string;
  readonly selfSigned: boolean;
  readonly #certificates: readonly [X509Certificate, ...X509Certificate[]];
  readonly #pem: string;

  /** Any form that HAProxy takes: key anywhere, leaf before chain, literal \n, CRLF, comments between blocks. */
  static parse(pem: string): CertificateBundle {
    return new CertificateBundle(readBlocks(pem));
  }

  /** What the CA sent (RFC 8555 §7.4.2: the end-entity certificate first) and the key that we made. */
  static assemble(parts: { readonly chainPem: string; readonly keyPem: string }): CertificateBundle {
    return CertificateBundle.parse(`${normalisePem(parts.chainPem)}\n${normalisePem(parts.keyPem)}`);
  }

  private constructor(blocks: readonly PemBlock[]) {
    rejectOtherBlocks(blocks);
    const certificateBlocks = blocks.filter(({ type }) => type === 'CERTIFICATE');
    const keyBlock = onlyKey(blocks);
    const [leaf, ...chain] = certificateBlocks.map(readCertificate);
    if (!leaf) throw new BundleError('holds a private key but no certificate');
    checkKey([leaf, ...chain], readKey(keyBlock));

    this.#certificates = [leaf, ...chain];
    this.#pem = [...certificateBlocks, keyBlock].map(writeBlock).join('');
    this.domains = dnsNames(leaf.subjectAltName);
    this.commonName = commonNameOf(leaf);
    this.issuer = leaf.issuer.split('\n').join(', ');
    this.notBefore = leaf.validFromDate;
    this.notAfter = leaf.validToDate;
    this.fingerprint = leaf.fingerprint256;
    this.selfSigned = leaf.subject === leaf.issuer && signedBy(leaf, leaf);
  }

  /** Leaf, chain, key; a newline after each block. */
  get pem(): string {
    return this.#pem;
  }

  /** The leaf, then what the CA sent with it. */
  get certificates(): readonly [X509Certificate, ...X509Certificate[]] {
    return this.#certificates;
  }

  /** Whether HAProxy would serve the same from it: same certificates, same key, however they are written down. */
  matches(deployed: string): boolean {
    if (normalisePem(deployed) === this.#pem.trim()) return true;
    try {
      return CertificateBundle.parse(deployed).pem === this.#pem;
    } catch {
      return false; // what can't be read is not ours
    }
  }

  /** Whether this certificate was issued for that key: so an order in flight is known to be done. */
  holdsKey(keyPem: string): boolean {
    try {
      return this.#certificates[0].checkPrivateKey(createPrivateKey(keyPem));
    } catch {
      return false;
    }
  }

  /** Asked for getters and hidden things, inspect would otherwise print the PEM. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `CertificateBundle ${inspect({ ...this }, options)}`;
  }
}

function rejectOtherBlocks(blocks: readonly PemBlock[]): void {
  if (blocks.some(({ type }) => type === 'ENCRYPTED PRIVATE KEY')) throw new BundleError(ENCRYPTED);
  const known = ['CERTIFICATE', ...KEY_BLOCKS, ...IGNORED_BLOCKS];
  const other = blocks.find(({ type }) => !known.includes(type));
  if (other)
    throw new BundleError(
      `holds a ${other.type.toLowerCase()}, which has no place beside certificates and a private key`,
    );
}

function onlyKey(blocks: readonly PemBlock[]): PemBlock {
  const [key, ...more] = blocks.filter(({ type }) => KEY_BLOCKS.includes(type));
  if (!key) throw new BundleError('holds no private key');
  if (more.length > 0) throw new BundleError(`holds ${more.length + 1} private keys; one variable takes one`);
  return key;
}

function readCertificate({ der }: PemBlock, index: number): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw new BundleError(`certificate ${index + 1} cannot be read (damaged or truncated)`);
  }
}

/** Without `cause`: nothing that has seen the key leaves here. */
function readKey(block: PemBlock): KeyObject {
  try {
    return createPrivateKey(writeBlock(block));
  } catch {
    throw new BundleError('the private key cannot be read (damaged or truncated)');
  }
}

function checkKey(certificates: readonly X509Certificate[], key: KeyObject): void {
  const owner = certificates.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (owner === 0) return;
  if (owner < 0) throw new BundleError('the private key belongs to another certificate');
  throw new BundleError(`the chain stands before the certificate (it is number ${owner + 1}); HAProxy wants it first`);
}

/** An algorithm that OpenSSL doesn't know makes it throw; then nobody can tell, and the answer is no. */
function signedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** Node prints "DNS:a, DNS:b" and puts names with odd characters in quotes, so the next name is never in mid-name. */
function dnsNames(subjectAltName: string | undefined): readonly string[] {
  const entries = (subjectAltName ?? '').matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/gy);
  return Array.from(entries).flatMap(([, kind, name]) => (kind === 'DNS' && name ? [name.toLowerCase()] : []));
}

function commonNameOf(certificate: X509Certificate): string | undefined {
  const lines = certificate.subject?.split('\n') ?? [];
  return lines.find((line) => line.startsWith('CN='))?.slice('CN='.length);
}

const MINUTE_MS = 60_000;
const CLOCK_SKEW_MS = 5 * MINUTE_MS;
const SHORTEST_PUBLIC_LIFE_MS = 60 * MINUTE_MS;
/** Linux starts no process with a variable of 128 KiB (MAX_ARG_STRLEN): marathon-lb would not come up again. */
const SIZE_LIMIT = 100_000;

/**
 * Everything that forbids handing this bundle to HAProxy, as sentences; empty = passed. That the key fits and that
 * there is a certificate at all, parsing has settled. A public CA never issues for less than an hour; a private one may.
 */
export function objections(
  bundle: CertificateBundle,
  wanted: {
    readonly domains: readonly string[];
    readonly now: Date;
    readonly publicCa: boolean;
    readonly stagingAllowed: boolean;
  },
): readonly string[] {
  const found = [
    bundle.certificates[0].ca && 'the first certificate is a CA certificate, not one for a server',
    differentNames(bundle.domains, wanted.domains),
    brokenLink(bundle.certificates),
    outOfTime(bundle, wanted.now),
    wanted.publicCa && tooShort(bundle),
    !wanted.stagingAllowed &&
      isStagingIssuer(bundle.issuer) &&
      `its issuer is for tests, no browser trusts it: ${bundle.issuer}`,
    tooLarge(bundle),
  ];
  return found.filter((sentence) => typeof sentence === 'string');
}

function differentNames(have: readonly string[], wanted: readonly string[]): string | undefined {
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  const missing = [...names].filter((name) => !have.includes(name));
  const extra = have.filter((name) => !names.has(name));
  if (missing.length === 0 && extra.length === 0) return undefined;
  const parts = [
    missing.length > 0 && `${list(missing)} is missing`,
    extra.length > 0 && `${list(extra)} was not asked for`,
  ];
  return `its names are not those wanted: ${parts.filter(Boolean).join('; ')}`;
}

function list(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

function brokenLink(certificates: readonly X509Certificate[]): string | undefined {
  for (const [index, issuer] of certificates.slice(1).entries()) {
    const issued = certificates[index];
    if (issued?.checkIssued(issuer) && signedBy(issued, issuer)) continue;
    return `the chain is broken: certificate ${index + 2} did not issue certificate ${index + 1}`;
  }
  return undefined;
}

function outOfTime({ notBefore, notAfter }: CertificateBundle, now: Date): string | undefined {
  if (now > notAfter) return `it expired at ${notAfter.toISOString()}`;
  if (now.getTime() < notBefore.getTime() - CLOCK_SKEW_MS) {
    return `it is not valid before ${notBefore.toISOString()}; here it is ${now.toISOString()} (is the clock right?)`;
  }
  return undefined;
}

function tooShort({ notBefore, notAfter }: CertificateBundle): string | undefined {
  const lifeMs = notAfter.getTime() - notBefore.getTime();
  if (lifeMs > SHORTEST_PUBLIC_LIFE_MS) return undefined;
  return `it lives ${Math.round(lifeMs / MINUTE_MS)} minutes only; a public CA's lives for more than an hour`;
}

function tooLarge({ pem }: CertificateBundle): string | undefined {
  const size = Buffer.byteLength(pem);
  return size < SIZE_LIMIT ? undefined : `it takes ${size} bytes; one variable can safely hold ${SIZE_LIMIT}`;
}
