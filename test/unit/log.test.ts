/** The log: its shape, and that nothing secret gets through it, however it came in. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { AxiosError, AxiosHeaders } from 'axios';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { createLog, type Log } from '../../src/log.ts';
import { describeError, mask } from '../../src/mask.ts';
import { issue } from '../support/certificates.ts';

function recorded(level = 'trace'): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ level, write: (line) => lines.push(line) }), lines };
}

/** The only line, and proof that masking left it JSON. */
function only(lines: string[]): Record<string, unknown> {
  assert.equal(lines.length, 1);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyPem = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const keyLine = keyPem.split('\n')[1] ?? '';
const jwk = keys.privateKey.export({ format: 'jwk' });
const jwt = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"uid":"x"}').toString('base64url')}.c2lnbmF0dXJl`;
const password = Buffer.from('me:open-sesame-open').toString('base64');
const SECRETS = [keyLine, jwk.d ?? '', jwt, 'c2lnbmF0dXJl', password, 'open-sesame', 'PRIVATE KEY'];

function assertClean(text: string): void {
  for (const secret of SECRETS) assert.ok(!text.includes(secret), `'${secret}' in ${text}`);
}

function axiosError(): AxiosError {
  const config = {
    url: 'http://me:open-sesame-open@marathon:8080/v2/apps/marathon-lb',
    method: 'put',
    headers: new AxiosHeaders({ Authorization: `Basic ${password}`, 'X-Other': `token=${jwt}` }),
    data: JSON.stringify({ env: { HAPROXY_SSL_CERT: keyPem } }),
    auth: { username: 'me', password: 'open-sesame-open' },
  };
  return new AxiosError('Request failed with status code 500', 'ERR_BAD_RESPONSE', config, {
    _header: `PUT / HTTP/1.1\r\nAuthorization: Basic ${password}\r\n`,
  });
}

test('a line has its level as a word, its time in ISO and nothing of the process', () => {
  const { log, lines } = recorded();
  log.info({ slot: 'HAPROXY_SSL_CERT', domains: ['a.example'] }, 'certificate issued');
  const { time, ...rest } = only(lines);
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    level: 'info',
    slot: 'HAPROXY_SSL_CERT',
    domains: ['a.example'],
    msg: 'certificate issued',
  });
});

test('what is below the level is not written', () => {
  const { log, lines } = recorded('warn');
  log.info('certificate issued');
  log.warn('order failed');
  assert.equal(only(lines).msg, 'order failed');
});

test('an error is its name, its message and those of its causes, never its fields', () => {
  const error = Object.assign(new TypeError('no answer', { cause: new Error('connection refused') }), { body: 'x' });
  const { log, lines } = recorded();
  log.warn({ err: error, other: error }, 'order failed');
  const line = only(lines);
  assert.equal(line.err, 'TypeError: no answer; caused by connection refused');
  assert.equal(line.other, line.err);
});

test('an error in a circle of causes ends', () => {
  const error = new Error('a');
  error.cause = new Error('b', { cause: error });
  assert.match(describeError(error), /^a; caused by b/);
});

const planted: { name: string; write: (log: Log) => void }[] = [
  {
    name: 'a webhook of Slack',
    write: (log) => log.info({ url: 'https://hooks.slack.com/services/T0/B0/open-sesame' }, 'x'),
  },
  { name: 'an AxiosError as err', write: (log) => log.error({ err: axiosError() }, 'x') },
  { name: 'an AxiosError as the whole entry', write: (log) => log.error(axiosError(), 'x') },
  { name: 'an AxiosError under another name', write: (log) => log.error({ failure: axiosError() }, 'x') },
  { name: 'an AxiosError within an object', write: (log) => log.error({ deep: { er: [axiosError()] } }, 'x') },
  { name: 'an AxiosError in a child', write: (log) => log.child({ reason: axiosError() }).error('x') },
  {
    name: 'a cause with a key in its message',
    write: (log) => log.error({ err: new Error('x', { cause: new Error(keyPem) }) }, 'x'),
  },
  { name: 'a PEM in a field', write: (log) => log.info({ pem: keyPem }, 'x') },
  { name: 'a PEM cut off in the middle', write: (log) => log.info({ pem: keyPem.slice(0, 120), after: 'stays' }, 'x') },
  { name: 'a PEM with literal line ends', write: (log) => log.info({ pem: keyPem.replaceAll('\n', '\\n') }, 'x') },
  {
    name: 'a PEM in JSON in a string',
    write: (log) => log.info({ body: JSON.stringify({ a: JSON.stringify({ keyPem }) }) }, 'x'),
  },
  { name: 'a PEM in the message', write: (log) => log.info(`read ${keyPem}`) },
  {
    name: 'an RSA and an EC heading',
    write: (log) =>
      log.info({ a: keyPem.replaceAll('PRIVATE', 'RSA PRIVATE'), b: keyPem.replaceAll('PRIVATE', 'EC PRIVATE') }, 'x'),
  },
  {
    name: 'an object with a key among its fields',
    write: (log) => log.info({ bundle: { domains: ['a.example'], key: keyPem } }, 'x'),
  },
  { name: 'a JWK', write: (log) => log.info({ jwk }, 'x') },
  { name: 'a JWK in a string', write: (log) => log.info({ body: JSON.stringify({ jwk }) }, 'x') },
  { name: 'a JWT', write: (log) => log.info({ auth: jwt }, 'x') },
  { name: 'a token in a header', write: (log) => log.info({ headers: { Authorization: `token=${jwt}` } }, 'x') },
  { name: 'a token in a field', write: (log) => log.info({ reply: { token: 'open-sesame' } }, 'x') },
  { name: 'a token in a query', write: (log) => log.info({ url: 'http://a/?token=open-sesame&b=1' }, 'x') },
  { name: 'a password in a URL', write: (log) => log.info({ url: 'http://me:open-sesame@a/' }, 'x') },
  { name: 'basic credentials', write: (log) => log.info(`sent Basic ${password}`) },
  {
    name: 'raw headers',
    write: (log) =>
      log.info(
        { raw: ['Authorization', `Basic ${password}`], _header: `A: b\r\nauthorization: Basic ${password}\r\nC: d` },
        'x',
      ),
  },
];
for (const { name, write } of planted)
  test(`nothing secret gets through: ${name}`, () => {
    const { log, lines } = recorded();
    write(log);
    only(lines);
    assertClean(lines[0] ?? '');
  });

test('a bundle in an entry shows facts, not its key', () => {
  const issued = issue({ domains: ['a.example'] });
  const { log, lines } = recorded();
  log.info({ bundle: CertificateBundle.parse(issued.pem), inside: [CertificateBundle.parse(issued.pem)] }, 'x');
  assert.ok(lines[0]?.includes(issued.fingerprint), lines[0]);
  assert.ok(!lines[0]?.includes('KEY-----') && !lines[0]?.includes(issued.keyPem.split('\n')[1] ?? ''), lines[0]);
});

test('what stands around a secret stays', () => {
  const { log, lines } = recorded();
  log.info(
    {
      before: 'a',
      pem: `${keyPem}-----BEGIN CERTIFICATE-----`,
      url: 'http://me:open-sesame@a:80/b?token=open-sesame&c=d',
      after: 'b',
    },
    'x',
  );
  const line = only(lines);
  assert.deepEqual([line.before, line.after], ['a', 'b']);
  assert.match(String(line.pem), /^\[private key\]\n-----BEGIN CERTIFICATE-----$/);
  assert.equal(line.url, 'http://***@a:80/b?token=***&c=d');
});

test('plain text that only looks a little like a secret is left alone', () => {
  const text = 'Basic authentication is asked for; mailto:me@example.com; https://a.example/@b; authorization pending';
  assert.equal(mask(text), text);
});
