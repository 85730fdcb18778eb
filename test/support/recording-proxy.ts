/**
 * A reverse proxy before a CA or a Marathon that records every request and can hold, drop or cut it: for killing a
 * process at every boundary, and for losing a reply on purpose.
 *
 * It forwards the Host header as the client sent it, so a server that builds its URLs from Host (Pebble does) sends the
 * client back through here, and the `url` in a JWS (RFC 8555 §6.4) is right too: nothing has to be rewritten.
 */

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { issue } from './certificates.ts';

/** pass: go on. drop: close the client's connection. hold: wait for `release()`, then go on. */
export type RequestVerdict = 'pass' | 'drop' | 'hold';
/** cut: the head and half of the body, then the connection closes. */
export type ReplyVerdict = RequestVerdict | 'cut';

export interface Recorded {
  /** From 1, in order of arrival. */
  readonly n: number;
  readonly at: Date;
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** undefined: it has not been answered by the server (yet). */
  readonly status: number | undefined;
  /** The last byte of the reply went to the client. */
  readonly delivered: boolean;
}

export interface Hooks {
  /** The request is here whole, nothing was forwarded. */
  onRequest?(n: number, request: Recorded): RequestVerdict | undefined | Promise<RequestVerdict | undefined>;
  /** The server has answered (and so acted), the client knows nothing yet. */
  onReply?(n: number, request: Recorded, status: number): ReplyVerdict | undefined | Promise<ReplyVerdict | undefined>;
  /** The client has the whole reply. */
  afterReply?(n: number, request: Recorded, status: number): void;
}

export interface RecordingProxyOptions {
  /** The server's URL; its path, if any, is where `url` of the proxy leads. */
  readonly target: string;
  /** The CA of an https target. The proxy then speaks https itself. */
  readonly caPem?: string | undefined;
  readonly hooks?: Hooks;
  readonly host?: string;
  readonly port?: number;
}

export interface RecordingProxy {
  /** As `target`, through the proxy. */
  readonly url: string;
  readonly origin: string;
  /** The root that signed the proxy's own certificate, for an https one. */
  readonly caPem: string | undefined;
  readonly requests: readonly Recorded[];
  /** May be changed at any time. */
  hooks: Hooks;
  /** How many requests or replies are held now. */
  held(): number;
  /** Lets go what is held. */
  release(): void;
  close(): Promise<void>;
}

/** A test context, or whatever else cleans up when its time has come. */
export interface Disposer {
  after(dispose: () => Promise<void>): void;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export async function startRecordingProxy(t: Disposer, options: RecordingProxyOptions): Promise<RecordingProxy> {
  const target = new URL(options.target);
  const secure = target.protocol === 'https:';
  const own = secure ? issue({ domains: ['localhost'], issuerName: 'Recording proxy' }) : undefined;
  const upstream = new Upstream(target, options.caPem);
  const requests: Recorded[] = [];
  const waiting = new Set<() => void>();

  const held = () => new Promise<void>((go) => waiting.add(go));
  const release = () => {
    for (const go of waiting) go();
    waiting.clear();
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => undefined);
    const body = await readBody(request);
    const { method = 'GET', url: path = '/', headers } = request;
    const recorded: Writable<Recorded> = {
      ...{ n: requests.length + 1, at: new Date(), method, path, headers, body: body.toString() },
      ...{ status: undefined, delivered: false },
    };
    requests.push(recorded);
    const before = await proxy.hooks.onRequest?.(recorded.n, recorded);
    if (before === 'hold') await held();
    if (before === 'drop') return void response.destroy();

    const reply = await upstream.send(request, body, response);
    const status = reply.statusCode ?? 0;
    recorded.status = status;
    const verdict = await proxy.hooks.onReply?.(recorded.n, recorded, status);
    if (verdict === 'hold') await held();
    if (verdict === 'drop') {
      reply.destroy();
      return void response.destroy();
    }
    await (verdict === 'cut' ? passHalf(reply, response) : passOn(reply, response));
    if (verdict === 'cut') return;
    recorded.delivered = true;
    proxy.hooks.afterReply?.(recorded.n, recorded, status);
  };

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    serve(request, response).catch(() => response.destroy()); // the server is away: so are we
  };
  const server = own
    ? https.createServer({ cert: own.chainPem, key: own.keyPem }, listener)
    : http.createServer(listener);
  const host = options.host ?? '127.0.0.1';
  const { port, close: stop } = await listen(server, options.port ?? 0, host);
  const origin = secure ? `https://localhost:${port}` : `http://${host}:${port}`;
  const close = async (): Promise<void> => {
    release();
    await stop();
    upstream.close();
  };
  t.after(close);
  const path = target.pathname === '/' ? '' : target.pathname;
  const caPem = own?.rootPem;
  const hooks = options.hooks ?? {};
  const proxy: RecordingProxy = {
    ...{ url: origin + path, origin, caPem, requests, hooks, release, close },
    held: () => waiting.size,
  };
  return proxy;
}

/** Headers that belong to one connection (RFC 9110 §7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect']);

/** Raw pairs, so that case, order and repetition stay as they were. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => !HOP_BY_HOP.has(String(rawHeaders[index - (index % 2)]).toLowerCase()));
}

class Upstream {
  readonly #target: URL;
  readonly #agent: http.Agent;
  readonly #send: typeof http.request;

  constructor(target: URL, caPem: string | undefined) {
    const secure = target.protocol === 'https:';
    this.#target = target;
    // The name to verify is the target's, not the one in the client's Host header.
    const tls = { ...(caPem !== undefined && { ca: caPem }), checkServerIdentity: () => undefined };
    this.#agent = secure ? new https.Agent({ keepAlive: true, ...tls }) : new http.Agent({ keepAlive: true });
    this.#send = secure ? https.request : http.request;
  }

  async send(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<IncomingMessage> {
    const { hostname, port } = this.#target;
    const headers = endToEnd(request.rawHeaders);
    const { method, url: path } = request;
    const forwarded = this.#send({ hostname, port, method, path, headers, agent: this.#agent, setHost: false });
    response.on('close', () => response.writableFinished || forwarded.destroy()); // the client has gone, say so
    forwarded.end(body);
    const [reply] = (await once(forwarded, 'response')) as [IncomingMessage];
    forwarded.on('error', () => undefined);
    return reply;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Piece by piece, as an event stream has no end to wait for. Resolves when the last byte is out. */
async function passOn(reply: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(reply.statusCode ?? 502, endToEnd(reply.rawHeaders));
  response.flushHeaders();
  const finished = once(response, 'finish');
  finished.catch(() => undefined);
  for await (const chunk of reply) {
    if (response.destroyed) throw new Error('the client has gone');
    response.write(chunk);
  }
  response.end();
  await finished;
}

async function passHalf(reply: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(reply);
  response.writeHead(reply.statusCode ?? 502, endToEnd(reply.rawHeaders));
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
}

export async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function listen(
  server: http.Server | https.Server,
  port: number,
  host: string,
): Promise<{ port: number; close: () => Promise<void> }> {
  server.listen(port, host);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, close };
}
