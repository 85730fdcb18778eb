/**
 * Keys without chance: real ones for P-256, each made from a number, and a pool of them, since making one costs more
 * than all else that an order does.
 */
import { createECDH, createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Random } from './random.ts';

const POOL = 64;
const pool: (KeyObject | undefined)[] = [];

/** One of the pool: that two certificates share a key now and then is nothing that the program could see. */
export function modelKey(random: Random): KeyObject {
  const index = random.integer(0, POOL - 1);
  const key = pool[index] ?? p256(`key ${index}`);
  pool[index] = key;
  return key;
}

function p256(name: string): KeyObject {
  const secret = createHash('sha256').update(name).digest();
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(secret);
  const point = pair.getPublicKey();
  const part = (from: number): string => point.subarray(from, from + 32).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', d: secret.toString('base64url'), x: part(1), y: part(33) };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

/** Ed25519 signs the same to the same bytes; ECDSA draws a number for each signature. */
export function issuerKey(name: string): KeyObject {
  const secret = createHash('sha256').update(name).digest();
  const header = Buffer.from('302e020100300506032b657004220420', 'hex'); // RFC 8410 §7
  return createPrivateKey({ key: Buffer.concat([header, secret]), format: 'der', type: 'pkcs8' });
}
