/**
 * What the grade does not ask for and an operator should know all the same: the redirect, the headers that browsers heed,
 * suites that count as weak, and an end that is near. Pure.
 */
import type { Cure } from './cures.ts';
import type { Facts } from './facts.ts';
import type { Suite } from './suites.ts';
import type { Page, Redirect } from './web.ts';

export interface Advice {
  readonly about: string;
  readonly why: string;
  readonly cure: Cure;
}

const NEAR_MS = 14 * 86_400_000;
const MOST_LISTED = 4;

export function adviceOn({ handshakes, certificates, web }: Facts, at: Date): readonly Advice[] {
  const ending = certificates.filter(({ notAfter }) => notAfter > at && notAfter.getTime() - at.getTime() < NEAR_MS);
  const weak = handshakes.versions.flatMap(({ suites }) => suites.filter((one) => isWeak(one) && !isCounted(one)));
  return [
    ...ending.map(({ notAfter }) =>
      advice('expiry', `the certificate ends at ${notAfter.toISOString()}`, 'certificate'),
    ),
    ...(weak.length > 0
      ? [advice('weak-suites', `weak by today's measure, though no harm to the grade: ${listed(weak)}`, 'template')]
      : []),
    ...onRedirect(web.redirect),
    ...onPage(web.page),
  ];
}

/** As SSL Labs marks them. */
export function isWeak({ forwardSecrecy, aead }: Suite): boolean {
  return !forwardSecrecy || !aead;
}

/** The grade speaks of these itself. */
function isCounted({ authenticated, bits, rc4 }: Suite): boolean {
  return !authenticated || bits < 112 || rc4;
}

function onRedirect(redirect: Redirect): readonly Advice[] {
  if (redirect.kind === 'https') return [];
  if (redirect.kind === 'unreachable')
    return [advice('redirect', `port 80 cannot be asked: ${redirect.why}`, 'redirect')];
  const what =
    redirect.kind === 'none'
      ? `answers ${redirect.status} itself`
      : `sends to ${redirect.location}, which is not https`;
  return [advice('redirect', `plain http ${what}: who types the name is not led to https`, 'redirect')];
}

function onPage(page: Page): readonly Advice[] {
  if (page.kind === 'unreachable') return [];
  const { headers, hsts } = page;
  const policy = headers['content-security-policy'];
  const isFramed = headers['x-frame-options'] === undefined && !policy?.includes('frame-ancestors');
  const isSniffed = headers['x-content-type-options']?.toLowerCase() !== 'nosniff';
  const version = /\/\d/.test(headers.server ?? '');
  return [
    ...(hsts.kind === 'valid' && hsts.count > 1
      ? [advice('hsts-twice', `${hsts.count} Strict-Transport-Security headers: browsers read the first only`, 'hsts')]
      : []),
    ...(isSniffed ? [advice('x-content-type-options', 'no X-Content-Type-Options: nosniff', 'headers')] : []),
    ...(isFramed
      ? [advice('framing', 'any site may frame the page: no X-Frame-Options, no frame-ancestors', 'headers')]
      : []),
    ...(headers['referrer-policy'] === undefined ? [advice('referrer-policy', 'no Referrer-Policy', 'headers')] : []),
    ...(policy === undefined ? [advice('content-security-policy', 'no Content-Security-Policy', 'headers')] : []),
    ...(version ? [advice('server', `the Server header tells a version: ${headers.server}`, 'headers')] : []),
  ];
}

function advice(about: string, why: string, cure: Cure): Advice {
  return { about, why, cure };
}

function listed(suites: readonly Suite[]): string {
  const names = [...new Set(suites.map(({ name }) => name))];
  const more = names.length - MOST_LISTED;
  return names.slice(0, MOST_LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
