/**
 * When a certificate is renewed: by share of its life, so that one of 90 days, of 6 days and of 2 minutes all just work.
 *
 * Let's Encrypt's own advice (the centre of its ARI windows): at 2/3 of the life, at half of it below 10 days.
 */
import { createHash } from 'node:crypto';
import type { CertificateBundle } from './bundle.ts';

const DAY_MS = 86_400_000;
const SHORT_LIFE_MS = 10 * DAY_MS;

export function renewAt(bundle: Pick<CertificateBundle, 'notBefore' | 'notAfter' | 'fingerprint'>): Date {
  const lifeMs = bundle.notAfter.getTime() - bundle.notBefore.getTime();
  const share = lifeMs < SHORT_LIFE_MS ? 1 / 2 : 2 / 3;
  const spreadMs = Math.min(lifeMs * 0.01, DAY_MS / 2);
  return new Date(bundle.notBefore.getTime() + lifeMs * share - jitter(bundle.fingerprint) * spreadMs);
}

/** From 0 to 1, the same for the same certificate: a restart must not move the date, and two clusters must not meet. */
function jitter(fingerprint: string): number {
  return createHash('sha256').update(fingerprint).digest().readUInt32BE() / 2 ** 32;
}
