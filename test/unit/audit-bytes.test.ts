/** A server's first words, from bytes: real ones, refusals, and whatever else may come back from a port. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { isSslv2Hello, readAnswer } from '../../src/audit/answer.ts';
import { judgeChain } from '../../src/audit/certificate.ts';
import { clientHello, sslv2Hello, VERSION_CODES, VERSIONS } from '../../src/audit/hello.ts';
import { readHsts } from '../../src/audit/hsts.ts';
import { SUITES, suiteOf } from '../../src/audit/suites.ts';
import { selfSigned } from '../support/certificates.ts';

const RANDOM = Buffer.alloc(64, 7);

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const hello = (version: string, suite: string, rest = '') =>
  handshake(`02`, `${version}${'00'.repeat(32)}00${suite}00${rest}`);
const handshake = (type: string, body: string): string => type + sized(3, body);
const sized = (bytes: number, body: string): string => (body.length / 2).toString(16).padStart(2 * bytes, '0') + body;
const record = (body: string, type = '16'): string => `${type}0303${sized(2, body)}`;

test('a hello offers what it is told to, and names the server unless that is an address', () => {
  for (const version of VERSIONS) {
    const bytes = clientHello({ version, suites: [0x1301, 0xc02f], name: 'a.example', random: RANDOM });
    assert.equal(bytes.readUInt16BE(3), bytes.length - 5, 'the record holds it all');
    assert.equal(
      bytes.readUInt16BE(9),
      Math.min(VERSION_CODES[version], 0x0303),
      'TLS 1.3 says 1.2, and 1.3 in an extension',
    );
    assert.equal(bytes.includes('a.example'), version !== 'SSLv3', 'SSL 3.0 knows no extensions');
    assert.ok(bytes.includes(hex('1301c02f')));
  }
  assert.ok(!clientHello({ version: 'TLSv1.2', suites: [1], name: '192.0.2.1', random: RANDOM }).includes('192.0.2.1'));
  const old = sslv2Hello(RANDOM);
  assert.equal(old.readUInt16BE(0) & 0x7fff, old.length - 2);
});

test('the registry is read whole: each suite once, with what it is worth', () => {
  assert.equal(new Set(SUITES.map(({ code }) => code)).size, SUITES.length);
  const worth = (code: number): string => {
    const { name, bits, forwardSecrecy, aead, authenticated, since } = suiteOf(code) ?? assert.fail();
    return [name, bits, forwardSecrecy && 'fs', aead && 'aead', authenticated || 'anon', since]
      .filter((x) => x && x !== true)
      .join(' ');
  };
  assert.equal(worth(0x1302), 'AES_256_GCM_SHA384 256 fs aead TLSv1.3');
  assert.equal(worth(0xcca8), 'ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 256 fs aead TLSv1.2');
  assert.equal(worth(0x0033), 'DHE_RSA_WITH_AES_128_CBC_SHA 128 fs SSLv3');
  assert.equal(worth(0x003c), 'RSA_WITH_AES_128_CBC_SHA256 128 TLSv1.2');
  assert.equal(worth(0x000a), 'RSA_WITH_3DES_EDE_CBC_SHA 112 SSLv3');
  assert.equal(worth(0x0009), 'RSA_WITH_DES_CBC_SHA 56 SSLv3');
  assert.equal(worth(0xc019), 'ECDH_anon_WITH_AES_256_CBC_SHA 256 fs anon SSLv3');
  assert.equal(worth(0x0003), 'RSA_EXPORT_WITH_RC4_40_MD5 40 SSLv3');
  assert.equal(suiteOf(0x0002)?.bits, 0, 'NULL');
});

const FLIGHT =
  hello('0303', '009f', sized(2, 'ff01000100')) +
  handshake('0b', sized(3, sized(3, 'abcdef') + sized(3, '0102'))) +
  handshake('0c', sized(2, `00${'01'}${'00'.repeat(127)}`) + sized(2, '02') + sized(2, '03')) +
  handshake('0e', '');

test("a server's flight tells version, suite, certificates and the size of its prime, however it is cut into records", () => {
  const whole = readAnswer(hex(record(FLIGHT)));
  const { hello: said, chain, dhBits, complete } = whole;
  assert.deepEqual([said?.version, said?.suite, said?.secureRenegotiation, complete], [0x0303, 0x009f, true, true]);
  assert.deepEqual(
    chain?.map((der) => der.toString('hex')),
    ['abcdef', '0102'],
  );
  assert.equal(dhBits, 1017, 'leading zeros are none of it');
  const cut = FLIGHT.match(/.{1,14}/g) ?? [];
  assert.deepEqual(readAnswer(hex(cut.map((part) => record(part)).join(''))), whole);
});

const ANSWERS = [
  { name: 'nothing yet', bytes: '', told: { complete: false } },
  { name: 'half a record', bytes: record(FLIGHT).slice(0, 60), told: { complete: false } },
  { name: 'a fatal alert: refused', bytes: record('0228', '15'), told: { complete: true, alert: 0x28 } },
  { name: 'a warning: more will come', bytes: record('0170', '15'), told: { complete: false } },
  {
    name: 'HTTP',
    bytes: Buffer.from('HTTP/1.1 400 Bad Request').toString('hex'),
    told: { complete: true, nonsense: true },
  },
  {
    name: 'a length beyond the message',
    bytes: record(handshake('02', '0303ff')),
    told: { complete: true, nonsense: true },
  },
];
for (const { name, bytes, told } of ANSWERS) {
  test(`an answer: ${name}`, () => assert.deepEqual(readAnswer(hex(bytes)), told));
}

test('TLS 1.3: the version and the group stand in extensions, also in the request for another hello', () => {
  const extensions = sized(2, '002b00020304' + '003300020017');
  const answer = readAnswer(hex(record(hello('0303', '1301', extensions))));
  assert.deepEqual([answer.hello?.version, answer.hello?.group, answer.complete], [0x0304, 23, true]);
});

test('SSL 2.0 is known by its hello, and nothing else is taken for it', () => {
  assert.ok(isSslv2Hello(hex('80 0b 04 00 01 00 02 00 00 00 03')));
  for (const bytes of ['', '8003', record('0228', '15'), '80030000010004']) assert.ok(!isSslv2Hello(hex(bytes)), bytes);
});

test('whatever comes back, reading it ends: cut anywhere, any byte changed', () => {
  const bytes = hex(record(FLIGHT));
  for (let at = 0; at < bytes.length; at += 1) {
    readAnswer(bytes.subarray(0, at));
    for (const value of [0, 1, 0x7f, 0xff]) {
      const changed = Buffer.from(bytes);
      changed[at] = value;
      readAnswer(changed);
    }
  }
});

test('a certificate with any byte changed is judged or left out: also with a key that OpenSSL cannot read', () => {
  const { raw } = new X509Certificate(selfSigned('www.example.com').chainPem);
  const judging = { name: 'www.example.com', at: new Date(), roots: [] };
  const kinds = new Set<string | undefined>();
  for (let at = 0; at < raw.length; at += 1) {
    for (const bit of [1, 0x80]) {
      const changed = Buffer.from(raw);
      changed[at] = (raw[at] ?? 0) ^ bit;
      kinds.add(judgeChain([changed], judging)?.key.kind);
    }
  }
  assert.ok(kinds.has('EC') && kinds.has('unknown') && kinds.has(undefined), [...kinds].join());
});

const YEAR = 31_536_000;
const HSTS = [
  { values: [], told: 'absent' },
  { values: ['max-age=31536000'], told: YEAR },
  { values: ['MAX-AGE="31536000" ; includeSubDomains;; preload'], told: YEAR },
  { values: ['max-age=0'], told: 0 },
  { values: ['max-age=300', 'max-age=31536000'], told: 300 },
  { values: ['includeSubDomains'], told: 'max-age is missing' },
  { values: ['max-age=1y'], told: "max-age is no number: '1y'" },
  { values: ['max-age=-1'], told: "max-age is no number: '-1'" },
  { values: ['max-age=1; max-age=2'], told: 'max-age stands there twice' },
  { values: ['max-age=31536000, max-age=31536000'], told: "max-age is no number: '31536000, max-age=31536000'" },
];
for (const { values, told } of HSTS) {
  test(`HSTS ${JSON.stringify(values)}: ${told}`, () => {
    const hsts = readHsts(values);
    assert.equal(hsts.kind === 'valid' ? hsts.maxAge : hsts.kind === 'invalid' ? hsts.why : hsts.kind, told);
  });
}
