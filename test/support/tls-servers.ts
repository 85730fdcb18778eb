/**
 * TLS servers from the worst to the best, for the audit: HAProxy and OpenSSL's own, each with the grade it deserves.
 *
 * Debian's OpenSSL has no SSL 3.0, RC4, 3DES or export suites any more; those rows are made of canned bytes in the tests.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Grade } from '../../src/audit/grade.ts';
import { type Issued, issue, selfSignedWith } from './certificates.ts';
import { shipped } from './definitions.ts';
import { freePort } from './free-port.ts';
import { newDirectory, startHaproxyWith } from './haproxy.ts';
import { addressesOf, app, HandMadeCluster, startBackend, startLoadBalancer } from './load-balancer.ts';

export const NAME = 'a.example';

export interface TlsServer {
  readonly host: string;
  readonly port: number;
}

export interface ServerRow {
  readonly name: string;
  readonly grade: Grade;
  /** As if the certificate were trusted and fitted. */
  readonly ofTls: Grade;
  readonly certificate: () => Issued;
  readonly start: (t: TestContext, pem: string) => Promise<TlsServer>;
}

const HOST = '127.0.0.1';
const newAddress = addressesOf('127.49.0');
const DAY_MS = 86_400_000;
const LAST_YEAR = { notBefore: new Date(Date.now() - 200 * DAY_MS), notAfter: new Date(Date.now() - 100 * DAY_MS) };

/** What marathon-lb's HAPROXY_HEAD has for ssl-default-bind-ciphers, by the suites that were seen offered. */
const STOCK =
  'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256';
const YEAR = 'Strict-Transport-Security max-age=31536000';

function weakKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 1024 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** From the worst. */
export const SERVERS: readonly ServerRow[] = [
  {
    name: 'everything OpenSSL still has, a self-signed key of 1024 bits',
    ...{ grade: 'T', ofTls: 'F' },
    certificate: () => selfSignedWith({ domains: [NAME], keyPem: weakKey() }),
    start: openssl('-cipher', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0', '-min_protocol', 'TLSv1'),
  },
  {
    name: 'TLS 1.0 alone, for another name',
    ...{ grade: 'M', ofTls: 'C' },
    certificate: () => issue({ domains: ['b.example', '*.b.example'], keyType: 'rsa2048' }),
    start: openssl('-cipher', 'DEFAULT:@SECLEVEL=0', '-min_protocol', 'TLSv1', '-max_protocol', 'TLSv1'),
  },
  {
    name: 'a SHA-1 signature',
    ...{ grade: 'T', ofTls: 'A' },
    certificate: () => issue({ domains: [NAME], hash: 'sha1' }),
    start: openssl('-cipher', 'DEFAULT:@SECLEVEL=0', '-min_protocol', 'TLSv1.2'),
  },
  {
    name: 'expired, TLS 1.2 at best',
    ...{ grade: 'T', ofTls: 'A-' },
    certificate: () => issue({ domains: [NAME], ...LAST_YEAR }),
    start: haproxy('ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2', YEAR),
  },
  {
    name: 'no forward secrecy and no AEAD',
    ...{ grade: 'B', ofTls: 'B' },
    certificate: () => issue({ domains: [NAME], keyType: 'rsa2048' }),
    start: haproxy('ssl-max-ver TLSv1.2 ciphers AES128-SHA:AES256-SHA', YEAR),
  },
  {
    name: 'TLS 1.0 and 1.1 too',
    ...{ grade: 'B', ofTls: 'B' },
    certificate: () => issue({ domains: [NAME, `www.${NAME}`], keyType: 'rsa2048' }),
    start: haproxy('ssl-min-ver TLSv1.0 ciphers DEFAULT@SECLEVEL=0', `${YEAR}; includeSubDomains`),
  },
  {
    name: 'no intermediate in the chain',
    ...{ grade: 'B', ofTls: 'B' },
    certificate: () => {
      const issued = issue({ domains: [NAME] });
      const leaf = issued.chainPem.slice(0, issued.chainPem.indexOf('-----BEGIN', 1));
      return { ...issued, chainPem: leaf, pem: leaf + issued.keyPem };
    },
    start: haproxy('ssl-min-ver TLSv1.2', YEAR),
  },
  {
    name: "marathon-lb's own suites, without HSTS",
    ...{ grade: 'A', ofTls: 'A' },
    certificate: () => issue({ domains: [NAME], keyType: 'rsa2048' }),
    start: haproxy(`ssl-min-ver TLSv1.2 ciphers ${STOCK}`),
  },
  {
    name: 'HSTS for a day',
    ...{ grade: 'A', ofTls: 'A' },
    certificate: () => issue({ domains: [NAME, `*.${NAME}`], keyType: 'ec384' }),
    start: haproxy('ssl-min-ver TLSv1.2', 'Strict-Transport-Security max-age=86400'),
  },
  {
    name: 'TLS 1.3 alone',
    ...{ grade: 'A+', ofTls: 'A+' },
    certificate: () => issue({ domains: [NAME] }),
    start: haproxy('ssl-min-ver TLSv1.3', `${YEAR}; includeSubDomains; preload`),
  },
  {
    name: 'marathon-lb-hardened.json',
    ...{ grade: 'A+', ofTls: 'A+' },
    certificate: () => issue({ domains: [NAME], keyType: 'rsa2048' }),
    start: hardened,
  },
];

/** `header`: its name, a blank, its value. */
function haproxy(bind: string, header?: string): ServerRow['start'] {
  return async (t, pem) => {
    const directory = await newDirectory();
    t.after(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, 'cert.pem');
    await writeFile(file, pem, { mode: 0o600 });
    const port = await freePort(HOST);
    const [, name, value] = /^(\S+) (.*)$/.exec(header ?? '') ?? [];
    const hdr = name === undefined ? '' : `hdr ${name} "${value}"`;
    await startHaproxyWith(
      t,
      `global
  nbthread 1
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 3s
  timeout client 30s
  timeout server 30s
frontend tls
  bind ${HOST}:${port} ssl crt ${file} ${bind}
  http-request return status 200 content-type text/plain string "served" ${hdr}
`,
    );
    return { host: HOST, port };
  };
}

/** `openssl s_server`, which says what it knows of each connection as a web page, without any header of interest. */
function openssl(...options: readonly string[]): ServerRow['start'] {
  return async (t, pem) => {
    const directory = await newDirectory();
    const file = join(directory, 'cert.pem');
    await writeFile(file, pem, { mode: 0o600 });
    const port = await freePort(HOST);
    const args = ['s_server', '-accept', `${HOST}:${port}`, '-cert', file, '-cert_chain', file, '-key', file, '-www'];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'openssl', ...args, ...options], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(async () => {
      child.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    });
    for (let said = ''; !said.includes('ACCEPT'); ) {
      const [data] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [Buffer | number];
      if (!Buffer.isBuffer(data)) throw new Error(`openssl ${args.join(' ')} ended with ${data}`);
      said += data.toString();
    }
    child.stdout.resume(); // a full pipe would stop it
    return { host: HOST, port };
  };
}

async function hardened(t: TestContext, pem: string): Promise<TlsServer> {
  const { env } = await shipped('marathon-lb-hardened', { env: { HAPROXY_SSL_CERT: pem } });
  const cluster = new HandMadeCluster(app({ id: '/app', own: { VHOST: NAME }, ports: [await startBackend(t, 'app')] }));
  const { host } = await startLoadBalancer(t, { host: newAddress(), cluster, env: env as Record<string, string> });
  return { host, port: 443 };
}
