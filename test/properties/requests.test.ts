/**
 * Bytes on the public port, as anybody on the Internet may send them: no answer of the server's own trouble, nothing of
 * the request comes back, every connection ends, and the next request is answered.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after } from 'node:test';
import fc from 'fast-check';
import { Challenges } from '../../src/acme/challenges.ts';
import { listenPublic } from '../../src/web/public.ts';
import { anyText, holds } from './holds.ts';

const challenges = new Challenges();
const TOKEN = 'a-token-of-a-real-challenge-0001';
const ANSWER = `${TOKEN}.thumbprint`;
challenges.publish(TOKEN, ANSWER);
const peers = { answerTo: async () => undefined };
const listener = await listenPublic({ host: '127.0.0.1', port: 0, challenges, peers, isAlive: () => true });
after(() => listener.close());

/** Sends it all, says that there is no more, and gives what came back when the other side has closed. */
function exchange(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let came = '';
    const socket = net.connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true });
    socket.setEncoding('latin1').on('data', (chunk) => (came += chunk));
    socket
      .on('error', () => undefined)
      .on('close', () => resolve(came))
      .on('end', () => socket.end());
    socket.end(bytes);
  });
}

const MARK = 'sent-by-the-client';
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI', 'get', 'G\0T', '');
const path = fc.oneof(
  fc
    .constantFrom(
      'ping',
      TOKEN,
      `${TOKEN}/`,
      `${TOKEN}?x=${MARK}`,
      '..%2f..%2fetc',
      '%',
      '%00',
      '%ff',
      `${MARK}0123456789`,
    )
    .map((end) => `/.well-known/acme-challenge/${end}`),
  fc.constantFrom('*', '', '//', `http://${MARK}/`, 'http://[', '/%2e%2e/', `/${'a/'.repeat(2_000)}`, `/${MARK}`),
  anyText('/', '%', '?', '.', MARK).map((text) => `/.well-known/acme-challenge/${text.slice(0, 20_000)}`),
);
const header = fc.oneof(
  fc.constantFrom(
    'Host: a.shop.net',
    `Host: ${MARK}`,
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: chunked',
  ),
  fc.constantFrom(
    'Expect: 100-continue',
    `Expect: ${MARK}`,
    'Upgrade: h2c',
    'Connection: upgrade',
    'Connection: close',
    'Content-Type: application/json',
    'Range: bytes=0-1',
  ),
  fc.constantFrom(
    `X: ${MARK.repeat(600)}`,
    'no colon',
    ': no name',
    ' folded',
    'Accept-Encoding: br',
    'If-None-Match: *',
    'Content-Type: x/y; charset=\u0001',
  ),
  anyText('X', ': ', MARK).map((text) => text.slice(0, 10_000)),
);
const body = fc.oneof(
  fc.constantFrom('', '{', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '0\r\n\r\n'),
  anyText(MARK).map((text) => text.slice(0, 10_000)),
);
const request = fc
  .record({
    method,
    path,
    version: fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''),
    headers: fc.array(header, { maxLength: 5 }),
    body,
    end: fc.constantFrom('\r\n', '\n'),
  })
  .map(
    (drawn) =>
      `${[`${drawn.method} ${drawn.path} ${drawn.version}`, ...drawn.headers].join(drawn.end)}${drawn.end}${drawn.end}${drawn.body}`,
  );
const sent = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(request, { minLength: 1, maxLength: 3 }).map((all) => Buffer.from(all.join(''), 'latin1')),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00', '\r\n\r\n\r\n')
      .map((odd) => Buffer.from(odd, 'latin1')),
  },
);

holds('whatever is sent, the answer is a plain one, repeats nothing, and the connection ends', sent, async (bytes) => {
  const came = await exchange(bytes);
  for (const [, status] of came.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)) assert.match(status ?? '', /^[1234]/, came);
  assert.ok(came === '' || came.startsWith('HTTP/1.1 '), came);
  assert.ok(!came.includes(MARK), came);
  assert.ok(came.length < 40_000, `${came.length} bytes`);
  if (!bytes.includes(TOKEN)) assert.ok(!came.includes(ANSWER));
  const after = await exchange(
    Buffer.from(`GET /.well-known/acme-challenge/${TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
  );
  assert.ok(after.startsWith('HTTP/1.1 200 ') && after.endsWith(ANSWER), after);
});
