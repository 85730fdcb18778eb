/**
 * HTTP by hand: bytes out, bytes in. For what no client library would send, and for answers read as they stand.
 */
import net from 'node:net';
import type { TestContext } from 'node:test';
import { until } from './until.ts';

export interface RawConnection {
  /** Everything that came so far. */
  readonly received: string;
  readonly closed: boolean;
  send(bytes: string): void;
  /** Resolves with everything received once it holds `text`. */
  sees(text: string): Promise<string>;
  /** Resolves with everything received once the other side has closed. */
  ended(timeoutMs?: number): Promise<string>;
}

export async function connectRaw(t: TestContext, port: number, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = net.connect({ host, port });
  let received = '';
  let closed = false;
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => undefined); // a reset is an end too, and 'close' follows
  socket.on('close', () => {
    closed = true;
  });
  t.after(() => socket.destroy());
  await until(() => !socket.connecting, `a connection to port ${port}`);
  return {
    get received() {
      return received;
    },
    get closed() {
      return closed;
    },
    send: (bytes) => void socket.write(bytes, 'latin1'),
    sees: (text) => until(() => received.includes(text) && received, `"${text}" from port ${port}; got "${received}"`),
    ended: async (timeoutMs = 30_000) => {
      await until(() => closed, `the end of a connection to port ${port}`, timeoutMs);
      return received;
    },
  };
}

/** One request on a connection of its own, and the whole answer. */
export async function rawExchange(t: TestContext, port: number, request: string): Promise<string> {
  const connection = await connectRaw(t, port);
  connection.send(request);
  return connection.ended();
}
