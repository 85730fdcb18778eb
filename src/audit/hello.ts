/**
 * A client's first words, by hand: node:tls no longer speaks the versions and suites that an audit has to ask for.
 *
 * Pure. SSL 3.0 to TLS 1.2: RFC 5246 §7.4.1.2; TLS 1.3: RFC 8446 §4.1.2; SSL 2.0: the form that RFC 5246 §E.2 describes.
 * What comes back is read in answer.ts.
 */
import { isIP } from 'node:net';

export type Version = 'SSLv3' | 'TLSv1.0' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** Newest first. */
export const VERSIONS: readonly Version[] = ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1.0', 'SSLv3'];

export const VERSION_CODES: Readonly<Record<Version, number>> = {
  SSLv3: 0x0300,
  'TLSv1.0': 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
};

export interface Offer {
  readonly version: Version;
  readonly suites: readonly number[];
  /** Sent as SNI, unless it is an address. */
  readonly name: string;
  /** 64 bytes: the hello's random and its session id. */
  readonly random: Buffer;
}

/** Groups by IANA's numbers ("TLS Supported Groups"): x25519, P-256, P-384, P-521, x448, then what nobody should use. */
const CURVES = [29, 23, 24, 25, 30, 26, 27, 28, 22, 21, 19];
/** With X25519MLKEM768 first, and the finite fields of RFC 7919 last. */
const GROUPS_OF_1_3 = [4588, 29, 23, 24, 25, 30, 256, 257, 258];
/** RSA-PSS, ECDSA, EdDSA, RSA, DSA; with SHA-1 last, so that a server that only knows that does answer. */
const SIGNATURES = [
  0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0401, 0x0501, 0x0601,
  0x0402, 0x0203, 0x0201, 0x0202,
];
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
/** "The client can do secure renegotiation" (RFC 5746 §3.3), for hellos that carry no extension. */
const RENEGOTIATION_SCSV = 0x00ff;

export function clientHello(offer: Offer): Buffer {
  const { version, suites, random } = offer;
  const code = VERSION_CODES[version];
  const isModern = version === 'TLSv1.3';
  const body = Buffer.concat([
    u16(Math.min(code, VERSION_CODES['TLSv1.2'])),
    random.subarray(0, 32),
    sized(1, isModern ? random.subarray(32, 64) : Buffer.alloc(0)), // RFC 8446 §D.4: as middleboxes expect it
    sized(2, ...suites.map(u16), ...(isModern ? [] : [u16(RENEGOTIATION_SCSV)])),
    // DEFLATE is offered to see whether it is taken (the attack "CRIME"); 1.3 forbids to.
    sized(1, Buffer.from(isModern ? [0] : [1, 0])),
    ...(version === 'SSLv3' ? [] : [sized(2, ...extensions(offer))]),
  ]);
  const message = Buffer.concat([Buffer.from([CLIENT_HELLO]), sized(3, body)]);
  const record = version === 'SSLv3' ? VERSION_CODES.SSLv3 : VERSION_CODES['TLSv1.0'];
  return Buffer.concat([Buffer.from([HANDSHAKE]), u16(record), sized(2, message)]);
}

function extensions({ version, name }: Offer): readonly Buffer[] {
  const isModern = version === 'TLSv1.3';
  const named =
    isIP(name) === 0 ? [extension(0, sized(2, Buffer.from([0]), sized(2, Buffer.from(name, 'latin1'))))] : [];
  return [
    ...named,
    extension(10, sized(2, ...(isModern ? GROUPS_OF_1_3 : CURVES).map(u16))),
    extension(11, sized(1, Buffer.from([0]))),
    ...(VERSION_CODES[version] >= VERSION_CODES['TLSv1.2'] ? [extension(13, sized(2, ...SIGNATURES.map(u16)))] : []),
    // No share of a key: the server answers with a HelloRetryRequest, which tells the suite and the group (RFC 8446 §4.2.8).
    ...(isModern ? [extension(43, sized(1, u16(VERSION_CODES[version]))), extension(51, sized(2))] : []),
  ];
}

/** SSL 2.0's own hello, for its seven suites of three bytes each. */
export function sslv2Hello(challenge: Buffer): Buffer {
  const suites = Buffer.from('0100800200800300800400800500800600400700c0', 'hex');
  const body = Buffer.concat([
    Buffer.from([CLIENT_HELLO]),
    u16(0x0002),
    u16(suites.length),
    u16(0),
    u16(16),
    suites,
    challenge.subarray(0, 16),
  ]);
  return Buffer.concat([u16(0x8000 | body.length), body]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([u16(type), sized(2, body)]);
}

/** With its length before it, in so many bytes. */
function sized(bytes: 1 | 2 | 3, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(bytes);
  length.writeUIntBE(body.length, 0, bytes);
  return Buffer.concat([length, body]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
