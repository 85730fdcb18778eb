/**
 * When a certificate is renewed: by share of its life, so that one of 90 days, of 6 days and of 2 minutes all just work.
 *
 * Let's Encrypt's own advice (the centre of its ARI windows): at 2/3 of the life, at half of it below 10 days.
 */
import { createHash } from 'node:crypto';
import type { CertificateBundle } from './bundle.ts';

const DAY_MS = 86_400_000;
const SHORT_LIFE_MS = 10 * DAY_MS;

type Lifetime = Pick<CertificateBundle, 'notBefore' | 'notAfter'>;

export function renewAt(bundle: Lifetime & Pick<CertificateBundle, 'fingerprint'>): Date {
  const lifeMs = lifeOf(bundle);
  const share = isShortLived(bundle) ? 1 / 2 : 2 / 3;
  const spreadMs = Math.min(lifeMs * 0.01, DAY_MS / 2);
  return new Date(bundle.notBefore.getTime() + lifeMs * share - jitter(bundle.fingerprint) * spreadMs);
}

/** From when on a certificate with fewer names is better than this one's end: 1/6 of the life, or 3 days, but no more than 1/4. */
export function mayShrinkAt(bundle: Lifetime): Date {
  const lifeMs = lifeOf(bundle);
  const leftMs = Math.max(lifeMs / 6, Math.min(3 * DAY_MS, lifeMs / 4));
  return new Date(bundle.notAfter.getTime() - leftMs);
}

/** From when on even a name that only we have not seen well is given up: in the last half of that time. */
export function lastCallAt(bundle: Lifetime): Date {
  return new Date((mayShrinkAt(bundle).getTime() + bundle.notAfter.getTime()) / 2);
}

/** How much of its life is left, from 1 down to 0. */
export function lifeLeft(bundle: Lifetime, now: Date): number {
  return Math.max(0, (bundle.notAfter.getTime() - now.getTime()) / lifeOf(bundle));
}

/** Of a CA whose certificates live for days, a new one is always wanted soon. */
export function isShortLived(bundle: Lifetime): boolean {
  return lifeOf(bundle) < SHORT_LIFE_MS;
}

function lifeOf({ notBefore, notAfter }: Lifetime): number {
  return notAfter.getTime() - notBefore.getTime();
}

/** From 0 to 1, the same for the same certificate: a restart must not move the date, and two clusters must not meet. */
function jitter(fingerprint: string): number {
  return createHash('sha256').update(fingerprint).digest().readUInt32BE() / 2 ** 32;
}
