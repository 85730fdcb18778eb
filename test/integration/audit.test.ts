/** The audit over real servers, from the worst to the best, and as a command. That it agrees with testssl.sh: test/conformance. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Audit, audit } from '../../src/audit/audit.ts';
import { main } from '../../src/cli.ts';
import { issue } from '../support/certificates.ts';
import { newDirectory } from '../support/haproxy.ts';
import { NAME, SERVERS, type TlsServer } from '../support/tls-servers.ts';

/** Every test certificate has the same root. */
const ROOT = issue({ domains: [NAME] }).rootPem;

function look({ host, port }: TlsServer, more: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Audit> {
  const target = { name: NAME, host, httpsPort: port, httpPort: 1 };
  const { timeoutMs = 5_000, signal = new AbortController().signal } = more;
  return audit(target, { roots: [new X509Certificate(ROOT)], timeoutMs, signal, onProgress: () => undefined });
}

for (const { name, grade, ofTls, certificate, start } of SERVERS) {
  test(`${name}: ${grade}`, async (t) => {
    const { verdict } = await look(await start(t, certificate().pem));
    assert.equal(verdict.grade, grade, JSON.stringify(verdict.breaches));
    assert.equal(verdict.gradeOfTls, ofTls, JSON.stringify(verdict.breaches));
  });
}

// ---- what no OpenSSL of ours speaks any more, from bytes

/** Answers each hello, by its version and its suites, with what the table says; hangs up on the others. */
async function startCanned(t: TestContext, answer: (hello: Buffer) => Buffer | undefined): Promise<TlsServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (hello) => socket.end(answer(hello) ?? ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { host: '127.0.0.1', port: address.port };
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/** ServerHello with this suite, no certificate, ServerHelloDone; undefined where the suite is not offered. */
function serverHello(hello: Buffer, version: number, suite: number): Buffer | undefined {
  if (hello[0] !== 22 || hello.readUInt16BE(9) !== version) return undefined;
  const offered = hello.subarray(46, 46 + hello.readUInt16BE(44));
  const isOffered = Array.from({ length: offered.length / 2 }, (_, nth) => offered.readUInt16BE(2 * nth)).includes(
    suite,
  );
  if (!isOffered) return undefined;
  const body = Buffer.concat([u16(version), Buffer.alloc(32), Buffer.from([0]), u16(suite), Buffer.from([0])]);
  const messages = Buffer.concat([Buffer.from([2, 0]), u16(body.length), body, Buffer.from([14, 0, 0, 0])]);
  return Buffer.concat([Buffer.from([22]), u16(version), u16(messages.length), messages]);
}

test('SSL 2.0, SSL 3.0 and what only they had are found, though nothing here could speak them', async (t) => {
  const sslv2 = Buffer.from('800b0400010002000000030', 'hex');
  const at = await startCanned(t, (hello) => {
    if (hello[0] === 0x80) return sslv2;
    const rc4 = serverHello(hello, 0x0300, 0x0005) ?? serverHello(hello, 0x0300, 0x0003);
    return rc4 ?? serverHello(hello, 0x0301, 0x000a);
  });
  const { verdict, facts } = await look(at);
  assert.ok(facts.handshakes.sslv2);
  const seen = facts.handshakes.versions.map(({ version, suites }) => [version, ...suites.map((suite) => suite.name)]);
  assert.deepEqual(seen, [
    ['TLSv1.0', 'RSA_WITH_3DES_EDE_CBC_SHA'],
    ['SSLv3', 'RSA_WITH_RC4_128_SHA', 'RSA_EXPORT_WITH_RC4_40_MD5'],
  ]);
  const rules = verdict.breaches.map(({ rule }) => rule);
  for (const rule of ['sslv2', 'export', 'rc4', 'sslv3', 'tls1_0', 'old-only', 'no-certificate'])
    assert.ok(rules.includes(rule), rule);
});

test('a server that answers the same for ever is asked a bounded number of times', async (t) => {
  let asked = 0;
  const at = await startCanned(t, (hello) => {
    asked += 1;
    return serverHello(hello, 0x0303, hello.readUInt16BE(46)); // whatever stands first
  });
  const { facts } = await look(at);
  assert.equal(facts.handshakes.versions[0]?.version, 'TLSv1.2');
  assert.ok(asked < 300, `${asked} connections`);
});

const STRANGERS: readonly { name: string; answer: (hello: Buffer) => Buffer | undefined; told: RegExp }[] = [
  {
    name: 'a web server without TLS',
    answer: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    told: /no TLS handshake for a\.example in any version comes about/,
  },
  { name: 'a port that hangs up', answer: () => undefined, told: /no TLS handshake/ },
  { name: 'noise', answer: () => Buffer.alloc(200_000, 22), told: /no TLS handshake/ },
];
for (const { name, answer, told } of STRANGERS) {
  test(`no grade, but a sentence: ${name}`, async (t) => {
    await assert.rejects(look(await startCanned(t, answer)), told);
  });
}

test('a port that takes connections and says nothing costs one time-out a question, and says so', async (t) => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const address = silent.address();
  assert.ok(address !== null && typeof address === 'object');
  await assert.rejects(look({ host: '127.0.0.1', port: address.port }, { timeoutMs: 1_000 }), /no TLS handshake/);
});

test('an audit ends when it is told to', async (t) => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const address = silent.address();
  assert.ok(address !== null && typeof address === 'object');
  const signal = AbortSignal.timeout(50);
  await assert.rejects(look({ host: '127.0.0.1', port: address.port }, { timeoutMs: 60_000, signal }));
});

// ---- the command

async function ran(args: readonly string[], isTerminal = false): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await main(['audit', ...args], {
    env: {},
    signal: new AbortController().signal,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: { out: false, err: isTerminal, columns: 80 },
  });
  return { code, out, err };
}

test('the command tells the grade, what keeps it from A+ and what mends it; --at-least makes it the exit code', async (t) => {
  const row = SERVERS.find(({ name }) => name.startsWith("marathon-lb's own")) ?? assert.fail();
  const { host, port } = await row.start(t, row.certificate().pem);
  const ca = join(await newDirectory(), 'ca.pem');
  await writeFile(ca, ROOT);
  const where = ['--at', `${host}:${port}`, '--http-port', '1', '--ca', ca];

  const { code, out } = await ran([NAME, ...where]);
  assert.equal(code, 0);
  assert.match(out, /A {2}a\.example at 127\.0\.0\.1:\d+\n/);
  assert.match(out, /What keeps it from A\+\n {2}A {3}no Strict-Transport-Security header\n/);
  assert.match(out, /HAPROXY_0_USE_HSTS=true/);
  assert.match(out, /HAPROXY_0_REDIRECT_TO_HTTPS=true/);
  assert.match(out, /RSA_WITH_AES_128_GCM_SHA256 \(weak\)/);

  assert.equal((await ran([`https://${NAME}/`, ...where, '--at-least', 'a'])).code, 0);
  const json = await ran([NAME, ...where, '--at-least', 'A+', '--json']);
  assert.equal(json.code, 1);
  const told = JSON.parse(json.out);
  assert.deepEqual([told.grade, told.protocols, told.breaches[0].rule], ['A', ['TLSv1.3', 'TLSv1.2'], 'hsts']);
  assert.deepEqual(told.certificates[0].names, [NAME]);
  assert.equal(
    JSON.parse((await ran([NAME, ...where.slice(0, 4), '--json'])).out).grade,
    'T',
    'without --ca it is not trusted',
  );
});

const MISTAKES: readonly { args: readonly string[]; told: RegExp }[] = [
  { args: [], told: /'audit' needs NAME\|URL/ },
  {
    args: ['http://a.example/'],
    told: /must be a name, a name with a port, or an https URL, not 'http:\/\/a\.example\/'/,
  },
  { args: ['a b'], told: /must be a name/ },
  { args: [NAME, '--at', 'x:99999'], told: /--at must be/ },
  { args: [NAME, '--http-port', '0'], told: /--http-port must be a port/ },
  { args: [NAME, '--at-least', 'Z'], told: /--at-least must be one of A\+, A, A-, B, C, D, E, F, not 'Z'/ },
  { args: [NAME, '--ca', '/nonexistent'], told: /--ca \/nonexistent cannot be used: ENOENT; name a PEM file/ },
  { args: [NAME, '--ca', import.meta.filename], told: /no certificate in it/ },
];
for (const { args, told } of MISTAKES) {
  test(`a mistake is exit code 2: audit ${args.join(' ').slice(0, 40)}`, async () => {
    const { code, err, out } = await ran(args);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, told);
  });
}

test('what cannot be audited is exit code 1 and a sentence: nobody there, no such name', async () => {
  const closed = await ran([NAME, '--at', '127.0.0.1:1']);
  assert.deepEqual(closed, {
    code: 1,
    out: '',
    err: 'audit of a.example could not be made: 127.0.0.1:1: ECONNREFUSED\nCheck the name, and that this machine may connect to its port 1; --at asks another address.\n',
  });
  const { code, err } = await ran(['nobody.invalid']);
  assert.equal(code, 1);
  assert.match(
    err,
    /^audit of nobody\.invalid could not be made: nobody\.invalid has no address: E[A-Z_]+\nCheck the name, /,
  );
});

test('on a terminal it says what it waits for, when that takes longer than a second, and wipes it away', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    const slow = setTimeout(() => socket.destroy(), 1_300);
    t.after(() => clearTimeout(slow));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const { code, err } = await ran([NAME, '--at', `127.0.0.1:${address.port}`], true);
  assert.equal(code, 1);
  assert.match(err, /\d+ s: asking 127\.0\.0\.1:\d+ which suites it takes with TLSv1\.3, /);
  const left = err.slice(err.lastIndexOf('\r\x1b[2K'));
  assert.match(
    left,
    /audit of a\.example could not be made: .* no TLS handshake for a\.example in any version comes about\nCheck the name, .*\n$/,
  );
});
