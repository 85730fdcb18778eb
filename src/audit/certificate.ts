/**
 * What a chain of certificates is worth to a client: names, time, key, signatures, and whether it leads to a root that is
 * trusted.
 *
 * The way is walked by hand, over what the server sent and the roots alone: a library's verdict is one word, and would
 * hide the wrong name behind the expired date. RFC 5280 §6.1; names by RFC 6125, subject alternative names only.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { printable } from '../printable.ts';

export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly fitsName: boolean;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly expired: boolean;
  readonly notYetValid: boolean;
  readonly key: KeyFacts;
  /** Of the leaf and of all that were sent but roots: 'SHA256', 'SHA1' …, the weakest first. */
  readonly hashes: readonly string[];
  readonly chain: ChainFacts;
  /** How many were sent. */
  readonly sent: number;
  readonly fingerprint: string;
}

export interface KeyFacts {
  readonly kind: string;
  readonly bits: number;
  /** What an RSA key would need for the same strength (NIST SP 800-57, part 1, table 2). */
  readonly asRsa: number;
}

export type ChainFacts =
  | { readonly kind: 'trusted'; readonly root: string }
  /** `missing`: who signed the last one that was sent. */
  | { readonly kind: 'incomplete'; readonly missing: string }
  | { readonly kind: 'untrusted'; readonly why: string };

export interface Judging {
  readonly name: string;
  readonly at: Date;
  readonly roots: readonly X509Certificate[];
}

const LONGEST = 120;
const MOST_LINKS = 10;
const CURVES: Readonly<Record<string, readonly [bits: number, asRsa: number]>> = {
  prime192v1: [192, 1536],
  secp224r1: [224, 2048],
  prime256v1: [256, 3072],
  secp256k1: [256, 3072],
  secp384r1: [384, 7680],
  secp521r1: [521, 15_360],
  ed25519: [256, 3072],
  ed448: [448, 7680],
};
/** From the worst. */
const HASHES = ['MD2', 'MD4', 'MD5', 'SHA1'];

/** Undefined: the first one is no certificate. */
export function judgeChain(chain: readonly Buffer[], judging: Judging): CertificateFacts | undefined {
  const [leaf, ...others] = chain.flatMap((der) => read(der) ?? []);
  if (leaf === undefined || read(chain[0] ?? Buffer.alloc(0)) === undefined) return undefined;
  const { name, at, roots } = judging;
  return {
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    names: namesIn(leaf),
    fitsName: (isIP(name) ? leaf.checkIP(name) : leaf.checkHost(name, { subject: 'never' })) !== undefined,
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
    expired: leaf.validToDate <= at,
    notYetValid: leaf.validFromDate > at,
    key: keyOf(leaf),
    hashes: hashesOf([leaf, ...others]),
    chain: walk(leaf, others, { at, roots }),
    sent: chain.length,
    fingerprint: leaf.fingerprint256,
  };
}

/** Certificates that nobody can read are as good as not sent. */
function read(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** From the leaf to its issuer and on, until a root is met, or nobody is left. */
function walk(
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
  { at, roots }: Omit<Judging, 'name'>,
): ChainFacts {
  let current = leaf;
  for (let link = 0; link < MOST_LINKS; link += 1) {
    const root = roots.find((one) => one.fingerprint256 === current.fingerprint256 || signed(one, current));
    if (root !== undefined) return { kind: 'trusted', root: oneLine(root.subject) };
    if (signed(current, current)) return { kind: 'untrusted', why: ownSignature(current, leaf) };
    const issuer = sent.find((one) => one !== current && signed(one, current));
    if (issuer === undefined) return lost(current, leaf);
    if (!issuer.ca) return { kind: 'untrusted', why: `${oneLine(issuer.subject)} signed it and is no CA` };
    if (issuer.validToDate <= at)
      return { kind: 'untrusted', why: `${oneLine(issuer.subject)} in its chain has expired` };
    current = issuer;
  }
  return { kind: 'untrusted', why: `its chain has more than ${MOST_LINKS} links` };
}

/** Nothing but the leaf: the rest was forgotten. With a CA of its own behind it, it is that CA which nobody knows. */
function lost(last: X509Certificate, leaf: X509Certificate): ChainFacts {
  const missing = oneLine(last.issuer);
  if (last === leaf) return { kind: 'incomplete', missing };
  return {
    kind: 'untrusted',
    why: `its chain leads to ${missing}, which is not among the roots that are trusted here`,
  };
}

function signed(issuer: X509Certificate, one: X509Certificate): boolean {
  try {
    return one.checkIssued(issuer) && one.verify(issuer.publicKey);
  } catch {
    return false; // a key of a kind that OpenSSL does not know
  }
}

function ownSignature(root: X509Certificate, leaf: X509Certificate): string {
  if (root === leaf) return 'it is self-signed';
  return `its root, ${oneLine(root.subject)}, is not among those that are trusted here`;
}

function hashesOf(certificates: readonly X509Certificate[]): readonly string[] {
  const checked = certificates.filter((one, nth) => nth === 0 || !signed(one, one)); // a root's own signature is not
  const hashes = new Set(checked.map(({ signatureAlgorithm = '' }) => hashIn(signatureAlgorithm)));
  const rank = (hash: string): number => (HASHES.includes(hash) ? HASHES.indexOf(hash) : HASHES.length);
  return [...hashes].sort((a, b) => rank(a) - rank(b));
}

/** 'ecdsa-with-SHA256', 'sha1WithRSAEncryption' … those that name none have it built in, and a good one. */
function hashIn(algorithm: string): string {
  return /(md\d|sha\d+)/i.exec(algorithm)?.[1]?.toUpperCase() ?? printable(algorithm, LONGEST);
}

function keyOf(leaf: X509Certificate): KeyFacts {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: { modulusLength, namedCurve } = {} } =
    readKey(leaf) ?? {};
  if (modulusLength !== undefined)
    return { kind: type.slice(0, 3).toUpperCase(), bits: modulusLength, asRsa: modulusLength };
  const [bits, asRsa] = CURVES[namedCurve ?? type] ?? [0, 0];
  return { kind: namedCurve === undefined ? type : 'EC', bits, asRsa };
}

/** Undefined: OpenSSL takes the certificate, and its key for none that it knows. */
function readKey(leaf: X509Certificate): KeyObject | undefined {
  try {
    return leaf.publicKey;
  } catch {
    return undefined;
  }
}

function namesIn({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name = '']) => printable(name, LONGEST));
}

/** The common name where there is one, as people know it. */
function oneLine(subject: string | undefined): string {
  const commonName = /^CN=(.*)$/m.exec(subject ?? '')?.[1];
  return printable(commonName ?? (subject || '(no name)').replaceAll('\n', ', '), LONGEST);
}
