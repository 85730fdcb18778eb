/**
 * The way to one CA: acme-client, with its HTTP taken out of its hands.
 *
 * As it comes, acme-client (5.4.0) turns every network error into a TypeError after 75 s of hidden retries, sleeps a
 * rate limit's Retry-After inside the request (34 h have been seen) and then re-sends a spent nonce, asks for a new
 * nonce before each request, and cannot be aborted. So each client's `request` is ours, and its axios is never called:
 * one retry of idempotent reads, no sleep, a time-out, the order's signal, a pool of nonces, the CA's refusal as it
 * came. Nothing is shared between CAs: agent, root and proxy go with each request. What leaves is an AcmeError.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { Client } from 'acme-client';
import type { Account } from '../store.ts';
import { type Agents, exchange, type Reply } from './exchange.ts';
import { AcmeError, parseRetryAfter, refusal } from './problem.ts';
import { Session } from './session.ts';

const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce';
/** acme-client's five are too few for a CA that refuses 40 % of the nonces: one order in seven would fail. */
const BAD_NONCE_RETRIES = 20;
const POOLED_NONCES = 32;
const SOCKETS = 4;

export interface AuthorityOptions {
  readonly directoryUrl: string;
  /** Trusted beside the usual roots. */
  readonly caPem: string | undefined;
  readonly email: string | undefined;
  readonly timeoutMs: number;
  readonly proxyEnv: Readonly<Record<string, string>>;
  /** name/version (RFC 8555 §6.1) */
  readonly userAgent: string;
}

export interface Authority {
  readonly directoryUrl: string;
  readonly email: string | undefined;
  /** For as long as one order takes: the sockets go with it, so that none is stale when the next order comes. */
  connect(account: Account, signal: AbortSignal): Promise<Session>;
}

export function openAuthority(options: AuthorityOptions): Authority {
  const { directoryUrl, email } = options;
  return {
    directoryUrl,
    email,
    connect: async (account, signal) => {
      // Here and nowhere else: it costs 0.2 s and 40 MB, and the challenge listener wants to be up before it.
      const { Client } = await import('./library.ts');
      const wire = new Wire(options, signal);
      const client = new Client({
        directoryUrl,
        accountKey: account.keyPem,
        ...(account.url === undefined ? {} : { accountUrl: account.url }),
      });
      wire.takeOver(client, account.keyPem);
      return new Session(client, wire);
    },
  };
}

/** Of acme-client's HttpClient: there at run time, not in its types. A test fails if they go. */
interface Internals {
  readonly http: {
    request(url: string, method: string, options?: RequestOptions): Promise<Reply>;
    signedRequest(url: string, payload: object, options: { readonly kid: string }): Promise<Reply>;
    getNonce(): Promise<string>;
    accountKey: unknown;
    maxBadNonceRetries: number;
  };
}

interface RequestOptions {
  readonly data?: { readonly payload?: string };
}

/** What the CA sent instead of what was asked for; explained at the door. */
class Refused extends Error {
  readonly reply: { readonly status: number; readonly data: unknown; readonly retryAfter: Date | undefined };

  constructor(reply: Reply) {
    super(`HTTP ${reply.status}`);
    const { status, headers, data } = reply;
    const redirected = status < 400 ? `redirects to ${headers.location}` : undefined;
    this.reply = { status, data: redirected ?? data, retryAfter: parseRetryAfter(headers['retry-after'], new Date()) };
  }
}

export class Wire {
  readonly #options: AuthorityOptions;
  readonly #signal: AbortSignal;
  readonly #agents: Agents;
  readonly #nonces: string[] = [];
  #library: Internals['http'] | undefined;
  /** Answers in a row. */
  #badNonces = 0;
  readonly #retryAfter = new WeakMap<object, Date>();

  constructor(options: AuthorityOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#agents = agentsFor(options);
  }

  takeOver(client: Client, accountKeyPem: string): void {
    const { http } = client as unknown as Internals;
    const fresh = http.getNonce.bind(http);
    http.request = (url, method, options) => this.#request(url, method, options);
    http.getNonce = async () => this.#nonces.pop() ?? fresh();
    http.maxBadNonceRetries = BAD_NONCE_RETRIES;
    http.accountKey = createPrivateKey(accountKeyPem); // parsed once, not once a signature
    this.#library = http;
  }

  /** Signed by the account; the answer's body. */
  async post(url: string, payload: object, accountUrl: string): Promise<unknown> {
    const reply = await this.#library?.signedRequest(url, payload, { kid: accountUrl });
    return reply?.data;
  }

  /** The Retry-After that came with this very object. */
  retryAfter(answer: object): Date | undefined {
    return this.#retryAfter.get(answer);
  }

  close(): void {
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  /** Whatever was thrown on the way, as what may leave. */
  explain(error: unknown, tried: string): Error {
    if (this.#signal.aborted) return this.#signal.reason as Error; // stopping is not the CA's failure
    if (error instanceof AcmeError) return error;
    const request = `${tried} at ${new URL(this.#options.directoryUrl).host}`;
    if (error instanceof Refused) return refusal(error.reply, request);
    const { code, message } = error as { code?: unknown; message: string };
    // Nonsense, and acme-client's own complaints, have no code; Node's about an address that it takes for none begin so.
    if (typeof code !== 'string' || /^ERR_(INVALID|UNESCAPED)_/.test(code)) {
      // A TypeError of its own: it looked for a field in what has none.
      const detail = error instanceof TypeError ? 'the answer is no JSON object' : message.slice(0, 200);
      return new AcmeError({ type: 'unreadable', detail, request });
    }
    return this.#unreachable(code, message, request);
  }

  #unreachable(code: string, message: string, request: string): AcmeError {
    const { timeoutMs, proxyEnv } = this.#options;
    const proxied = Object.keys(proxyEnv).some((name) => /^https?_proxy$/i.test(name)) ? ' (HTTPS_PROXY is set)' : '';
    if (code === 'ABORT_ERR') {
      const detail = `ETIMEDOUT: no answer within ${timeoutMs / 1000} s${proxied}`;
      return new AcmeError({ type: 'transport', detail, request, code: 'ETIMEDOUT' });
    }
    const told = message.includes(code) ? message : [code, message].filter(Boolean).join(': ');
    const detail = `${told.split('\n', 1)[0]}${proxied}`; // OpenSSL's end with a line break
    return new AcmeError({ type: 'transport', detail, request, code });
  }

  async #request(url: string, method: string, { data }: RequestOptions = {}): Promise<Reply> {
    const idempotent = method !== 'post' || data?.payload === ''; // POST-as-GET (RFC 8555 §6.3)
    const reply = await this.#once(url, method, data).catch((error: unknown) => {
      // The nonce may be spent: then the CA says badNonce, and acme-client signs anew.
      if (!idempotent || this.#signal.aborted) throw error;
      return this.#once(url, method, data);
    });
    const badNonce = (reply.data as { type?: unknown } | null)?.type === BAD_NONCE;
    this.#badNonces = badNonce ? this.#badNonces + 1 : 0;
    this.#remember(reply, { nonce: method === 'post' && !badNonce });
    // One that is bad is acme-client's to repeat; when it would give up it would forget what the CA said.
    const isAnswer = reply.status < 300 || (badNonce && this.#badNonces <= BAD_NONCE_RETRIES);
    if (!isAnswer) throw new Refused(reply);
    return reply;
  }

  /** A nonce that acme-client uses by itself, of newNonce or badNonce, must not be pooled: it would go out twice. */
  #remember({ headers, data }: Reply, { nonce }: { readonly nonce: boolean }): void {
    const fresh: unknown = headers['replay-nonce'];
    if (nonce && typeof fresh === 'string' && this.#nonces.length < POOLED_NONCES) this.#nonces.push(fresh);
    const at = parseRetryAfter(headers['retry-after'], new Date());
    if (at !== undefined && typeof data === 'object' && data !== null) this.#retryAfter.set(data, at);
  }

  #once(url: string, method: string, data: unknown): Promise<Reply> {
    this.#signal.throwIfAborted();
    const { timeoutMs, userAgent } = this.#options;
    return exchange({
      ...{ url, method, data, agents: this.#agents },
      headers: { 'Content-Type': 'application/jose+json', 'User-Agent': userAgent },
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(timeoutMs)]), // of the whole exchange
    });
  }
}

/** They find the way through a proxy by what is handed in (Node 24: `proxyEnv`), and never by the environment. */
export function agentsFor({ caPem, proxyEnv, timeoutMs }: AuthorityOptions): Agents {
  // The time-out ends what no request's signal reaches: the socket to a proxy that does not answer CONNECT.
  const common = { keepAlive: true, maxSockets: SOCKETS, proxyEnv, timeout: timeoutMs };
  // One context for all sockets: to read 150 roots for each would cost more than all the rest of an order.
  const trust = caPem === undefined ? {} : { secureContext: trusting(caPem) };
  return { httpAgent: new HttpAgent(common), httpsAgent: new HttpsAgent({ ...common, ...trust }) };
}

function trusting(caPem: string): ReturnType<typeof createSecureContext> {
  try {
    new X509Certificate(caPem); // createSecureContext takes garbage without a word
    return createSecureContext({ ca: [...rootCertificates, caPem] });
  } catch (error) {
    const detail = `ACME_CA_FILE holds no certificate that can be read: ${(error as Error).message}`;
    throw new AcmeError({ type: 'settings', detail });
  }
}
