/**
 * From facts to a grade, by Qualys SSL Labs' "SSL Server Rating Guide", version 2009r (May 2025): three scores, then rules
 * that hold the grade down, each a row of a table.
 *
 * Pure. Where the guide asks what browsers end up with, we take what the server chooses when everything is offered. What
 * cannot be learned without attacking (Heartbleed, ROBOT, CCS injection …) is not looked for. docs/audit.md has it in words.
 */
import type { CertificateFacts } from './certificate.ts';
import type { Cure } from './cures.ts';
import { type Facts, suitesOf } from './facts.ts';
import type { VersionFacts } from './handshakes.ts';
import type { Version } from './hello.ts';
import { LONG_SECONDS } from './hsts.ts';
import { type Scores, scoresOf, weakest } from './scores.ts';
import type { Suite } from './suites.ts';
import type { WebFacts } from './web.ts';

/** From the best; T is for certificates that are not trusted, M for those of other names: they say nothing about TLS. */
export const GRADES = ['A+', 'A', 'A-', 'B', 'C', 'D', 'E', 'F', 'M', 'T'] as const;
export type Grade = (typeof GRADES)[number];

export interface Breach {
  readonly rule: string;
  /** No better than this. */
  readonly cap: Grade;
  readonly why: string;
  readonly cure: Cure;
}

export interface Verdict {
  readonly grade: Grade;
  /** As if the certificate were trusted and had the name. */
  readonly gradeOfTls: Grade;
  readonly scores: Scores;
  /** What keeps it from A+, the worst first. */
  readonly breaches: readonly Breach[];
}

interface Rule {
  readonly rule: string;
  readonly cap: Grade;
  readonly cure: Cure;
  /** What is wrong; undefined: nothing. */
  readonly why: (facts: Facts) => string | undefined;
}

const RULES: readonly Rule[] = [
  // The certificate (T and M)
  rule('no-certificate', 'T', 'certificate', ({ certificates }) =>
    certificates.length === 0 ? 'no certificate is shown' : undefined,
  ),
  rule('expired', 'T', 'certificate', ({ certificates }) =>
    first(
      certificates,
      ({ expired }) => expired,
      ({ notAfter }) => `the certificate expired at ${notAfter.toISOString()}`,
    ),
  ),
  rule('not-yet-valid', 'T', 'certificate', ({ certificates }) =>
    first(
      certificates,
      (one) => one.notYetValid,
      ({ notBefore }) => `the certificate is valid from ${notBefore.toISOString()} on`,
    ),
  ),
  rule('untrusted', 'T', 'certificate', ({ certificates }) =>
    first(
      certificates,
      ({ chain }) => chain.kind === 'untrusted',
      ({ chain }) => `the certificate is not trusted: ${chain.kind === 'untrusted' ? chain.why : ''}`,
    ),
  ),
  rule('sha1-signature', 'T', 'certificate', ({ certificates }) =>
    first(
      certificates,
      ({ hashes }) => hashes.includes('SHA1'),
      () => 'a certificate is signed with SHA-1',
    ),
  ),
  rule('broken-signature', 'F', 'certificate', ({ certificates }) =>
    first(
      certificates,
      ({ hashes }) => hashes.some((hash) => hash.startsWith('MD')),
      ({ hashes }) => `a certificate is signed with ${hashes[0]}`,
    ),
  ),
  rule('wrong-name', 'M', 'name', ({ certificates, name }) =>
    first(
      certificates,
      ({ fitsName }) => !fitsName,
      ({ names }) => `the certificate is not for ${name}, but for ${listed(names)}`,
    ),
  ),
  rule('incomplete-chain', 'B', 'chain', ({ certificates }) =>
    first(
      certificates,
      ({ chain }) => chain.kind === 'incomplete',
      ({ chain }) =>
        `the chain is incomplete: the certificate of its issuer, ${chain.kind === 'incomplete' ? chain.missing : ''}, is not sent`,
    ),
  ),
  // Protocols
  rule('sslv2', 'F', 'template', ({ handshakes }) => (handshakes.sslv2 ? 'SSL 2.0 is offered' : undefined)),
  rule('sslv3-best', 'F', 'template', ({ handshakes }) =>
    handshakes.versions[0]?.version === 'SSLv3' ? 'nothing better than SSL 3.0 is offered' : undefined,
  ),
  rule('poodle', 'C', 'template', (facts) =>
    of(facts, 'SSLv3')?.suites.some(({ rc4 }) => !rc4) ? 'SSL 3.0 is offered with CBC suites ("POODLE")' : undefined,
  ),
  rule('sslv3', 'B', 'template', (facts) => (of(facts, 'SSLv3') ? 'SSL 3.0 is offered' : undefined)),
  rule('tls1_0', 'B', 'template', (facts) => (of(facts, 'TLSv1.0') ? 'TLS 1.0 is offered' : undefined)),
  rule('tls1_1', 'B', 'template', (facts) => (of(facts, 'TLSv1.1') ? 'TLS 1.1 is offered' : undefined)),
  rule('old-only', 'C', 'template', (facts) =>
    of(facts, 'TLSv1.2') || of(facts, 'TLSv1.3') ? undefined : 'neither TLS 1.2 nor TLS 1.3 is offered',
  ),
  rule('no-tls1_3', 'A-', 'modern', (facts) => (of(facts, 'TLSv1.3') ? undefined : 'TLS 1.3 is not offered')),
  // Suites
  rule('export', 'F', 'template', (facts) =>
    offers(facts, ({ exportGrade }) => exportGrade, 'suites of export strength are offered'),
  ),
  rule('anonymous', 'F', 'template', (facts) =>
    offers(facts, ({ authenticated }) => !authenticated, 'suites without authentication are offered'),
  ),
  rule('weak-cipher', 'F', 'template', (facts) =>
    offers(facts, ({ bits }) => bits < 112, 'suites of less than 112 bits are offered'),
  ),
  rule('rc4-only', 'F', 'template', (facts) =>
    suitesOf(facts).every(({ rc4 }) => rc4) ? 'only RC4 is offered' : undefined,
  ),
  rule('rc4-modern', 'C', 'template', (facts) => prefers(facts, ({ rc4 }) => rc4, 'RC4 is chosen')),
  rule('rc4', 'B', 'template', (facts) => offers(facts, ({ rc4 }) => rc4, 'RC4 is offered')),
  rule('small-block', 'C', 'template', (facts) =>
    prefers(facts, ({ smallBlock }) => smallBlock, 'a cipher with 64-bit blocks is chosen ("Sweet32")'),
  ),
  rule('no-forward-secrecy', 'B', 'template', ({ handshakes }) => {
    const chosen = handshakes.versions[0]?.suites[0];
    return chosen?.forwardSecrecy === false ? `no forward secrecy: ${chosen.name} is chosen` : undefined;
  }),
  rule('no-aead', 'B', 'template', (facts) =>
    suitesOf(facts).some(({ aead }) => aead) ? undefined : 'no AEAD suite is offered',
  ),
  // Keys
  rule('insecure-key', 'F', 'key', (facts) => tooWeak(facts, 0, 1024)),
  rule('weak-key', 'B', 'key', (facts) => tooWeak(facts, 1024, 2048)),
  // Warnings, and what A+ asks for
  rule('compression', 'C', 'template', ({ handshakes }) =>
    handshakes.versions.some(({ compressed }) => compressed) ? 'TLS compression is on ("CRIME")' : undefined,
  ),
  rule('renegotiation', 'A-', 'template', ({ handshakes }) =>
    handshakes.versions.every(({ secureRenegotiation }) => secureRenegotiation)
      ? undefined
      : 'secure renegotiation (RFC 5746) is not supported',
  ),
  rule('hsts', 'A', 'hsts', ({ web }) => hstsTrouble(web)),
];

function rule(name: string, cap: Grade, cure: Cure, why: Rule['why']): Rule {
  return { rule: name, cap, cure, why };
}

const GRADE_BY_SCORE: readonly (readonly [number, Grade])[] = [
  [80, 'A'],
  [65, 'B'],
  [50, 'C'],
  [35, 'D'],
  [20, 'E'],
];

export function gradeOf(facts: Facts): Verdict {
  const scores = scoresOf(facts);
  const byScore = GRADE_BY_SCORE.find(([least]) => scores.total >= least)?.[1] ?? 'F';
  const breaches = RULES.flatMap(({ rule, cap, cure, why }): readonly Breach[] => {
    const reason = why(facts);
    return reason === undefined ? [] : [{ rule, cap, why: reason, cure }];
  });
  const ofTls = breaches.filter(({ cap }) => cap !== 'T' && cap !== 'M');
  const start: Grade = byScore === 'A' ? 'A+' : byScore;
  return {
    grade: worst([start, ...breaches.map(({ cap }) => cap)]),
    gradeOfTls: worst([start, ...ofTls.map(({ cap }) => cap)]),
    scores,
    breaches: breaches.toSorted((a, b) => GRADES.indexOf(b.cap) - GRADES.indexOf(a.cap)),
  };
}

export function isAtLeast(grade: Grade, least: Grade): boolean {
  return GRADES.indexOf(grade) <= GRADES.indexOf(least);
}

function worst(grades: readonly Grade[]): Grade {
  return grades.reduce((a, b) => (isAtLeast(a, b) ? b : a));
}

// ---- what the rules ask

/** From so many bits on, and fewer than so many. */
function tooWeak(facts: Facts, from: number, below: number): string | undefined {
  const { bits, what } = weakest(facts);
  return bits >= from && bits < below ? `${what} is as strong as ${bits} bits of RSA; 2048 are needed` : undefined;
}

function of({ handshakes }: Facts, version: Version): VersionFacts | undefined {
  return handshakes.versions.find((one) => one.version === version);
}

function offers(facts: Facts, is: (suite: Suite) => boolean, sentence: string): string | undefined {
  const found = [
    ...new Set(
      suitesOf(facts)
        .filter(is)
        .map(({ name }) => name),
    ),
  ];
  return found.length === 0 ? undefined : `${sentence}: ${listed(found)}`;
}

/** Chosen before any other, by TLS 1.1 or later; as a last resort for the old it does no harm. */
function prefers({ handshakes }: Facts, is: (suite: Suite) => boolean, sentence: string): string | undefined {
  const found = handshakes.versions.find(
    ({ version, suites: [chosen] }) => ['TLSv1.1', 'TLSv1.2'].includes(version) && chosen !== undefined && is(chosen),
  );
  return found === undefined ? undefined : `with ${found.version} ${sentence}: ${found.suites[0]?.name}`;
}

function hstsTrouble({ page }: WebFacts): string | undefined {
  if (page.kind === 'unreachable') return `HSTS cannot be seen: ${page.why}`;
  const { hsts, status } = page;
  const odd = status >= 500 ? ` (the answer was ${status}: is there an app behind the name?)` : '';
  if (hsts.kind === 'absent') return `no Strict-Transport-Security header${odd}`;
  if (hsts.kind === 'invalid')
    return `browsers ignore the Strict-Transport-Security header, '${hsts.value}': ${hsts.why}`;
  if (hsts.maxAge === 0) return 'HSTS is switched off by max-age=0';
  const days = Math.floor(hsts.maxAge / 86_400);
  return hsts.maxAge < LONG_SECONDS ? `HSTS is for ${days} days; A+ asks for 180 or more` : undefined;
}

function first(
  certificates: readonly CertificateFacts[],
  is: (one: CertificateFacts) => boolean,
  say: (one: CertificateFacts) => string,
): string | undefined {
  const found = certificates.find(is);
  return found === undefined ? undefined : say(found);
}

const MOST_LISTED = 3;

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no name at all';
  const more = names.length - MOST_LISTED;
  return names.slice(0, MOST_LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
