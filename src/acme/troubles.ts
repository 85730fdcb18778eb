/**
 * The catalogue's table: each thing a CA refuses and each way of not reaching it → who is blocked, when it is tried
 * again, and what would help.
 *
 * Read from the top: the first row whose type and text fit wins. Texts are Let's Encrypt's (Boulder's va, ra, ratelimits,
 * policy and wfe2 packages) and Pebble's; a CA that words it differently gets the row without a text. Who is judged by
 * a row stands in catalogue.ts.
 */

import type { Pace, Scope } from '../certificates/ledger.ts';

export interface Trouble {
  /** RFC 8555 §6.7 without the namespace; or `transport`, `unreadable`, `http` and others of our own. */
  readonly type: string;
  readonly detail: string;
  readonly domain?: string | undefined;
  /** Of a transport failure. */
  readonly code?: string | undefined;
}

type Cure = (name: string, detail: string) => string;
type Row = readonly [type: RegExp, text: RegExp, scope: Scope, pace: Pace, cure: Cure];

const ANY = /^/;

const brokenTls: Cure = (d) =>
  `The challenge path of ${d} is redirected to HTTPS whose TLS is broken: exempt /.well-known/acme-challenge from the redirect`;

const VALIDATION: readonly Row[] = [
  [
    /^connection$/,
    /redirect|invalid port/i,
    'name',
    'day',
    (d) =>
      `The challenge path of ${d} is redirected to where the CA does not follow: it takes 301, 302, 307 and 308 to ports 80 and 443, no more than ten. Exempt /.well-known/acme-challenge from the redirect`,
  ],
  [
    /^(connection|unauthorized|incorrectResponse|dns)$/,
    /secondary validation/i,
    'name',
    'name',
    (d) =>
      `${d} is reachable from one place but not from others, and the CA checks from several networks: take geo-blocking and DDoS protection off the challenge path, and see that all its name servers say the same`,
  ],
  [
    /^connection$/,
    /refused|reset/i,
    'name',
    'name',
    (d) => `Nothing listens there on port 80: see that marathon-lb runs on the machine that ${d} points to`,
  ],
  [
    /^connection$/,
    ANY,
    'name',
    'name',
    (d) =>
      `Check that DNS A/AAAA of ${d} points to a public agent running marathon-lb, and that the firewall lets TCP 80 in from anywhere`,
  ],
  [
    /^(unauthorized|incorrectResponse)$/,
    /invalid response|non-200|key authorization|not match|404|503|html/i,
    'name',
    'name',
    (d) =>
      `Another app answered for ${d}: give this app's HAPROXY_0_VHOST the name, with HAPROXY_0_PATH=/.well-known/acme-challenge and the highest HAPROXY_0_BACKEND_WEIGHT`,
  ],
  [
    /^(dns|unknownHost)$/,
    /SERVFAIL|REFUSED|CAA|timed out|networking error|DNSSEC/i,
    'name',
    'name',
    (d) =>
      `The name servers of ${d} answer with errors (DNSSEC? CAA queries dropped?): ask the DNS provider, and try a DNSSEC debugger`,
  ],
  [
    /^(dns|unknownHost)$/,
    ANY,
    'name',
    'dns',
    (d) => `Create a public A or AAAA record for ${d}, or take the name out of the labels`,
  ],
  [
    /^caa$/,
    ANY,
    'name',
    'day',
    (d) =>
      `A CAA record forbids this CA to issue for ${d}: add one that allows it (Let's Encrypt's is 0 issue "letsencrypt.org"), or remove the record`,
  ],
  [/^tls$/, ANY, 'name', 'name', brokenTls],
];

const REFUSED_NAMES: readonly Row[] = [
  [/^malformed$/, /only speaks HTTP/i, 'name', 'name', brokenTls], // a verdict on a challenge, but by the same type
  [
    /^(malformed|rejectedIdentifier)$/,
    /more than \d+ (?:identifiers|names|domains|DNS names)/i,
    'certificate',
    'week',
    (_, detail) => {
      const most = /more than (\d+)/.exec(detail)?.[1];
      return `This CA puts no more than ${most} names on a certificate: shorten HAPROXY_0_VHOST (or DOMAINS) to ${most} names`;
    },
  ],
  [
    /^rejectedIdentifier$/,
    /public suffix|labels?\b|invalid character|one dot|longer than|IP address/i,
    'name',
    'week',
    (d) => `${d} is no public domain name: take it out of the labels, or write it as the Internet knows it`,
  ],
  [
    /^(rejectedIdentifier|unsupportedIdentifier)$/,
    ANY,
    'name',
    'week',
    (d) => `The CA will not issue for ${d}, by its policy: take the name out of the labels`,
  ],
  [
    /^malformed$/,
    /issue for|identifier|domain|label|character/i,
    'name',
    'week',
    (d) => `The CA cannot read ${d} as a domain name: take it out of the labels, or spell it as the Internet knows it`,
  ],
  [
    /^unsupported$/,
    /http-01/,
    'name',
    'day',
    (d) => `This CA wants ${d} proved in another way: use another LETSENCRYPT_SERVER_URL`,
  ],
];

const WAIT =
  'Nothing has to be done: the CA is asked again when its limit allows it, and a certificate in place is served until it expires';

const LIMITS: readonly Row[] = [
  [
    /^rateLimited$/,
    /visit|paused|prevented/i,
    'name',
    'week',
    (d) => `${d} failed too often and is paused at the CA: mend it first, then open that link`,
  ],
  [
    /^rateLimited$/,
    /failed authorizations/i,
    'name',
    'name',
    (d) => `${d} failed too often: mend the cause first. Nothing is asked of the CA for it before that time`,
  ],
  [/^rateLimited$/, /exact set/i, 'certificate', 'order', () => WAIT],
  [/^rateLimited$/, /already issued/i, 'name', 'order', () => WAIT],
  [
    /^rateLimited$/,
    /service busy|overloaded|too many (requests|connections)|retry later/i,
    'directory',
    'outage',
    () => 'Nothing has to be done: the CA is busy, and is asked again by itself',
  ],
  [/^rateLimited$/, ANY, 'account', 'order', () => WAIT],
];

const otherCa: Cure = () =>
  'This CA wants an account of its own web site (external account binding): use another LETSENCRYPT_SERVER_URL';

const ACCOUNT: readonly Row[] = [
  [
    /^unauthorized$/,
    /account .*(status|deactivated|revoked)/i,
    'account',
    'order',
    () =>
      'The ACME account was deactivated or revoked: delete its file (account-….json) in the state folder to have a new one',
  ],
  [/^externalAccountRequired$/, ANY, 'account', 'settings', otherCa],
  [/^(unauthorized|malformed)$/, /external ?account|\bEAB\b/i, 'account', 'settings', otherCa],
  [
    /^userActionRequired$/,
    ANY,
    'account',
    'day',
    () => 'The CA has new terms: open the link and accept them. It is tried again once a day',
  ],
  [
    /^(unsupportedContact|invalidContact|invalidEmail)$/,
    ANY,
    'account',
    'settings',
    () => 'Correct LETSENCRYPT_EMAIL, or leave it empty',
  ],
  [
    /^accountDoesNotExist$/,
    ANY,
    'account',
    'order',
    () =>
      'The CA does not know our account, and did not register it anew: if that lasts, delete its file (account-….json) in the state folder to have a new one',
  ],
];

const anew: Cure = () => 'Nothing has to be done: that order is given up, and the next try makes a new one';

const itsProblem: Cure = () =>
  'Nothing has to be done unless it lasts: the CA, or a proxy on the way to it, has a problem, and is asked again by itself';

const ORDER: readonly Row[] = [
  [
    /^(badCSR|badPublicKey|badSignatureAlgorithm)$/,
    ANY,
    'certificate',
    'settings',
    () => 'The CA does not take this kind of key: set KEY_TYPE=ec256 or KEY_TYPE=rsa2048',
  ],
  [/^(compound|orderMismatch|orderNotReady|alreadyReplaced|invalidProfile)$/, ANY, 'certificate', 'order', anew],
  [/^malformed$/, /no (such )?order\b|order .*(not found|expired)/i, 'certificate', 'order', anew],
  [
    /^badCertificate$/,
    ANY,
    'certificate',
    'order',
    () =>
      'That certificate is thrown away, and the next try orders another one: see that the clock is right, and that LETSENCRYPT_SERVER_URL is the CA that is meant',
  ],
  [
    /^badNonce$/,
    ANY,
    'directory',
    'outage',
    () =>
      'It is tried again by itself; if that lasts, see whether a proxy on the way to the CA keeps old answers, and let it keep none',
  ],
  [/^serverInternal$/, ANY, 'directory', 'outage', itsProblem],
];

const REACHING: readonly Row[] = [
  [
    /^http$/,
    /HTTP 407/,
    'directory',
    'outage',
    () => 'The proxy wants a user and a password: write them into HTTPS_PROXY',
  ],
  [
    /^http$/,
    /HTTP (3\d\d|404)/,
    'directory',
    'outage',
    () => 'Check that LETSENCRYPT_SERVER_URL is the URL of an ACME v2 directory',
  ],
  [/^http$/, ANY, 'directory', 'outage', itsProblem],
  [
    /^unreadable$/,
    ANY,
    'directory',
    'outage',
    () =>
      'Check that LETSENCRYPT_SERVER_URL is the URL of an ACME v2 directory; if it is, see what on the way to it (a proxy, a firewall) spoils its answers',
  ],
  [
    /^transport$/,
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    'directory',
    'outage',
    () =>
      "The CA's own certificate is out of date by the clock of this machine: set the clock right, or wait until the CA has mended it",
  ],
  [
    /^transport$/,
    /ALTNAME_INVALID/,
    'directory',
    'settings',
    () =>
      'Its certificate is for another host: check the host in LETSENCRYPT_SERVER_URL, and whether a proxy answers in its place',
  ],
  [
    /^transport$/,
    /CERT_|_CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/,
    'directory',
    'settings',
    () =>
      'Its certificate is not trusted here: for a private CA, or where TLS is intercepted, set ACME_CA_FILE to the root certificate (PEM)',
  ],
  [
    /^transport$/,
    /EPROTO|ERR_SSL/,
    'directory',
    'outage',
    () => 'That is not TLS: check LETSENCRYPT_SERVER_URL and HTTPS_PROXY',
  ],
  [
    /^transport$/,
    /PROXY/,
    'directory',
    'outage',
    () => 'Check HTTPS_PROXY and NO_PROXY, and that the proxy works and lets this container out to the CA',
  ],
  [
    /^transport$/,
    /ENOTFOUND|EAI_AGAIN/,
    'directory',
    'outage',
    () => "The CA's host name cannot be resolved: check LETSENCRYPT_SERVER_URL and the DNS of this container",
  ],
  [
    /^transport$/,
    ANY,
    'directory',
    'outage',
    () =>
      'It is tried again by itself; if that lasts, see that the firewall lets this container out to the CA, or set HTTPS_PROXY',
  ],
  [/^settings$/, ANY, 'directory', 'settings', () => 'Correct that setting'],
];

/** All of them, in the order in which they are read. */
export const ROWS: readonly Row[] = [...LIMITS, ...ACCOUNT, ...REFUSED_NAMES, ...VALIDATION, ...ORDER, ...REACHING];

/** What the table says of it; undefined where it says nothing. */
export function ruling({ type, detail, code }: Trouble): { readonly scope: Scope; readonly pace: Pace } | undefined {
  const [, , scope, pace] = rowOf(type, detail, code) ?? [];
  return scope && pace && { scope, pace };
}

/** Ready to be put behind the CA's sentence; empty where we know nothing better. */
export function cureFor({ type, detail, domain, code }: Trouble): string {
  const cure = rowOf(type, detail, code)?.[4](domain ?? 'the name', detail) ?? '';
  if (cure === '') return '';
  if (/https?:\/\/[^\s)]+$/.test(detail)) return ` (${cure})`; // a full stop would become part of the link
  return /[.!?]$/.test(detail) ? ` ${cure}` : `. ${cure}`;
}

/** The row that judges it. */
export function rowOf(type: string, detail: string, code: string | undefined): Row | undefined {
  const text = `${code ?? ''} ${detail}`;
  return ROWS.find(([types, details]) => types.test(type) && details.test(text));
}
