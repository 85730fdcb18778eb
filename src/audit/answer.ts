/**
 * A server's first words, read from bytes: its hello, its certificates, its half of the key exchange, or its refusal.
 *
 * Pure, and made for strangers: a length that does not fit is nonsense, never an exception. Called again with more as more
 * comes in. RFC 5246 §6.2.1 (records), §7.4 (handshake), RFC 8446 §4.1.3 (its hello), RFC 8422 §5.4 (curves).
 */
import { suiteOf } from './suites.ts';

export interface Answer {
  /** Nothing more is needed, or nothing more will come. */
  readonly complete: boolean;
  /** Number of the alert, where the server refused. */
  readonly alert?: number;
  /** It does not speak TLS. */
  readonly nonsense?: boolean;
  readonly hello?: ServerHello;
  /** As sent, leaf first; before TLS 1.3 they are not encrypted. */
  readonly chain?: readonly Buffer[];
  /** Bits of the prime of a DHE key exchange. */
  readonly dhBits?: number;
  /** IANA's number of the curve or group that was chosen. */
  readonly group?: number;
}

export interface ServerHello {
  readonly version: number;
  readonly suite: number;
  readonly compressed: boolean;
  /** It knows RFC 5746. */
  readonly secureRenegotiation: boolean;
  readonly group?: number;
}

/** More than any server has to say before it is the client's turn: 100 kB of certificates fit. */
export const MOST_BYTES = 131_072;

const ALERT = 21;
const WARNING = 1;
const HANDSHAKE = 22;
const SERVER_HELLO = 2;
const CERTIFICATE = 11;
const SERVER_KEY_EXCHANGE = 12;
const SERVER_HELLO_DONE = 14;
const NONSENSE: Answer = { complete: true, nonsense: true };

export function readAnswer(bytes: Buffer): Answer {
  const records = recordsIn(bytes);
  if (records === undefined) return NONSENSE;
  let answer: Answer = { complete: false };
  for (const { type, body } of messagesIn(records.handshake)) answer = heard(answer, type, body);
  if (answer.nonsense) return NONSENSE;
  const isModern = answer.hello !== undefined && answer.hello.version >= 0x0304; // the rest is encrypted
  if (records.alert !== undefined && !answer.complete) return { ...answer, complete: true, alert: records.alert };
  return isModern ? { ...answer, complete: true } : answer;
}

/** SSL 2.0's hello: two bytes of length, the first bit set; 4 is SERVER-HELLO, its version 0x0002. */
export function isSslv2Hello(bytes: Buffer): boolean {
  return bytes.length >= 7 && (bytes[0] ?? 0) >= 0x80 && bytes[2] === 4 && bytes.readUInt16BE(5) === 2;
}

/** Handshake messages may be cut into records anywhere: they are joined first. */
function recordsIn(bytes: Buffer): { readonly handshake: Buffer; readonly alert: number | undefined } | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const type = bytes[at] ?? 0;
    const length = bytes.readUInt16BE(at + 3);
    if (type < 20 || type > 23 || bytes[at + 1] !== 3 || length > 16_384 + 2048) return undefined;
    const body = bytes.subarray(at + 5, at + 5 + length);
    if (body.length < length) break;
    at += 5 + length;
    if (type === ALERT && body[0] === WARNING) continue; // "I don't know that name", say, and goes on
    if (type === ALERT) return { handshake: Buffer.concat(parts), alert: body[1] ?? 0 };
    if (type !== HANDSHAKE) break; // what follows is encrypted
    parts.push(body);
  }
  return { handshake: Buffer.concat(parts), alert: undefined };
}

function* messagesIn(bytes: Buffer): Generator<{ readonly type: number; readonly body: Reader }> {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUIntBE(at + 1, 3);
    if (at + 4 + length > bytes.length) return;
    yield { type: bytes[at] ?? 0, body: new Reader(bytes.subarray(at + 4, at + 4 + length)) };
    at += 4 + length;
  }
}

function heard(sofar: Answer, type: number, body: Reader): Answer {
  try {
    if (type === SERVER_HELLO) return { ...sofar, hello: readHello(body) };
    if (type === CERTIFICATE) return { ...sofar, chain: readChain(body) };
    if (type === SERVER_KEY_EXCHANGE) return { ...sofar, ...readKeyExchange(body, sofar.hello?.suite) };
    if (type === SERVER_HELLO_DONE) return { ...sofar, complete: true };
    return sofar;
  } catch (error) {
    if (error instanceof RangeError) return NONSENSE;
    throw error;
  }
}

function readHello(body: Reader): ServerHello {
  const named = body.number(2);
  body.take(32);
  body.sized(1);
  const suite = body.number(2);
  const compressed = body.number(1) !== 0;
  const extensions = body.isAtEnd ? new Map<number, Reader>() : readExtensions(body.sized(2));
  const group = extensions.get(51)?.number(2);
  return {
    version: extensions.get(43)?.number(2) ?? named,
    suite,
    compressed,
    secureRenegotiation: extensions.has(0xff01),
    ...(group === undefined ? {} : { group }),
  };
}

function readExtensions(list: Reader): ReadonlyMap<number, Reader> {
  const found = new Map<number, Reader>();
  while (!list.isAtEnd) found.set(list.number(2), list.sized(2));
  return found;
}

function readChain(body: Reader): readonly Buffer[] {
  const list = body.sized(3);
  const chain: Buffer[] = [];
  while (!list.isAtEnd) chain.push(list.sized(3).rest());
  return chain;
}

function readKeyExchange(body: Reader, suite: number | undefined): Pick<Answer, 'dhBits' | 'group'> {
  const keyExchange = suite === undefined ? 'other' : suiteOf(suite)?.keyExchange;
  if (keyExchange === 'DHE') return { dhBits: bitLength(body.sized(2).rest()) };
  const isNamedCurve = keyExchange === 'ECDHE' && body.number(1) === 3;
  return isNamedCurve ? { group: body.number(2) } : {};
}

function bitLength(number: Buffer): number {
  const first = number.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (number.length - first - 1) * 8 + (32 - Math.clz32(number[first] ?? 0));
}

/** Reads on and on; beyond the end is a RangeError. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(bytes: 1 | 2 | 3): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  sized(bytes: 1 | 2 | 3): Reader {
    return new Reader(this.take(this.number(bytes)));
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError('beyond the end');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
