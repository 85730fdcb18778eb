/**
 * What would help, for each thing a CA refuses: the sentence after the CA's own.
 *
 * One table, read from the top: the first row whose type and text fit wins. Texts are Let's Encrypt's (Boulder's va, ra
 * and policy packages) and Pebble's; a CA that words it differently gets the row without a text.
 */

interface Trouble {
  readonly type: string;
  readonly detail: string;
  readonly domain: string | undefined;
  /** Of a transport failure. */
  readonly code: string | undefined;
}

type Row = readonly [type: RegExp, detail: RegExp, cure: (domain: string) => string];

const ANY = /^/;

const ROWS: readonly Row[] = [
  [
    /^connection$/,
    /secondary validation/i,
    (d) =>
      `${d} is reachable from one place but not from others: geo-blocking, DDoS protection or stale DNS? The CA checks from several networks`,
  ],
  [
    /^connection$/,
    /redirect|invalid port/i,
    (d) =>
      `The challenge path of ${d} is redirected to where the CA does not follow: only ports 80 and 443. Exempt /.well-known/acme-challenge from the redirect`,
  ],
  [
    /^connection$/,
    /refused|reset/i,
    (d) => `Nothing listens there on port 80. Is marathon-lb running on the machine that ${d} points to?`,
  ],
  [
    /^connection$/,
    ANY,
    (d) =>
      `Check that DNS A/AAAA of ${d} points to a public agent running marathon-lb, and that the firewall lets TCP 80 in from anywhere`,
  ],
  [
    /^(unauthorized|incorrectResponse)$/,
    /account .*(status|deactivated|revoked)/i,
    () => 'The ACME account was deactivated or revoked: delete its file in the state folder to have a new one',
  ],
  [
    /^(unauthorized|incorrectResponse)$/,
    /invalid response|non-200|key authorization|not match|404|503|html/i,
    (d) =>
      `Another app answered for ${d}: give this app's HAPROXY_0_VHOST the name, with HAPROXY_0_PATH=/.well-known/acme-challenge and the highest HAPROXY_0_BACKEND_WEIGHT`,
  ],
  [
    /^(dns|unknownHost)$/,
    /SERVFAIL|CAA/i,
    (d) => `The name servers of ${d} answer with errors (DNSSEC? CAA queries dropped?): ask the DNS provider`,
  ],
  [/^(dns|unknownHost)$/, ANY, (d) => `Create a public A or AAAA record for ${d}, or take the name out of the labels`],
  [/^caa$/, ANY, (d) => `A CAA record forbids this CA to issue for ${d}: add one that allows it, or remove the record`],
  [
    /^tls$/,
    ANY,
    (d) =>
      `The challenge path of ${d} is redirected to HTTPS whose TLS is broken: exempt /.well-known/acme-challenge from the redirect`,
  ],
  [
    /^rateLimited$/,
    /visit|paused|prevented/i,
    () => 'The name failed too often and is paused at the CA: mend it, then open that link',
  ],
  [
    /^rateLimited$/,
    ANY,
    () => 'The certificate in place stays until it expires; nothing is asked of the CA before that time',
  ],
  [/^rejectedIdentifier$/, ANY, (d) => `The CA will not issue for ${d}: take the name out of the labels`],
  [
    /^(badCSR|badPublicKey|badSignatureAlgorithm)$/,
    ANY,
    () => 'The CA does not take this kind of key: set KEY_TYPE=ec256 or KEY_TYPE=rsa2048',
  ],
  [
    /^externalAccountRequired$/,
    ANY,
    () => 'This CA wants an account of its own web site (external account binding): use another LETSENCRYPT_SERVER_URL',
  ],
  [/^userActionRequired$/, ANY, () => 'The CA has new terms: open the link and accept them'],
  [
    /^(serverInternal|http)$/,
    ANY,
    () => 'The CA, or a proxy on the way to it, has a problem; certificates in place stay valid',
  ],
  [/^unreadable$/, ANY, () => 'Is LETSENCRYPT_SERVER_URL the URL of an ACME v2 directory?'],
  [
    /^transport$/,
    /ENOTFOUND|EAI_AGAIN/,
    () => "The CA's host name cannot be resolved: check LETSENCRYPT_SERVER_URL and the DNS of this container",
  ],
  [
    /^transport$/,
    /CERT_|_CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/,
    () =>
      'Its certificate is not trusted here: for a private CA, or where TLS is intercepted, set ACME_CA_FILE to the root certificate (PEM)',
  ],
  [/^transport$/, /EPROTO|ERR_SSL/, () => 'That is not TLS: check LETSENCRYPT_SERVER_URL and HTTPS_PROXY'],
  [/^transport$/, /PROXY/, () => 'Check HTTPS_PROXY and NO_PROXY'],
  [/^transport$/, ANY, () => 'Does the firewall let this container out to the CA, or is a proxy needed (HTTPS_PROXY)?'],
];

/** Ready to be put behind the CA's sentence; empty where we know nothing better. */
export function cureFor({ type, detail, domain, code }: Trouble): string {
  const text = `${code ?? ''} ${detail}`;
  const row = ROWS.find(([types, details]) => types.test(type) && details.test(text));
  return row === undefined ? '' : `. ${row[2](domain ?? 'the name')}`;
}
