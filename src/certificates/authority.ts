/**
 * What is known about certificate authorities by their address or their name alone.
 *
 * One predicate, isPublicCa, decides whether the limits and policies of the public CAs bind us. It goes by the
 * directory's host, so nothing that a test or a private CA answers can change it.
 */

/** Registered domains under which the known public CAs keep their ACME directories, staging included. */
const PUBLIC_CAS = [
  'letsencrypt.org',
  'zerossl.com',
  'pki.goog',
  'ssl.com',
  'actalis.com',
  'buypass.com',
  'buypass.no',
  'sectigo.com',
  'digicert.com',
  'entrust.net',
  'globalsign.com',
  'harica.gr',
];

const LETS_ENCRYPT_V1 = new Map([
  ['acme-v01.api.letsencrypt.org', 'https://acme-v02.api.letsencrypt.org/directory'],
  ['acme-staging.api.letsencrypt.org', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
]);

export function isPublicCa(directoryUrl: string): boolean {
  const host = URL.parse(directoryUrl)?.hostname.replace(/\.$/, '');
  return host !== undefined && PUBLIC_CAS.some((domain) => host === domain || host.endsWith(`.${domain}`));
}

/** A directory whose certificates no browser trusts, on purpose: a public CA's test environment, or no public CA. */
export function isStagingDirectory(directoryUrl: string): boolean {
  return !isPublicCa(directoryUrl) || /staging|test-api/i.test(directoryUrl);
}

/** What binds a certificate of this directory before it may be handed to HAProxy; for bundle.ts's `objections`. */
export function gateOf(directoryUrl: string): { publicCa: boolean; stagingAllowed: boolean } {
  return { publicCa: isPublicCa(directoryUrl), stagingAllowed: isStagingDirectory(directoryUrl) };
}

/** Let's Encrypt's staging intermediates of today, and of the days of ACME v1, as old deployments may still hold. */
export function isStagingIssuer(issuer: string): boolean {
  return /\(STAGING\)|\bFake LE\b|happy hacker fake CA/i.test(issuer);
}

/** The ACME v1 directory that this one took the place of, with the same accounts. */
export function formerDirectoryUrl(directoryUrl: string): string | undefined {
  const former = [...LETS_ENCRYPT_V1].find(([, successor]) => successor === directoryUrl);
  return former && `https://${former[0]}/directory`;
}

/**
 * Old definitions name Let's Encrypt's ACME v1 directories, switched off in 2021: those two are mapped to v2. What looks
 * like v1 elsewhere is refused here, in words, since its answers would only puzzle. A path with /v1/ alone is no sign
 * of it: HashiCorp Vault serves ACME v2 below one.
 */
export function currentDirectoryUrl(url: string): { url: string; warning?: string } {
  const parsed = URL.parse(url);
  const successor = parsed && LETS_ENCRYPT_V1.get(parsed.hostname);
  if (successor)
    return {
      url: successor,
      warning: `${parsed.host}${parsed.pathname} is an ACME v1 URL, switched off in 2021; ${successor} is used instead, write that one`,
    };
  if (parsed && /\bacme-?v0?1\b/i.test(parsed.hostname + parsed.pathname)) {
    throw new Error(
      `${parsed.host}${parsed.pathname} is an ACME v1 URL; ask the CA for the address of its ACME v2 (RFC 8555) directory`,
    );
  }
  return { url };
}
