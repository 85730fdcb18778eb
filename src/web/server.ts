/**
 * What answers on the admin port (admin.ts opens it) and the test app's server: fastify with small limits. A refusal is short,
 * fixed, and never repeats the request. What is answered: json.ts, page.ts, metrics.ts; the public listener does without all
 * of this: public.ts.
 */
import type { RequestListener } from 'node:http';
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Family } from '../metrics/families.ts';
import type { Status } from '../status.ts';
import { type AskDeps, addAskRoutes } from './actions.ts';
import { addAdminRoutes, sayInJson } from './json.ts';
import {
  CONNECTIONS,
  cannotListen,
  HEADER_BYTES,
  LIMITS,
  type Place,
  type PublicListener,
  portOf,
  REQUEST_TIMEOUT_MS,
  refuseSocket,
} from './listening.ts';
import { addMetricsRoute } from './metrics.ts';
import { addPageRoute } from './page.ts';

export interface AdminDeps {
  readonly status: () => Status;
  readonly isReady: () => boolean;
  readonly metrics: () => readonly Family[];
  /** Undefined: there is nothing to press. */
  readonly asks: AskDeps | undefined;
}

/** For a server of node:http that listens already. */
export async function adminAnswers({ status, isReady, metrics, asks }: AdminDeps): Promise<RequestListener> {
  const server = newServer(sayInJson);
  addAdminRoutes(server, status, isReady);
  addPageRoute(server, status, asks !== undefined);
  if (asks !== undefined) addAskRoutes(server, asks);
  addMetricsRoute(server, metrics);
  await server.ready();
  return server.routing;
}

/** A fastify that refuses by `refuse` in every case in which its own words would repeat the request. With `tls`, HTTPS. */
export function newServer(
  refuse: (reply: FastifyReply, status: number) => FastifyReply,
  tls?: { readonly cert: string; readonly key: string },
): FastifyInstance {
  const server = fastify({
    logger: false,
    forceCloseConnections: true, // close() ends kept-alive sockets at once: HAProxy holds some for a minute and more
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...(tls === undefined ? { http: LIMITS } : { https: { ...LIMITS, ...tls, handshakeTimeout: REQUEST_TIMEOUT_MS } }),
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

/** Starts listening; a port that cannot be had is told in terms of the setting that names it. */
export async function listen(server: FastifyInstance, place: Place): Promise<PublicListener> {
  const { host, port } = place;
  await server.listen({ host, port }).catch(async (error: NodeJS.ErrnoException) => {
    await server.close();
    throw cannotListen(place, error);
  });
  return { port: portOf(server.server, port), close: async () => void (await server.close()) };
}
