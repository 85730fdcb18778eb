/**
 * One question to a server: connect, send a hello, hear what comes back, hang up.
 *
 * Bounded in time and size, and ended by the signal. A server that closes the connection has answered; one that
 * cannot be reached has not, and that is an error: nothing can be said about it.
 */
import net from 'node:net';
import { MOST_BYTES } from './answer.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Asking {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Nobody is there, or nobody who speaks. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** What was heard until it was enough, or the other side closed, or (`silent`) the time was up. */
export interface Heard {
  readonly bytes: Buffer;
  readonly silent: boolean;
}

export function ask(
  place: Place,
  hello: Buffer,
  isEnough: (bytes: Buffer) => boolean,
  { timeoutMs, signal }: Asking,
): Promise<Heard> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let bytes = Buffer.alloc(0);
    let connected = false;
    const socket = net.connect(place);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const answered = (silent: boolean): void => end(() => resolve({ bytes, silent }));
    const fail = (reason: string): void => end(() => reject(new Unreachable(`${nameOf(place)}: ${reason}`)));
    const onAbort = (): void => end(() => reject(signal.reason as Error));
    const timer = setTimeout(
      () => (connected ? answered(true) : fail(`no connection within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      connected = true;
      socket.write(hello);
    });
    socket.on('data', (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      if (bytes.length > MOST_BYTES || isEnough(bytes)) answered(false);
    });
    // A reset is a refusal too: servers that know nothing of a version often just hang up.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      connected ? answered(false) : fail(error.code ?? error.message),
    );
    socket.once('close', () => answered(false));
  });
}

export function nameOf({ host, port }: Place): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
