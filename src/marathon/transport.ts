/**
 * One HTTP exchange, on axios: the only file that knows an AxiosError, which would print our request body.
 *
 * A status is never an error in here, a redirect is never followed, an environment proxy is never used (Marathon is
 * inside the cluster). What went wrong below HTTP leaves as a TransportFailure, which says the one thing that matters
 * for a change: can the request have reached the other side?
 */
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { createSecureContext, getCACertificates } from 'node:tls';
import axios, { type AxiosResponse } from 'axios';
import type { Reply } from './error.ts';

export interface Exchange {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Of the decoded answer. */
  readonly maxBytes: number;
  /** Hand over the body of a 200 as it comes (events). */
  readonly stream?: boolean | undefined;
}

export interface Answer extends Reply {
  readonly header: (name: string) => string | undefined;
  /** Set for a 200 to an exchange with `stream`; `text` is empty then. */
  readonly body: Readable | undefined;
}

export type FailureKind = 'refused' | 'tls' | 'reset' | 'timeout' | 'too-big';

export class TransportFailure extends Error {
  override readonly name = 'TransportFailure';
  readonly kind: FailureKind;
  /** The request may have reached the other side. */
  readonly sent: boolean;

  constructor(kind: FailureKind, message: string, sent: boolean) {
    super(message);
    this.kind = kind;
    this.sent = sent;
  }
}

/** Marathon closes a connection that was idle for 30 s; ours are closed before, so that few requests meet a dead one. */
const IDLE_MS = 20_000;

export class Transport {
  readonly #timeoutMs: number;
  readonly #kept: { httpAgent: http.Agent; httpsAgent: https.Agent };
  readonly #fresh: { httpAgent: http.Agent; httpsAgent: https.Agent };

  constructor(options: { caPem?: string | undefined; timeoutMs: number }) {
    this.#timeoutMs = options.timeoutMs;
    // One context for all connections: parsing some 150 roots for each would take a noticeable part of a small CPU share.
    const ca = options.caPem === undefined ? undefined : [...getCACertificates('default'), options.caPem];
    const tls = ca ? { secureContext: createSecureContext({ ca }) } : {};
    const kept = { keepAlive: true, maxSockets: 4, timeout: IDLE_MS };
    this.#kept = { httpAgent: new http.Agent(kept), httpsAgent: new https.Agent({ ...kept, ...tls }) };
    this.#fresh = { httpAgent: new http.Agent(), httpsAgent: new https.Agent(tls) };
  }

  /** Throws the signal's reason when aborted, else a TransportFailure. */
  async exchange(exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const limit = new AbortController();
    const stop = () => limit.abort();
    signal.addEventListener('abort', stop, { once: true });
    const timer = setTimeout(stop, this.#timeoutMs);
    try {
      return await this.#answer(exchange, limit.signal);
    } catch (error) {
      signal.throwIfAborted(); // shutting down is nobody's failure
      if (error instanceof TransportFailure) throw error;
      if (limit.signal.aborted) throw new TransportFailure('timeout', `no answer in ${this.#timeoutMs} ms`, true);
      throw failureOf(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async #answer(exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    // Not over a kept connection: one that the server has just closed would turn a change into "outcome unknown".
    const agents = exchange.method === 'GET' && !exchange.stream ? this.#kept : this.#fresh;
    const response = await axios.request<Readable>({
      method: exchange.method,
      url: exchange.url,
      headers: { ...exchange.headers },
      data: exchange.body, // a string, so that Content-Length is sent: a standby forwards a body without it as empty
      responseType: 'stream',
      transformRequest: [(data: unknown) => data],
      validateStatus: () => true,
      maxRedirects: 0,
      maxBodyLength: Number.POSITIVE_INFINITY,
      maxContentLength: -1, // we count while reading
      proxy: false,
      signal,
      ...agents,
    });
    const handOver = exchange.stream === true && response.status === 200;
    const text = handOver ? '' : await readAll(response.data, exchange.maxBytes, signal);
    return answerOf(response, text, handOver ? response.data : undefined);
  }
}

function answerOf(response: AxiosResponse<Readable>, text: string, body: Readable | undefined): Answer {
  const header = (name: string) => {
    const value: unknown = response.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return { status: response.status, contentType: header('content-type') ?? '', text, header, body };
}

/** A body that breaks off ends in an error ("aborted"), so a text that comes back is whole. */
async function readAll(body: Readable, maxBytes: number, signal: AbortSignal): Promise<string> {
  const stop = () => body.destroy(new Error('aborted'));
  signal.addEventListener('abort', stop, { once: true });
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new TransportFailure('too-big', `the answer is larger than ${maxBytes} bytes`, true);
      chunks.push(chunk);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** Before the request is out there is a name to look up, a connection and a handshake; after that, nobody knows. */
function failureOf(error: unknown): TransportFailure {
  const { code, syscall, message, attempts } = nodeError(error);
  if (UNTRUSTED.has(code)) {
    return new TransportFailure('tls', `${message}: if its CA is your own, name the file in MARATHON_CA_FILE`, false);
  }
  if (/^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO)/.test(code)) {
    return new TransportFailure('tls', `${message}: check https, the name in MARATHON_URL and MARATHON_CA_FILE`, false);
  }
  const before = attempts || syscall === 'connect' || syscall === 'getaddrinfo';
  return new TransportFailure(before ? 'refused' : 'reset', message, !before);
}

interface NodeError {
  readonly code: string;
  readonly syscall: string | undefined;
  readonly message: string;
  /** Several addresses were tried, none could be connected to. */
  readonly attempts: boolean;
}

function nodeError(error: unknown): NodeError {
  const outer = error as { code?: string; message?: string; cause?: unknown };
  const inner = (outer.cause ?? outer) as { code?: string; syscall?: string; errors?: readonly Error[] };
  const attempts = inner.errors?.map(({ message }) => message).join(', ');
  const code = outer.code ?? inner.code ?? '';
  return {
    code,
    syscall: inner.syscall,
    message: (attempts || outer.message || code).slice(0, 300),
    attempts: attempts !== undefined,
  };
}
