/**
 * The socket side: prefixes, auth, faults, content types, and a record of every request without its secrets.
 *
 * `/service/marathon` and `/marathon` are Admin Router's ways in and lead to the same Marathon.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Call, Reply } from './api.ts';
import { ApiError, jetty } from './api-error.ts';
import { type Gate, LOGIN_PATH } from './auth.ts';
import type { ClientRules } from './client-rules.ts';
import { type EventStreams, wantsLightPlans } from './event-stream.ts';
import type { FailNext, Faults } from './faults.ts';
import { isObject } from './json.ts';
import type { Traits } from './profiles.ts';

/** The tests' own requests carry this; its value is a secret of the simulator. */
export const OPERATOR_HEADER = 'x-simulator-operator';

export interface RecordedRequest {
  readonly at: Date;
  readonly method: string;
  /** As it came, with prefix and query. */
  readonly url: string;
  /** Without prefix and query. */
  readonly path: string;
  /** Authorization only as its scheme. */
  readonly headers: Readonly<Record<string, string>>;
  readonly operator: boolean;
  /** Facts of the body, never the body. */
  readonly bodyBytes: number;
  readonly bodyKeys: readonly string[];
  readonly envKeys: readonly string[];
  /** 0: no answer was given. */
  readonly status: number;
}

export interface HttpParts {
  readonly traits: Traits;
  readonly faults: Faults;
  readonly rules: ClientRules;
  readonly gate: Gate;
  readonly streams: EventStreams;
  readonly operatorSecret: string;
  readonly leaderUrl: () => string;
  readonly handle: (call: Call) => Reply;
  readonly record: (request: RecordedRequest) => void;
}

export interface Tls {
  readonly key: string;
  readonly cert: string;
}

export function createHttpServer(parts: HttpParts, tls: Tls | undefined): Server {
  const listener = (request: IncomingMessage, response: ServerResponse) => void serve(parts, request, response);
  const server = tls ? createSecureServer({ key: tls.key, cert: tls.cert }, listener) : createServer(listener);
  server.keepAliveTimeout = 30_000; // Marathon's Jetty closes idle connections after 30 s
  return server;
}

async function serve(parts: HttpParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/' } = request;
  const { pathname, searchParams: query } = new URL(url.replace(/^\/{2,}/, '/'), 'http://simulator');
  const path = pathname.replace(/^\/(?:service\/)?marathon(?=\/)/, '');
  const operator = request.headers[OPERATOR_HEADER] === parts.operatorSecret;
  const text = await bodyOf(request);
  const arrived = { method, url, path, query, text, operator };
  try {
    const reply = await answer(parts, request, response, arrived);
    if (reply) send(parts, request, response, reply);
  } catch (error) {
    if (error instanceof ApiError) send(parts, request, response, error);
    else if (error === GONE) request.socket.destroy();
    else send(parts, request, response, { status: 500, body: { message: String(error) } });
  }
  parts.record(facts(arrived, request, response));
}

/** Thrown to say that the client gets no answer. */
const GONE = new Error('no answer');

interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly text: string;
  readonly operator: boolean;
}

async function answer(parts: HttpParts, request: IncomingMessage, response: ServerResponse, arrived: Arrived) {
  const { method, path, operator } = arrived;
  if (!operator && parts.faults.electing()) {
    throw jetty(parts.traits.electionStatus, 'Could not determine the current leader', path);
  }
  const failure = operator ? undefined : parts.faults.take(method, path);
  if (failure) return fail(parts, request, response, arrived, failure);
  return proper(parts, request, response, arrived);
}

/** What would have been answered had nobody interfered. Undefined: the response is an event stream. */
function proper(parts: HttpParts, request: IncomingMessage, response: ServerResponse, arrived: Arrived) {
  const { method, path, query, operator } = arrived;
  const clientIp = request.socket.remoteAddress ?? '';
  if (!operator && path !== LOGIN_PATH) parts.gate.check(request.headers.authorization, path);
  if (method === 'GET' && path === '/v2/events') return openStream(parts, request, response, query, clientIp);
  const body = ['PUT', 'POST', 'PATCH'].includes(method) ? readBody(parts, request, arrived) : undefined;
  return parts.handle({ method, path, query, body, clientIp, operator });
}

function openStream(
  parts: HttpParts,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  remoteAddress: string,
): undefined {
  const { accept } = request.headers;
  parts.rules.onEvents(accept);
  if (accept !== 'text/event-stream') throw jetty(405, 'HTTP method GET is not supported by this URL', '/v2/events');
  response.setHeader('X-Marathon-Leader', parts.leaderUrl());
  const types = parts.traits.eventFilter ? query.getAll('event_type') : [];
  parts.streams.attach(response, { types, light: wantsLightPlans(query, parts.traits), remoteAddress });
}

function readBody(parts: HttpParts, request: IncomingMessage, { method, path, text, operator }: Arrived): unknown {
  if (method === 'POST' && path.endsWith('/restart')) return undefined;
  if (!operator) parts.rules.onBody(`${method} ${path}`, request.headers);
  const type = request.headers['content-type'] ?? '';
  if (!type.startsWith('application/json')) throw new ApiError(415, { message: 'Unsupported Media Type' });
  if (text === '') {
    const details = 'No content to map due to end-of-input\n at [Source: (String)""; line: 1, column: 0]';
    throw new ApiError(400, { message: 'Please specify data in JSON format', details });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ApiError(400, { message: 'Invalid JSON', details: (error as Error).message.replace(/\s*".*"/s, '') });
  }
}

async function fail(
  parts: HttpParts,
  request: IncomingMessage,
  response: ServerResponse,
  arrived: Arrived,
  failure: FailNext,
): Promise<Reply | undefined> {
  await failure.before?.();
  const plain = failure.status === undefined && failure.body === undefined;
  const real = failure.applied || plain ? proper(parts, request, response, arrived) : undefined;
  if (failure.delayMs) await sleep(failure.delayMs);
  if (failure.reset) throw GONE;
  const reply = plain && real ? real : { status: failure.status ?? 200, body: failure.body ?? '' };
  const headers = { ...reply.headers, ...(typeof reply.body === 'string' ? HTML : {}), ...failure.headers };
  if (failure.truncateAt === undefined) return { ...reply, headers };
  truncate(response, { ...reply, headers }, failure.truncateAt);
  return undefined;
}

const HTML = { 'content-type': 'text/html;charset=iso-8859-1' };

function truncate(response: ServerResponse, reply: Reply, at: number): void {
  const { content, type } = encode(reply.body);
  response.writeHead(reply.status, { 'Content-Type': type, 'Content-Length': content.length, ...reply.headers });
  response.write(content.subarray(0, at), () => response.destroy());
}

function encode(body: unknown): { content: Buffer; type: string } {
  if (body === undefined) return { content: Buffer.alloc(0), type: 'application/json' };
  if (typeof body === 'string') return { content: Buffer.from(body), type: 'text/plain' };
  return { content: Buffer.from(JSON.stringify(body)), type: 'application/json' };
}

function send(parts: HttpParts, request: IncomingMessage, response: ServerResponse, reply: Reply | ApiError): void {
  const { content, type } = encode(reply.body);
  const zip = /\bgzip\b/.test(String(request.headers['accept-encoding'])) && content.length > 256;
  const sent = zip ? gzipSync(content) : content;
  response.setHeader('X-Marathon-Leader', parts.leaderUrl());
  response.setHeader('Content-Type', type);
  if (reply.status !== 204) response.setHeader('Content-Length', sent.length);
  if (zip) response.setHeader('Content-Encoding', 'gzip');
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  response.writeHead(reply.status).end(sent);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return ''; // the client went away
  }
  return Buffer.concat(chunks).toString();
}

function facts(arrived: Arrived, request: IncomingMessage, response: ServerResponse): RecordedRequest {
  const { method, url, path, operator, text } = arrived;
  const body = parsed(text);
  const headers = Object.fromEntries(
    Object.entries(request.headers)
      .filter(([name]) => name !== OPERATOR_HEADER)
      .map(([name, value]) => [name, name === 'authorization' ? schemeOf(String(value)) : String(value)]),
  );
  return {
    at: new Date(),
    method,
    url,
    path,
    headers,
    operator,
    bodyBytes: Buffer.byteLength(text),
    bodyKeys: Object.keys(body),
    envKeys: isObject(body.env) ? Object.keys(body.env) : [],
    status: response.headersSent ? response.statusCode : 0,
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function schemeOf(authorization: string): string {
  return /^(token=|\S+ )/.exec(authorization)?.[0].trim() ?? '';
}
