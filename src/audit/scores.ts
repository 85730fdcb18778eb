/**
 * The three scores of the rating guide, from 0 to 100: protocols, key exchange, ciphers. Pure.
 */
import { type Facts, suitesOf } from './facts.ts';
import type { Version } from './hello.ts';

export interface Scores {
  readonly protocol: number;
  readonly keyExchange: number;
  readonly cipher: number;
  readonly total: number;
}

const PROTOCOL_SCORES: Readonly<Record<Version, number>> = {
  SSLv3: 80,
  'TLSv1.0': 90,
  'TLSv1.1': 95,
  'TLSv1.2': 100,
  'TLSv1.3': 100,
};

/** The best and the worst that is offered, halved; a category without points leaves none at all. */
export function scoresOf(facts: Facts): Scores {
  const { handshakes } = facts;
  const protocols = [
    ...handshakes.versions.map(({ version }) => PROTOCOL_SCORES[version]),
    ...(handshakes.sslv2 ? [0] : []),
  ];
  const ciphers = suitesOf(facts).map(({ bits }) => (bits >= 256 ? 100 : bits >= 128 ? 80 : bits > 0 ? 20 : 0));
  const protocol = middle(protocols);
  const cipher = middle(ciphers);
  const keyExchange = keyScore(facts);
  const total = protocol && cipher && keyExchange ? Math.floor(protocol * 0.3 + keyExchange * 0.3 + cipher * 0.4) : 0;
  return { protocol, keyExchange, cipher, total };
}

function middle(scores: readonly number[]): number {
  return scores.length === 0 ? 0 : Math.floor((Math.max(...scores) + Math.min(...scores)) / 2);
}

function keyScore(facts: Facts): number {
  if (suitesOf(facts).some(({ authenticated }) => !authenticated)) return 0;
  const bits = suitesOf(facts).some(({ exportGrade }) => exportGrade) ? 512 : weakest(facts).bits;
  return bits < 512 ? 20 : bits < 1024 ? 40 : bits < 2048 ? 80 : bits < 4096 ? 90 : 100;
}

/** Curves and groups by IANA's numbers, as bits of an RSA key (NIST SP 800-57; RFC 7919 for the finite fields). */
const GROUP_STRENGTHS: Readonly<Record<number, number>> = {
  19: 1536,
  21: 2048,
  22: 3072,
  23: 3072,
  24: 7680,
  25: 15_360,
  26: 3072,
  27: 7680,
  28: 15_360,
  29: 3072,
  30: 7680,
  256: 2048,
  257: 3072,
  258: 4096,
  4588: 3072,
};

/** As strong as its weakest part: a key of a certificate, a prime, a curve. */
export function weakest({ handshakes, certificates }: Facts): { readonly bits: number; readonly what: string } {
  const keys = [
    ...certificates.map(({ key }) => ({ bits: key.asRsa, what: `the ${key.kind} key of the certificate` })),
    ...handshakes.versions.flatMap(({ dhBits }) =>
      dhBits.map((bits) => ({ bits, what: 'the prime of the DHE key exchange' })),
    ),
    ...handshakes.versions.flatMap(({ groups }) =>
      groups.flatMap((group) => {
        const bits = GROUP_STRENGTHS[group];
        return bits === undefined ? [] : [{ bits, what: 'the curve of the key exchange' }];
      }),
    ),
  ];
  return keys.reduce((a, b) => (b.bits < a.bits ? b : a), { bits: 16_384, what: 'no key' });
}
