/**
 * Listens in on the way between two programs: passes every byte on, and keeps those that the client sent.
 *
 * Below HTTP and TLS, for asking which of the two is spoken there.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { Disposer } from './recording-proxy.ts';

export interface WireTap {
  readonly port: number;
  /** What clients sent, a buffer for each connection. */
  sent(): readonly Buffer[];
}

export interface TapOptions {
  readonly host: string;
  /** Where clients come; a free one unless told. */
  readonly port?: number;
  readonly target: { readonly host: string; readonly port: number };
}

export async function tapWire(t: Disposer, { host, port = 0, target }: TapOptions): Promise<WireTap> {
  const heard: Buffer[][] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const chunks: Buffer[] = [];
    heard.push(chunks);
    const onward = net.connect(target);
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('data', (chunk) => chunks.push(chunk)).on('close', () => onward.destroy());
    onward.on('close', () => client.destroy());
    client.pipe(onward).pipe(client);
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  const { port: own } = server.address() as net.AddressInfo;
  return { port: own, sent: () => heard.map((chunks) => Buffer.concat(chunks)).filter(({ length }) => length > 0) };
}

const RECORD_TYPES: Readonly<Record<number, string>> = {
  20: 'change_cipher_spec',
  21: 'alert',
  22: 'handshake',
  23: 'application_data',
};

/** The types of the TLS records (RFC 8446 §5.1) that these bytes are; throws where they are none. */
export function tlsRecords(bytes: Buffer): readonly string[] {
  const types: string[] = [];
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    const type = RECORD_TYPES[bytes[at] ?? 0];
    if (type === undefined || bytes[at + 1] !== 3 || at + 5 > bytes.length) {
      throw new Error(`no TLS record at byte ${at}: ${JSON.stringify(bytes.toString('latin1', at, at + 40))}`);
    }
    types.push(type);
  }
  return types;
}
