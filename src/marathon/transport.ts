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
import { StringDecoder } from 'node:string_decoder';
import { createSecureContext, getCACertificates } from 'node:tls';
import type { AxiosResponse } from 'axios';
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

/** None of them is the end: what asks, asks again. */
const CURES: Readonly<Record<FailureKind, string>> = {
  refused:
    'it is tried again by itself: does Marathon run there, is MARATHON_URL right, and may this agent connect to it?',
  tls: 'check https, the name in MARATHON_URL and MARATHON_CA_FILE',
  reset: 'it is tried again by itself: if that lasts, see what ends the connection (Marathon, or a proxy before it)',
  timeout:
    'it is tried again by itself: if that lasts, see whether a firewall is in the way, or Marathon is slow (MARATHON_TIMEOUT)',
  'too-big': 'no more is read, to spare memory: is that Marathon, and what makes its answer so large (tasks, labels)?',
};

export class TransportFailure extends Error {
  override readonly name = 'TransportFailure';
  readonly kind: FailureKind;
  /** The request may have reached the other side. */
  readonly sent: boolean;
  readonly cure: string;

  constructor(kind: FailureKind, message: string, { sent, cure = CURES[kind] }: { sent: boolean; cure?: string }) {
    super(message);
    this.kind = kind;
    this.sent = sent;
    this.cure = cure;
  }
}

/** Marathon closes a connection that was idle for 30 s; ours are closed before, so that few requests meet a dead one. */
const IDLE_MS = 20_000;

/** What nobody reads stays with the kernel, and does not wake us. */
const AS_READ: http.AgentOptions & { highWaterMark: number } = { highWaterMark: 1 };

export class Transport {
  readonly #timeoutMs: number;
  readonly #kept: { httpAgent: http.Agent; httpsAgent: https.Agent };
  readonly #fresh: { httpAgent: http.Agent; httpsAgent: https.Agent };
  readonly #streams: { httpAgent: http.Agent; httpsAgent: https.Agent };

  constructor(options: { caPem?: string | undefined; timeoutMs: number }) {
    this.#timeoutMs = options.timeoutMs;
    // One context for all connections: parsing some 150 roots for each would take a noticeable part of a small CPU share.
    const ca = options.caPem === undefined ? undefined : [...getCACertificates('default'), options.caPem];
    const tls = ca ? { secureContext: createSecureContext({ ca }) } : {};
    const kept = { keepAlive: true, maxSockets: 4, timeout: IDLE_MS };
    this.#kept = { httpAgent: new http.Agent(kept), httpsAgent: new https.Agent({ ...kept, ...tls }) };
    this.#fresh = { httpAgent: new http.Agent(), httpsAgent: new https.Agent(tls) };
    this.#streams = { httpAgent: new http.Agent(AS_READ), httpsAgent: new https.Agent({ ...AS_READ, ...tls }) };
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
      if (limit.signal.aborted)
        throw new TransportFailure('timeout', `no answer within ${this.#timeoutMs / 1000} s`, { sent: true });
      throw failureOf(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  async #answer(exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    // Not over a kept connection: one that the server has just closed would turn a change into "outcome unknown".
    const agents = exchange.stream ? this.#streams : exchange.method === 'GET' ? this.#kept : this.#fresh;
    const { default: axios } = await import('axios'); // with the first question, when the listeners are up
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

/** Each of so many bytes of one answer is preceded by a collection. */
const COLLECTED_BYTES = 2 * 1024 * 1024;

/**
 * A body that breaks off ends in an error ("aborted"), so a text that comes back is whole.
 *
 * V8 may leave garbage until there is as much of it as we have memory, and counts buffers least of all. So a long answer is
 * gathered as text, not as buffers, and what the one before has left is collected first, where the image's flag lets us.
 */
async function readAll(body: Readable, maxBytes: number, signal: AbortSignal): Promise<string> {
  const stop = () => body.destroy(new Error('aborted'));
  signal.addEventListener('abort', stop, { once: true });
  const decoder = new StringDecoder('utf8');
  let text = '';
  let size = 0;
  let uncollected = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      uncollected += chunk.length;
      if (size > maxBytes) throw tooBig(maxBytes);
      if (uncollected > COLLECTED_BYTES) {
        globalThis.gc?.();
        uncollected = 0;
      }
      text += decoder.write(chunk);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return text + decoder.end();
}

function tooBig(maxBytes: number): TransportFailure {
  return new TransportFailure('too-big', `the answer is larger than ${maxBytes} bytes`, { sent: true });
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
    const cure = 'if its CA is your own, name the file in MARATHON_CA_FILE';
    return new TransportFailure('tls', message, { sent: false, cure });
  }
  if (/^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO)/.test(code)) return new TransportFailure('tls', message, { sent: false });
  const before = attempts || syscall === 'connect' || syscall === 'getaddrinfo';
  return new TransportFailure(before ? 'refused' : 'reset', message, { sent: !before });
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
