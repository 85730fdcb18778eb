/**
 * What every listener has in common, with a framework or without: its limits, what it answers to noise, and what is said
 * of a port that cannot be had.
 *
 * The limits are small on purpose: a challenge request is a few hundred bytes and comes from anybody.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';

export interface PublicListener {
  close(): Promise<void>;
  readonly port: number;
}

export interface Place {
  readonly host: string;
  readonly port: number;
  /** The one that names the port. */
  readonly setting: string;
}

export const HEADER_BYTES = 8 * 1024;
export const REQUEST_TIMEOUT_MS = 5_000;
/** Each holds some 10 KiB, and there are 128 MB; a load balancer has a few, a flood any number. */
export const CONNECTIONS = 1_000;

/** Of node:http. */
export const LIMITS = {
  maxHeaderSize: HEADER_BYTES,
  headersTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 3_000, // each wakes the process, whether there is a connection or not
};

/** What Node could not read as a request; the connection ends, since the next request's start is unknown. */
export function refuseSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  if (!socket.writable) return void socket.destroy();
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
}

/** A load balancer keeps its connections for about a minute, as a browser does; ours must not be the first to go. */
const KEEP_ALIVE_MS = 72_000;

/** A server of node:http with those limits, listening. A port that cannot be had is told in terms of the setting. */
export async function listenAt(place: Place, answer: RequestListener): Promise<PublicListener> {
  const limits = { ...LIMITS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS };
  const server = createServer(limits, answer);
  server.maxConnections = CONNECTIONS;
  server.on('clientError', refuseSocket);
  await new Promise<void>((listening, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) => failed(cannotListen(place, error)));
    server.listen(place.port, place.host, listening);
  });
  return {
    port: portOf(server, place.port),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections(); // HAProxy holds some for a minute and more
      }),
  };
}

/** In terms of the setting. */
export function cannotListen({ host, port, setting }: Place, error: NodeJS.ErrnoException): Error {
  return new Error(`${setting}: cannot listen on ${host} port ${port}: ${reasonOf(error)}`, { cause: error });
}

export function portOf(server: Pick<Server, 'address'>, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another process has the port; stop it or choose another port';
    case 'EACCES':
      return 'this user may not bind the port; ports below 1024 need root, or choose a higher one';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address; set LISTEN_ADDRESS to one of its own, or to 0.0.0.0 for all of them';
    default:
      return error.message;
  }
}
