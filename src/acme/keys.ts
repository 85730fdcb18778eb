/**
 * Private keys and the request that is made with one. PEM of PKCS#8: acme-client reads no other.
 *
 * RSA keys are searched for in libuv's thread pool, so the challenge listener goes on answering; with a share of 0.05
 * CPU it is starved all the same, which is why an order makes its key before the CA is told to come.
 */

import { createPrivateKey, generateKeyPair, type KeyPairKeyObjectResult } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyType } from '../certificates/spec.ts';

const generate = promisify(generateKeyPair);

const CURVES: Readonly<Record<string, KeyType>> = { prime256v1: 'ec256', secp384r1: 'ec384' };
const SIZES: Readonly<Record<number, KeyType>> = { 2048: 'rsa2048', 3072: 'rsa3072', 4096: 'rsa4096' };

export async function makeKey(type: KeyType): Promise<string> {
  const { privateKey } = await pair(type);
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function pair(type: KeyType): Promise<KeyPairKeyObjectResult> {
  const [namedCurve] = Object.entries(CURVES).find(([, made]) => made === type) ?? [];
  if (namedCurve !== undefined) return generate('ec', { namedCurve });
  const [modulusLength] = Object.entries(SIZES).find(([, made]) => made === type) ?? [];
  return generate('rsa', { modulusLength: Number(modulusLength) });
}

/** Undefined: none that we make, or no key at all. */
export function keyTypeOf(pem: string): KeyType | undefined {
  try {
    const { asymmetricKeyDetails: { namedCurve = '', modulusLength = 0 } = {} } = createPrivateKey(pem);
    return CURVES[namedCurve] ?? SIZES[modulusLength];
  } catch {
    return undefined;
  }
}
