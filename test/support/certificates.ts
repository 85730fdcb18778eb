/**
 * A small certificate authority for tests: any names, dates, key type and issuer, at once and without a network.
 *
 * node-forge writes the ASN.1 (RFC 5280 §4.1), node:crypto makes keys and signatures, so RSA and EC are the same to it.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIPv4 } from 'node:net';
import forge from 'node-forge';
import type { KeyType } from '../../src/certificates/spec.ts';

export interface Issued {
  /** Leaf first, then the intermediate; without the root. For a self-signed one, itself. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** Leaf, chain, key. */
  readonly pem: string;
  /** Of the leaf, 'AB:CD:…'. */
  readonly fingerprint: string;
  readonly rootPem: string;
}

export interface IssueOptions {
  /** Names, or addresses of IPv4. */
  readonly domains: readonly string[];
  /** Default: an hour ago. */
  readonly notBefore?: Date;
  /** Default: 90 days after notBefore. */
  readonly notAfter?: Date;
  /** Default: ec256, being the fastest. */
  readonly keyType?: KeyType;
  /** Common name of the intermediate. */
  readonly issuerName?: string;
  /** A leaf that is a CA, as none should be. */
  readonly ca?: boolean;
  /** Use this key instead of a new one. */
  readonly keyPem?: string;
  /** Default: the first name of at most 64 characters; null: none. */
  readonly commonName?: string | null;
  /** How it is signed. Default: sha256; sha1 is for servers that should not be. */
  readonly hash?: 'sha1' | 'sha256';
}

const DAY_MS = 86_400_000;

/** Every issuer name has one root and one intermediate for the life of the test process. */
const authorities = new Map<string, Authority>();
interface Authority {
  readonly name: string;
  readonly key: KeyObject;
  readonly pem: string;
  readonly rootPem: string;
}

export function issue(options: IssueOptions): Issued {
  const authority = authorityNamed(options.issuerName ?? 'Test CA');
  const key = options.keyPem ? createPrivateKey(options.keyPem) : newKey(options.keyType ?? 'ec256');
  const leaf = certificate({ ...options, key, issuer: authority.name, issuerKey: authority.key });
  return issued(leaf, leaf + authority.pem, key, authority.rootPem);
}

export function selfSigned(...domains: string[]): Issued {
  return selfSignedWith({ domains });
}

export function selfSignedWith(options: IssueOptions): Issued {
  const key = options.keyPem ? createPrivateKey(options.keyPem) : newKey(options.keyType ?? 'ec256');
  const name = options.commonName ?? options.domains[0] ?? '*';
  const pem = certificate({ ...options, commonName: name, key, issuer: name, issuerKey: key });
  return issued(pem, pem, key, pem);
}

/** The same key in another of its forms. */
export function keyAs(keyPem: string, form: 'pkcs1' | 'sec1' | 'pkcs8' | 'encrypted'): string {
  const key = createPrivateKey(keyPem);
  if (form === 'encrypted') {
    return key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }).toString();
  }
  return key.export({ type: form, format: 'pem' }).toString();
}

export function newKey(type: KeyType | 'ed25519'): KeyObject {
  if (type === 'ed25519') return generateKeyPairSync('ed25519').privateKey;
  if (type === 'ec256') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  if (type === 'ec384') return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(3)) }).privateKey;
}

function issued(leafPem: string, chainPem: string, key: KeyObject, rootPem: string): Issued {
  const keyPem = pkcs8(key);
  return {
    chainPem,
    keyPem,
    pem: chainPem + keyPem,
    fingerprint: new X509Certificate(leafPem).fingerprint256,
    rootPem,
  };
}

function authorityNamed(name: string): Authority {
  const known = authorities.get(name);
  if (known) return known;
  const rootKey = newKey('ec256');
  const root = `${name} Root`;
  const life = { notBefore: new Date('2000-01-01'), notAfter: new Date('2049-01-01'), domains: [], ca: true };
  const rootPem = certificate({ ...life, commonName: root, key: rootKey, issuer: root, issuerKey: rootKey });
  const key = newKey('ec256');
  const pem = certificate({ ...life, commonName: name, key, issuer: root, issuerKey: rootKey });
  const made = { name, key, pem, rootPem };
  authorities.set(name, made);
  return made;
}

const { asn1 } = forge;
type Node = forge.asn1.Asn1;
const { Class, Type } = asn1;
const sequence = (...kids: Node[]): Node => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, kids);
const primitive = (type: forge.asn1.Type, value: string): Node => asn1.create(Class.UNIVERSAL, type, false, value);
const oid = (dotted: string): Node => primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
const tagged = (tag: number, ...kids: Node[]): Node => asn1.create(Class.CONTEXT_SPECIFIC, tag, true, kids);
const der = (node: Node): string => asn1.toDer(node).getBytes();

function certificate(
  of: IssueOptions & { readonly key: KeyObject; readonly issuer: string; readonly issuerKey: KeyObject },
): string {
  const notBefore = of.notBefore ?? new Date(Date.now() - 3_600_000);
  const notAfter = of.notAfter ?? new Date(notBefore.getTime() + 90 * DAY_MS);
  const subject = of.commonName === undefined ? of.domains.find((name) => name.length <= 64) : of.commonName;
  const hash = of.hash ?? 'sha256';
  const algorithm = signatureAlgorithm(of.issuerKey, hash);
  const toBeSigned = sequence(
    tagged(0, primitive(Type.INTEGER, '\x02')),
    primitive(Type.INTEGER, `\x01${randomBytes(15).toString('latin1')}`),
    algorithm,
    name(of.issuer),
    sequence(time(notBefore), time(notAfter)),
    name(subject ?? undefined),
    asn1.fromDer(publicKeyDer(of.key)),
    tagged(3, sequence(...extensions(of))),
  );
  const signature = sign(hash, Buffer.from(der(toBeSigned), 'latin1'), of.issuerKey).toString('latin1');
  const body = der(sequence(toBeSigned, algorithm, primitive(Type.BITSTRING, `\0${signature}`)));
  return forge.pem.encode({ type: 'CERTIFICATE', body }).replaceAll('\r\n', '\n');
}

function extensions({ domains, ca }: IssueOptions): Node[] {
  const names = domains.map(generalName);
  const isCa = ca ? [primitive(Type.BOOLEAN, '\xff')] : [];
  const constraints = extension('2.5.29.19', sequence(...isCa));
  return names.length > 0 ? [constraints, extension('2.5.29.17', sequence(...names))] : [constraints];
}

/** An address is another kind of name (RFC 5280 §4.2.1.6): clients look for it there only. */
function generalName(name: string): Node {
  if (!isIPv4(name)) return asn1.create(Class.CONTEXT_SPECIFIC, 2, false, name);
  return asn1.create(Class.CONTEXT_SPECIFIC, 7, false, String.fromCharCode(...name.split('.').map(Number)));
}

function extension(id: string, value: Node): Node {
  return sequence(oid(id), primitive(Type.OCTETSTRING, der(value)));
}

function name(commonName: string | undefined): Node {
  if (commonName === undefined) return sequence();
  const pair = sequence(oid('2.5.4.3'), primitive(Type.UTF8, forge.util.encodeUtf8(commonName)));
  return sequence(asn1.create(Class.UNIVERSAL, Type.SET, true, [pair]));
}

function time(date: Date): Node {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return primitive(Type.GENERALIZEDTIME, digits);
}

function signatureAlgorithm(key: KeyObject, hash: 'sha1' | 'sha256'): Node {
  if (key.asymmetricKeyType === 'ec') return sequence(oid(`1.2.840.10045.${hash === 'sha1' ? '4.1' : '4.3.2'}`));
  return sequence(oid(`1.2.840.113549.1.1.${hash === 'sha1' ? 5 : 11}`), primitive(Type.NULL, ''));
}

function publicKeyDer(key: KeyObject): string {
  return createPublicKey(pkcs8(key)).export({ type: 'spki', format: 'der' }).toString('latin1');
}

function pkcs8(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
