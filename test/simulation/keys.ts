/**
 * Keys without chance: real ones, each made from a number, and a pool of them, since making one costs more
 * than all else that an order does.
 */
import { createECDH, createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Random } from './random.ts';

const POOL = 64;
const pools: Record<Curve, (KeyObject | undefined)[]> = { 'P-256': [], 'P-384': [] };
const CURVES = { 'P-256': { name: 'prime256v1', bytes: 32 }, 'P-384': { name: 'secp384r1', bytes: 48 } } as const;

type Curve = 'P-256' | 'P-384';

/** One of the pool: that two certificates share a key now and then is nothing that the program could see. */
export function modelKey(random: Random, curve: Curve = 'P-256'): KeyObject {
  const index = random.integer(0, POOL - 1);
  const key = pools[curve][index] ?? made(`key ${index}`, curve);
  pools[curve][index] = key;
  return key;
}

function made(name: string, crv: Curve): KeyObject {
  const { name: curve, bytes } = CURVES[crv];
  const secret = createHash('sha512').update(name).digest().subarray(0, bytes);
  const pair = createECDH(curve);
  pair.setPrivateKey(secret);
  const point = pair.getPublicKey();
  const part = (from: number): string => point.subarray(from, from + bytes).toString('base64url');
  const jwk = { kty: 'EC', crv, d: secret.toString('base64url'), x: part(1), y: part(1 + bytes) };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

/** Ed25519 signs the same to the same bytes; ECDSA draws a number for each signature. */
export function issuerKey(name: string): KeyObject {
  const secret = createHash('sha256').update(name).digest();
  const header = Buffer.from('302e020100300506032b657004220420', 'hex'); // RFC 8410 §7
  return createPrivateKey({ key: Buffer.concat([header, secret]), format: 'der', type: 'pkcs8' });
}
