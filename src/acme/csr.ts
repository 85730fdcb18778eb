/**
 * The certificate request (PKCS #10, RFC 2986), written byte by byte: subject, public key, and the names.
 *
 * A library for ASN.1 costs an order more than all its signatures; here are the six types that a request is made of.
 */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { CertificateSpec } from '../certificates/spec.ts';

const SEQUENCE = 0x30;
const SET = 0x31;
const OBJECT_ID = 0x06;
const UTF8 = 0x0c;
const OCTETS = 0x04;
const BITS = 0x03;
/** [0] of a request's attributes. */
const ATTRIBUTES = 0xa0;
/** [2] IA5String of GeneralName (RFC 5280 §4.2.1.6). */
const DNS_NAME = 0x82;
const VERSION_0 = Buffer.from([0x02, 0x01, 0x00]);
const NULL = Buffer.from([0x05, 0x00]);

const COMMON_NAME = objectId('550403'); // 2.5.4.3
const EXTENSION_REQUEST = objectId('2a864886f70d01090e'); // 1.2.840.113549.1.9.14
const SUBJECT_ALT_NAME = objectId('551d11'); // 2.5.29.17
const SHA256_WITH_RSA = der(SEQUENCE, objectId('2a864886f70d01010b'), NULL);
const ECDSA_WITH_SHA256 = der(SEQUENCE, objectId('2a8648ce3d040302'));
const ECDSA_WITH_SHA384 = der(SEQUENCE, objectId('2a8648ce3d040303'));

export function certificateRequest({ commonName, domains }: CertificateSpec, keyPem: string): Buffer {
  const key = createPrivateKey(keyPem);
  const { hash, algorithm } = signatureFor(key.asymmetricKeyDetails?.namedCurve);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const body = der(SEQUENCE, VERSION_0, subject(commonName), publicKey, der(ATTRIBUTES, extensions(domains)));
  return der(SEQUENCE, body, algorithm, der(BITS, Buffer.from([0]), sign(hash, body, key)));
}

function signatureFor(curve: string | undefined): { readonly hash: string; readonly algorithm: Buffer } {
  if (curve === undefined) return { hash: 'sha256', algorithm: SHA256_WITH_RSA };
  if (curve === 'secp384r1') return { hash: 'sha384', algorithm: ECDSA_WITH_SHA384 };
  return { hash: 'sha256', algorithm: ECDSA_WITH_SHA256 };
}

function subject(commonName: string | undefined): Buffer {
  if (commonName === undefined) return der(SEQUENCE);
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from(commonName)))));
}

function extensions(domains: readonly string[]): Buffer {
  const names = der(SEQUENCE, ...domains.map((name) => der(DNS_NAME, Buffer.from(name, 'latin1'))));
  const altNames = der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTETS, names));
  return der(SEQUENCE, EXTENSION_REQUEST, der(SET, der(SEQUENCE, altNames)));
}

function objectId(hex: string): Buffer {
  return der(OBJECT_ID, Buffer.from(hex, 'hex'));
}

/** Tag, length, value (X.690 §8.1). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(value.length)]), value]);
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}
