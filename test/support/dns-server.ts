/**
 * A DNS server for what pebble-challtestsrv cannot do: names that do not exist, refusals, silence, flags of CAA records.
 *
 * UDP and one question a message, as RFC 1035 §4 has it; no more of DNS than that.
 */
import dgram from 'node:dgram';
import type { Disposer } from './pebble.ts';

export const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const TYPES: Readonly<Record<number, string>> = { 1: 'A', 5: 'CNAME', 28: 'AAAA', 257: 'CAA' };

export interface DnsAnswer {
  readonly rcode: keyof typeof RCODES;
  /** Of the type that was asked for. */
  readonly records?: readonly Buffer[];
}
/** undefined: silence. */
export type Zone = (name: string, type: string) => DnsAnswer | undefined;

export async function startDns(t: Disposer, zone: Zone, host = '127.0.0.1'): Promise<string> {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, type, end } = question(query);
    const answer = zone(name.toLowerCase(), TYPES[type] ?? String(type));
    if (answer !== undefined) socket.send(reply(query.subarray(0, end), type, answer), from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(0, host, resolve));
  t.after(() => new Promise<void>((done) => socket.close(done)));
  return `${host}:${socket.address().port}`;
}

export function aRecord(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

export function caaRecord(flags: number, tag: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([flags, tag.length]), Buffer.from(tag + value)]);
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size));
    at += size + 1;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function reply(query: Buffer, type: number, { rcode, records = [] }: DnsAnswer): Buffer {
  const head = Buffer.from(query);
  head.writeUInt16BE(0x8180 | RCODES[rcode], 2); // an answer; recursion wanted and had
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8); // neither authority nor additional records: EDNS is left out
  const answers = records.flatMap((data) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc00c, 0); // the name of the question
    fixed.writeUInt16BE(type, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt32BE(1, 6);
    fixed.writeUInt16BE(data.length, 10);
    return [fixed, data];
  });
  return Buffer.concat([head, ...answers]);
}
