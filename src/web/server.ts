/**
 * The HTTP servers: what the public and the admin listener have in common, and nothing of what they answer.
 *
 * The limits are small on purpose: a challenge request is a few hundred bytes and comes from anybody. A refusal is short,
 * fixed, and never repeats the request. What is answered: challenge.ts and json.ts.
 */
import type { Socket } from 'node:net';
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Family } from '../metrics/families.ts';
import type { Status } from '../status.ts';
import { type AskDeps, addAskRoutes } from './actions.ts';
import { addChallengeRoutes, type ChallengeDeps, sayPlainly } from './challenge.ts';
import { addAdminRoutes, sayInJson } from './json.ts';
import { addMetricsRoute } from './metrics.ts';
import { addPageRoute } from './page.ts';

export interface PublicListener {
  close(): Promise<void>;
  readonly port: number;
}

const HEADER_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
/** Each holds some 10 KiB, and there are 128 MB; a load balancer has a few, a flood any number. */
const CONNECTIONS = 1_000;

export async function listenPublic(o: { host: string; port: number } & ChallengeDeps): Promise<PublicListener> {
  const server = newServer(sayPlainly);
  addChallengeRoutes(server, o);
  return listen(server, { host: o.host, port: o.port, setting: 'HTTP_PORT' });
}

export async function listenAdmin(o: {
  host: string;
  port: number;
  status: () => Status;
  isReady: () => boolean;
  metrics: () => readonly Family[];
  /** Undefined: there is nothing to press. */
  asks: AskDeps | undefined;
}): Promise<PublicListener> {
  const server = newServer(sayInJson);
  addAdminRoutes(server, o.status, o.isReady);
  addPageRoute(server, o.status, o.asks !== undefined);
  if (o.asks !== undefined) addAskRoutes(server, o.asks);
  addMetricsRoute(server, o.metrics);
  return listen(server, { host: o.host, port: o.port, setting: 'ADMIN_PORT' });
}

/** A fastify that refuses by `refuse` in every case in which its own words would repeat the request. */
export function newServer(refuse: (reply: FastifyReply, status: number) => FastifyReply): FastifyInstance {
  const server = fastify({
    logger: false,
    forceCloseConnections: true, // close() ends kept-alive sockets at once: HAProxy holds some for a minute and more
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { maxHeaderSize: HEADER_BYTES, headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1_000 },
    routerOptions: { maxParamLength: HEADER_BYTES }, // no second, shorter limit with an answer of its own
    frameworkErrors: (_error, _request, reply) => void refuse(reply, 400),
    clientErrorHandler: (error, socket) => refuseSocket(error, socket),
  });
  server.server.maxConnections = CONNECTIONS;
  server.setNotFoundHandler((_request, reply) => refuse(reply, 404));
  server.setErrorHandler((error: FastifyError, _request, reply) => refuse(reply, isAskersFault(error) ? 400 : 500));
  // Before fastify looks at a body: hardly anything here takes one.
  server.addHook('onRequest', async (request, reply) => {
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    if (!isReading && request.is404) return refuse(reply.header('connection', 'close'), 404);
    return undefined;
  });
  return server;
}

/** Fastify's own refusals of a body. */
function isAskersFault({ code }: FastifyError): boolean {
  return code?.startsWith('FST_ERR_CTP_') ?? false;
}

/** What Node could not read as a request; the connection ends, since the next request's start is unknown. */
function refuseSocket(error: NodeJS.ErrnoException, socket: Socket): void {
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

/** Starts listening; a port that cannot be had is told in terms of the setting that names it. */
export async function listen(
  server: FastifyInstance,
  where: { host: string; port: number; setting: string },
): Promise<PublicListener> {
  const { host, port, setting } = where;
  await server.listen({ host, port }).catch(async (error: NodeJS.ErrnoException) => {
    await server.close();
    throw new Error(`${setting}: cannot listen on ${host} port ${port}: ${reasonOf(error)}`, { cause: error });
  });
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: async () => void (await server.close()),
  };
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another process has the port; stop it or choose another port';
    case 'EACCES':
      return 'this user may not bind the port; ports below 1024 need root, or choose a higher one';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address';
    default:
      return error.message;
  }
}
