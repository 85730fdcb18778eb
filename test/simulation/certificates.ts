/**
 * Real certificates (RFC 5280 §4.1), fast and without chance: the same facts give the same bytes.
 *
 * test/support/certificates.ts makes them with random serials and signatures, and ten times slower.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { issuerKey } from './keys.ts';

export interface Facts {
  readonly domains: readonly string[];
  readonly key: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serial: number;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OID = 0x06;
const UTF8 = 0x0c;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT = 0x80;
const CONSTRUCTED = 0xa0;

function node(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const oid = (hex: string): Buffer => node(OID, Buffer.from(hex, 'hex'));
const ED25519 = node(SEQUENCE, oid('2b6570'));
const COMMON_NAME = oid('550403');
const ALT_NAMES = oid('551d11');
const CONSTRAINTS = oid('551d13');

function name(commonName: string | undefined): Buffer {
  if (commonName === undefined) return node(SEQUENCE);
  return node(SEQUENCE, node(SET, node(SEQUENCE, COMMON_NAME, node(UTF8, Buffer.from(commonName)))));
}

function time(at: number): Buffer {
  return node(GENERALIZED_TIME, Buffer.from(new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return node(SEQUENCE, id, node(OCTET_STRING, value));
}

function serial(number: number): Buffer {
  const bytes = Buffer.alloc(9, 1); // a leading 1: never negative, never a leading zero
  bytes.writeUInt32BE(Math.floor(number / 2 ** 32), 1);
  bytes.writeUInt32BE(number >>> 0, 5);
  return node(INTEGER, bytes);
}

interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
}

function certificate({ domains, key, notBefore, notAfter, serial: number }: Facts, issuer: Issuer, subject?: string) {
  const commonName = subject ?? domains.find((one) => one.length <= 64);
  const isCa = subject !== undefined && domains.length === 0;
  const constraints = extension(CONSTRAINTS, node(SEQUENCE, ...(isCa ? [Buffer.from('0101ff', 'hex')] : [])));
  const names = domains.map((domain) => node(CONTEXT | 2, Buffer.from(domain)));
  const extensions = [constraints, ...(names.length > 0 ? [extension(ALT_NAMES, node(SEQUENCE, ...names))] : [])];
  const toBeSigned = node(
    SEQUENCE,
    node(CONSTRUCTED, node(INTEGER, Buffer.from([2]))),
    serial(number),
    ED25519,
    name(issuer.name),
    node(SEQUENCE, time(notBefore), time(notAfter)),
    name(commonName),
    publicKeyOf(key),
    node(CONSTRUCTED | 3, node(SEQUENCE, ...extensions)),
  );
  const signature = sign(null, toBeSigned, issuer.key);
  return pem(node(SEQUENCE, toBeSigned, ED25519, node(BIT_STRING, Buffer.from([0]), signature)));
}

const publicKeys = new Map<KeyObject, Buffer>();

function publicKeyOf(key: KeyObject): Buffer {
  const known = publicKeys.get(key);
  if (known !== undefined) return known;
  const made = (key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' });
  publicKeys.set(key, made);
  return made;
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const FOREVER = { domains: [], notBefore: Date.UTC(2020, 0), notAfter: Date.UTC(2049, 0), serial: 1 };

/** An intermediate with its certificate, signed by a root that stays out of the chain. */
class Authority {
  readonly issuer: Issuer;
  readonly pem: string;

  constructor(name: string) {
    this.issuer = { name, key: issuerKey(name) };
    const root = { name: `${name} Root`, key: issuerKey(`${name} Root`) };
    this.pem = certificate({ ...FOREVER, key: this.issuer.key }, root, name);
  }
}

const AUTHORITIES = {
  /** The model of Let's Encrypt. */
  model: new Authority('Model Y1'),
  /** Somebody whose certificates others have bought. */
  bought: new Authority('Bought CA'),
};

/** Leaf first, then the intermediate. */
export function chain(facts: Facts, by: keyof typeof AUTHORITIES): string {
  const { issuer, pem: intermediate } = AUTHORITIES[by];
  return certificate(facts, issuer) + intermediate;
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
