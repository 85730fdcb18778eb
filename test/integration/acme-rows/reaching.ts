/** A CA that is sick, one that cannot be reached, and what stands in between. */
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bytes, json, type Script } from '../../support/canned-ca.ts';
import { issue } from '../../support/certificates.ts';
import { A, at, B, HOUR, type Row, refusal } from './row.ts';

const SICK = /the CA, or a proxy on the way to it, has a problem, and is asked again by itself/;
const SQUID = '<html><head><style>b{}</style></head><body><h1>502 Bad Gateway</h1>\n<p>squid</p></body></html>';
const html = (status: number, body: string): Bytes => ({ status, headers: { 'Content-Type': 'text/html' }, body });

export const SICKNESS: readonly Row[] = [
  {
    name: 'the CA has an inner error',
    ca: at('newOrder', refusal(500, 'serverInternal', 'Error creating new order')),
    words: 'Error creating new order',
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'the CA has an inner error about a name in quotes: that is not the name’s',
    ca: at('newOrder', refusal(500, 'serverInternal', `Error creating authz for "${B}"`)),
    words: `Error creating authz for "${B}"`,
    cure: /^ACME: newOrder at \S+: 500 serverInternal: .*Nothing has to be done unless it lasts: the CA, or a proxy on the way to it, has a problem/,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'a proxy answers with its page',
    ca: at('newOrder', html(502, SQUID)),
    words: 'HTTP 502: 502 Bad Gateway squid',
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'a proxy wants a password',
    ca: at('newOrder', html(407, '<h1>Proxy Authentication Required</h1>')),
    words: 'HTTP 407: Proxy Authentication Required',
    cure: /The proxy wants a user and a password: write them into HTTPS_PROXY/,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'the CA is down for maintenance and says until when',
    ca: at('directory', { status: 503, headers: { 'Retry-After': '7200' } }),
    words: 'HTTP 503',
    cure: SICK,
    ...{ blames: 'directory', wait: 2 * HOUR, orders: [] },
  },
  {
    name: 'the gateway times out',
    ca: at('newOrder', { status: 504, body: '' }),
    words: 'HTTP 504',
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'every nonce is bad',
    ca: at('newOrder', refusal(400, 'badNonce', 'JWS has an invalid anti-replay nonce')),
    words: 'JWS has an invalid anti-replay nonce',
    cure: /see whether a proxy on the way to the CA keeps old answers/,
    ...{ blames: 'directory', wait: 'outage', orders: Array.from({ length: 21 }, () => [A, B]) },
  },
  {
    name: 'the directory is a page',
    ca: at('directory', html(200, '<html>Welcome</html>')),
    words: 'directory',
    cure: /Check that LETSENCRYPT_SERVER_URL is the URL of an ACME v2 directory/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'there is nothing at that URL',
    ca: at('directory', html(404, '<h1>Not Found</h1>')),
    words: 'HTTP 404: Not Found',
    cure: /Check that LETSENCRYPT_SERVER_URL is the URL of an ACME v2 directory/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'the directory is elsewhere',
    ca: at('directory', { status: 302, headers: { Location: 'https://login.example/' } }),
    words: 'redirects to https://login.example/',
    cure: /Check that LETSENCRYPT_SERVER_URL is the URL of an ACME v2 directory/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'half of an answer',
    ca: at('newOrder', { ...json(201, { status: 'pending' }), fault: 'half' }),
    words: 'newOrder',
    cure: /firewall|directory/,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'an answer that is no JSON',
    ca: at('newOrder', { status: 201, headers: { Location: 'http://127.0.0.1/order/1' }, body: '{"status": "pend' }),
    words: 'the answer is no JSON object',
    cure: /spoils its answers/,
    ...{ blames: 'directory', wait: 'outage' },
  },
];

const OUT = /see that the firewall lets this container out to the CA, or set HTTPS_PROXY/;
const UNTRUSTED = issue({ domains: ['localhost'] });
const OUTDATED = issue({ domains: ['localhost'], notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') });
const ELSEWHERE = issue({ domains: ['elsewhere.example'] });
const ELSEWHERES_ROOT = join(tmpdir(), `root-of-elsewhere-${process.pid}.pem`);
const well: Script = () => undefined;

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

export const REACHING: readonly Row[] = [
  {
    name: 'the name of the CA cannot be resolved',
    ca: well,
    directoryUrl: async () => 'https://no-such-ca.invalid/directory',
    words: 'no-such-ca.invalid',
    cure: /host name cannot be resolved: check LETSENCRYPT_SERVER_URL and the DNS of this container/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'nothing listens at the CA',
    ca: well,
    directoryUrl: async () => `https://127.0.0.1:${await closedPort()}/directory`,
    words: 'ECONNREFUSED',
    cure: OUT,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'a firewall resets the connection',
    ca: at('newOrder', { fault: 'reset' }),
    words: 'ECONNRESET',
    cure: OUT,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'the CA takes the order and never answers',
    ca: at('newOrder', { fault: 'silence' }),
    words: 'ETIMEDOUT: no answer within 5 s',
    cure: OUT,
    env: { ACME_TIMEOUT: '5' },
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: "the CA's certificate is not trusted",
    ca: well,
    tls: UNTRUSTED,
    words: 'newAccount at localhost',
    cure: /set ACME_CA_FILE to the root certificate \(PEM\)/,
    ...{ blames: 'directory', wait: 'settings', orders: [] },
  },
  {
    name: "the CA's certificate is out of date",
    ca: well,
    tls: OUTDATED,
    words: 'CERT_HAS_EXPIRED',
    cure: /out of date by the clock of this machine: set the clock right/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: "the CA's certificate is trusted, and for another host",
    ca: well,
    tls: ELSEWHERE,
    directoryUrl: async (t, { directoryUrl }) => {
      await writeFile(ELSEWHERES_ROOT, ELSEWHERE.rootPem);
      t.after(() => rm(ELSEWHERES_ROOT));
      return directoryUrl;
    },
    env: { ACME_CA_FILE: ELSEWHERES_ROOT },
    words: 'ERR_TLS_CERT_ALTNAME_INVALID',
    cure: /Its certificate is for another host: check the host in LETSENCRYPT_SERVER_URL, and whether a proxy answers in its place/,
    ...{ blames: 'directory', wait: 'settings', orders: [] },
  },
  {
    name: 'the CA does not speak TLS',
    ca: well,
    directoryUrl: async (_, { directoryUrl }) => directoryUrl.replace('http:', 'https:'),
    words: 'EPROTO',
    cure: /That is not TLS: check LETSENCRYPT_SERVER_URL and HTTPS_PROXY/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'the proxy refuses the way to the CA',
    ca: well,
    directoryUrl: async () => 'https://ca.example/directory',
    env: { HTTPS_PROXY: 'http://127.0.0.1:9' },
    words: 'ECONNREFUSED 127.0.0.1:9 (HTTPS_PROXY is set)',
    cure: /Check HTTPS_PROXY and NO_PROXY, and that the proxy works and lets this container out to the CA/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'ACME_CA_FILE holds no certificate',
    ca: well,
    tls: UNTRUSTED,
    env: { ACME_CA_FILE: import.meta.filename },
    words: 'ACME_CA_FILE holds no certificate that can be read',
    cure: /ACME_CA_FILE/,
    ...{ blames: 'directory', wait: 'settings', orders: [] },
  },
];
