/**
 * What a CA says, one example for each row of the catalogue: the words that an operator finds in the log and looks up.
 *
 * The sentences are Let's Encrypt's (Boulder's va, ra, ratelimits, policy and wfe2 packages), shortened.
 */
import type { Trouble } from '../../src/acme/troubles.ts';

export const NAME = 'www.example.com';

const told = (type: string, detail: string, code?: string): Trouble => ({ type, detail, code, domain: NAME });

export interface Chapter {
  readonly title: string;
  readonly troubles: readonly Trouble[];
}

export const CHAPTERS: readonly Chapter[] = [
  {
    title: 'The CA could not validate a name',
    troubles: [
      told('connection', 'Timeout during connect (likely firewall problem)'),
      told('connection', 'dial tcp 192.0.2.1:80: connect: connection refused'),
      told('connection', 'Invalid port in redirect target. Only ports 80 and 443 are supported, not 8443'),
      told('connection', 'During secondary validation: 192.0.2.1: Timeout during connect'),
      told('unauthorized', `Invalid response from http://${NAME}/.well-known/acme-challenge/x: 404`),
      told('dns', `DNS problem: NXDOMAIN looking up A for ${NAME}`),
      told('dns', `DNS problem: SERVFAIL looking up CAA for ${NAME}`),
      told('caa', `CAA record for ${NAME} prevents issuance`),
      told('tls', 'remote error: tls: handshake failure'),
      told('malformed', 'Server only speaks HTTP, not TLS'),
    ],
  },
  {
    title: 'The CA refuses a name, or a set of names',
    troubles: [
      told(
        'rejectedIdentifier',
        `Cannot issue for "${NAME}": Domain name does not end with a valid public suffix (TLD)`,
      ),
      told('rejectedIdentifier', `Cannot issue for "${NAME}": forbidden by policy`),
      told('malformed', `Cannot issue for "${NAME}": it cannot be parsed`),
      told('malformed', 'Order cannot contain more than 25 identifiers'),
      told('unsupported', 'http-01 is not offered for this name'),
    ],
  },
  {
    title: 'The limits of the CA',
    troubles: [
      told(
        'rateLimited',
        'too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s',
      ),
      told('rateLimited', `too many certificates (50) already issued for "example.com" in the last 168h0m0s`),
      told('rateLimited', 'too many new orders (300) from this account in the last 3h0m0s'),
      told('rateLimited', `too many failed authorizations (5) for "${NAME}" in the last 1h0m0s`),
      told(
        'rateLimited',
        `Your account is temporarily prevented from requesting certificates for ${NAME}. Please visit:`,
      ),
      told('rateLimited', 'Service busy; retry later.'),
    ],
  },
  {
    title: 'Our account at the CA',
    troubles: [
      told('unauthorized', 'Account is not valid, has status "deactivated"'),
      told('accountDoesNotExist', 'Account "https://acme-v02.api.letsencrypt.org/acme/acct/1" not found'),
      told('userActionRequired', 'Terms of service have changed'),
      told('invalidContact', 'contact email has invalid domain'),
      told('externalAccountRequired', 'an external account binding is required'),
      told('malformed', 'external account binding is required'),
    ],
  },
  {
    title: 'The order itself',
    troubles: [
      told('badCSR', 'invalid public key in CSR: key size not supported: 3072'),
      told('orderNotReady', `Order's status ("invalid") is not acceptable for finalization`),
      told('malformed', 'No order for ID 1'),
      told('badCertificate', 'the certificate that the CA sent: it expired at 2020-01-01T00:00:00.000Z'),
      told('badNonce', 'JWS has an invalid anti-replay nonce'),
      told('serverInternal', 'Error creating new order'),
    ],
  },
  {
    title: 'The CA cannot be reached',
    troubles: [
      told('http', 'HTTP 407: Proxy Authentication Required'),
      told('http', 'HTTP 404: Not Found'),
      told('http', 'HTTP 502: Bad Gateway'),
      told('unreadable', 'the answer is not JSON'),
      told('transport', 'certificate has expired', 'CERT_HAS_EXPIRED'),
      told('transport', "Hostname/IP does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID'),
      told('transport', 'self-signed certificate in certificate chain', 'SELF_SIGNED_CERT_IN_CHAIN'),
      told('transport', 'wrong version number', 'EPROTO'),
      told('transport', 'the proxy answers 403', 'PROXY'),
      told('transport', 'getaddrinfo ENOTFOUND acme-v02.api.letsencrypt.org', 'ENOTFOUND'),
      told('transport', 'connect ECONNREFUSED 192.0.2.1:443', 'ECONNREFUSED'),
    ],
  },
];
