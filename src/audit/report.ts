/**
 * An audit for people and for scripts. For people: the grade, what keeps it from A+ and what mends that, then what was seen.
 */
import { hanging, section } from '../terminal/layout.ts';
import { type Style, timeAsText } from '../terminal/style.ts';
import type { Tone } from '../words.ts';
import { isWeak } from './advice.ts';
import { nameOf } from './ask.ts';
import type { Audit } from './audit.ts';
import type { CertificateFacts } from './certificate.ts';
import { CURES, type Cure } from './cures.ts';
import { type Grade, isAtLeast } from './grade.ts';
import type { Page, Redirect } from './web.ts';

export function auditAsText(audit: Audit, style: Style): string {
  const { facts, verdict, advice, at } = audit;
  const cures = new Set<Cure>([...verdict.breaches, ...advice].map(({ cure }) => cure));
  const breaches = verdict.breaches.map(({ cap, why }) => hanging(`  ${cap.padEnd(2)}  `, why, style));
  return [
    headline(audit, style),
    section('What keeps it from A+', breaches.join(''), style),
    section(
      'Besides, without weight for the grade',
      advice.map(({ why }) => hanging('  - ', why, style)).join(''),
      style,
    ),
    section('What mends it', [...cures].map((cure) => hanging('  - ', CURES[cure], style)).join(''), style),
    section('Protocols and suites, in the order of its choice', protocols(audit, style), style),
    section('Certificate', facts.certificates.map((one) => certificate(one, at, style)).join(''), style),
    section(
      'HTTP',
      hanging('  http   ', saidOfRedirect(facts.web.redirect), style) +
        hanging('  https  ', saidOfPage(facts.web.page), style),
      style,
    ),
  ].join('');
}

function headline({ target, place, otherAddresses, verdict }: Audit, style: Style): string {
  const { grade, gradeOfTls, scores } = verdict;
  const tone = toneOf(grade);
  const others = otherAddresses.length > 0 ? `; not asked: ${otherAddresses.join(', ')} (--at ADDRESS)` : '';
  const apart = grade === gradeOfTls ? '' : ` (${gradeOfTls} if the certificate were trusted and had the name)`;
  const { protocol, keyExchange, cipher, total } = scores;
  return (
    hanging(
      `${style.paint(`${style.mark(tone)} ${grade}`, tone)}  `,
      `${target.name} at ${nameOf(place)}${others}${apart}`,
      style,
    ) +
    hanging(
      '  ',
      `protocols ${protocol}, key exchange ${keyExchange}, ciphers ${cipher}: ${total} of 100, by the SSL Server Rating Guide 2009r`,
      style,
    )
  );
}

function toneOf(grade: Grade): Tone {
  return isAtLeast(grade, 'A') ? 'good' : isAtLeast(grade, 'B') ? 'warn' : 'bad';
}

function protocols({ facts }: Audit, style: Style): string {
  const { versions, sslv2, silentTo } = facts.handshakes;
  const lines = versions.map(({ version, suites }) => {
    const names = suites.map((suite) => (isWeak(suite) ? `${suite.name} (weak)` : suite.name));
    return hanging(`  ${version.padEnd(8)} `, names.join(', '), style);
  });
  const silent = silentTo.length > 0 ? `no answer to ${silentTo.join(', ')} in time: counted as not offered` : '';
  return lines.join('') + (sslv2 ? '  SSLv2\n' : '') + (silent ? hanging('  ', silent, style) : '');
}

function certificate(
  { subject, issuer, names, notAfter, key, hashes, chain, sent, fingerprint }: CertificateFacts,
  at: Date,
  style: Style,
): string {
  const way = { trusted: 'trusted', incomplete: 'incomplete', untrusted: 'not trusted' }[chain.kind];
  return [
    hanging('  for      ', names.join(', ') || `${subject} (as its common name only)`, style),
    hanging('  until    ', timeAsText(notAfter, at), style),
    hanging('  key      ', `${key.kind} ${key.bits}, signed with ${hashes.join(', ')} by ${issuer}`, style),
    hanging('  chain    ', `${sent} sent, ${way}`, style),
    hanging('  SHA-256  ', fingerprint, style),
  ].join('');
}

function saidOfRedirect(redirect: Redirect): string {
  if (redirect.kind === 'unreachable') return `not asked: ${redirect.why}`;
  return redirect.kind === 'none' ? `${redirect.status}, no redirect` : `${redirect.status} to ${redirect.location}`;
}

function saidOfPage(page: Page): string {
  if (page.kind === 'unreachable') return `not asked: ${page.why}`;
  const hsts = page.hsts.kind === 'absent' ? 'no HSTS' : `HSTS ${page.hsts.value}`;
  const told = Object.entries(page.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return [String(page.status), hsts, ...told].join('; ');
}

/** For scripts. Fields are added, not renamed. */
export function auditAsJson({ target, at, place, otherAddresses, facts, verdict, advice }: Audit) {
  const { handshakes, certificates, web } = facts;
  const page = web.page.kind === 'answered' ? { ...web.page, chain: undefined } : web.page;
  return {
    target,
    at: at.toISOString(),
    address: nameOf(place),
    otherAddresses,
    ...verdict,
    breaches: verdict.breaches.map((one) => ({ ...one, cure: CURES[one.cure] })),
    advice: advice.map((one) => ({ ...one, cure: CURES[one.cure] })),
    protocols: [...handshakes.versions.map(({ version }) => version), ...(handshakes.sslv2 ? ['SSLv2'] : [])],
    silentTo: handshakes.silentTo,
    suites: Object.fromEntries(
      handshakes.versions.map(({ version, suites }) => [version, suites.map(({ name }) => `TLS_${name}`)]),
    ),
    dhBits: [...new Set(handshakes.versions.flatMap(({ dhBits }) => dhBits))],
    certificates,
    web: { redirect: web.redirect, page },
  };
}
