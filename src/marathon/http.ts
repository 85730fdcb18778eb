/**
 * How a request finds Marathon: several masters, redirects, credentials, one retry.
 *
 * - Reads try the masters in order, the last good one first: on connection errors, time-outs and 5xx that are not
 *   Marathon's own. A change moves on only if it cannot have been sent; else its outcome is unknown and the caller
 *   has to read the app again.
 * - Credentials go to the origins the operator has named, and to the leader these have named; nowhere else.
 * - One retry, for reads, when a connection breaks. All other retries are entries of the plan.
 */
import { basicHeader, type MarathonAuth, Session, tokenHeader } from './auth.ts';
import { jsonIn, MAY_BE_MADE, MarathonError, messageIn, type Reply, refusal } from './error.ts';
import { record, text } from './json.ts';
import { type Answer, type Exchange, Transport, TransportFailure } from './transport.ts';

export interface Ask {
  readonly method: 'GET' | 'PUT';
  /** Below the base URL: `/v2/apps/marathon-lb`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly maxBytes: number;
  readonly stream?: boolean | undefined;
}

/** A configured URL. Its userinfo has become a header, so that no message can hold it. */
interface Base {
  readonly url: string;
  readonly origin: string;
  readonly authorization: string | undefined;
}

const MAX_REDIRECTS = 3;
const USER_AGENT = 'letsencrypt-dcos';

export class MarathonHttp {
  readonly #bases: readonly Base[];
  readonly #transport: Transport;
  readonly #session: Session | undefined;
  readonly #fixed: string | undefined;
  #lastGood: Base | undefined;
  #leader: string | undefined; // an origin

  constructor(options: { urls: readonly string[]; auth: MarathonAuth; caPem?: string | undefined; timeoutMs: number }) {
    this.#bases = options.urls.map(readBase);
    this.#transport = new Transport(options);
    const { auth } = options;
    this.#session = auth.kind === 'service-account' ? new Session(auth.credential, this.#logIn) : undefined;
    this.#fixed = fixedHeader(auth);
  }

  /** Any status below 300. Throws MarathonError, or the signal's reason. */
  async send(ask: Ask, signal: AbortSignal): Promise<Answer> {
    const failures: MarathonError[] = [];
    for (const base of this.#inOrder()) {
      const found = await this.#try(base, ask, signal);
      if (!(found instanceof MarathonError)) return found;
      failures.push(found);
    }
    throw together(failures);
  }

  #inOrder(): readonly Base[] {
    const good = this.#lastGood;
    return good ? [good, ...this.#bases.filter((base) => base !== good)] : this.#bases;
  }

  /** One master: its answer; a returned error lets the next master have a go, a thrown one does not. */
  async #try(base: Base, ask: Ask, signal: AbortSignal): Promise<Answer | MarathonError> {
    const request = requestLine(ask);
    try {
      const answer = await this.#follow(base, ask, signal);
      const foreign = answer.status >= 500 && messageIn(answer) === undefined;
      if (foreign && ask.method === 'GET') return refusal(request, answer);
      if (!foreign) this.#lastGood = base;
      if (answer.status >= 300) throw refusal(request, answer);
      return answer;
    } catch (error) {
      if (!(error instanceof TransportFailure)) throw error;
      const outcomeUnknown = ask.method !== 'GET' && error.sent;
      const cure = outcomeUnknown ? MAY_BE_MADE : error.cure;
      const failure = new MarathonError(`${request}: ${base.origin}: ${error.message}`, cure, { outcomeUnknown });
      if (outcomeUnknown || error.kind === 'too-big') throw failure;
      return failure;
    }
  }

  async #follow(base: Base, ask: Ask, signal: AbortSignal): Promise<Answer> {
    let url = base.url + ask.path;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const answer = await this.#authorised(base, url, ask, signal);
      if (answer.status < 300) this.#learnLeader(answer, url);
      if (!isRedirect(answer)) return answer;
      url = this.#target(answer, url, ask);
    }
    throw new MarathonError(`${requestLine(ask)}: more than ${MAX_REDIRECTS} redirects`, FINAL_ADDRESS);
  }

  /** Where a redirect may lead: a configured origin, or the leader one of these has named; never from https to http. */
  #target(answer: Answer, from: string, ask: Ask): string {
    const request = `${requestLine(ask)}: ${answer.status}`;
    const to = URL.parse(answer.header('location') ?? '', from);
    if (!to) throw new MarathonError(`${request} redirects to nowhere`, FINAL_ADDRESS, { status: answer.status });
    if (ask.method !== 'GET' && answer.status !== 307 && answer.status !== 308) {
      throw new MarathonError(`${request} would turn the change into a read`, FINAL_ADDRESS);
    }
    if (!this.#isOurs(to.origin)) {
      const cure = `if ${to.origin} is Marathon too, add it to MARATHON_URL`;
      throw new MarathonError(`${request} redirects to ${to.origin}, which gets no credentials from us`, cure, {
        status: answer.status,
        retryable: true, // the next leader may be one we know
      });
    }
    to.username = '';
    to.password = '';
    return to.href;
  }

  #isOurs(origin: string): boolean {
    return origin === this.#leader || this.#bases.some((base) => base.origin === origin);
  }

  /** The leader's address counts only if it keeps the scheme of the answer it came with. */
  #learnLeader(answer: Answer, url: string): void {
    const leader = URL.parse(answer.header('x-marathon-leader') ?? '');
    if (leader && leader.protocol === new URL(url).protocol) this.#leader = leader.origin;
  }

  /** With credentials; after a 401 a service account logs in anew, once. A 401 means that nothing was changed. */
  async #authorised(base: Base, url: string, ask: Ask, signal: AbortSignal): Promise<Answer> {
    const header = await this.#header(base, url, signal);
    const answer = await this.#sturdy(exchangeOf(ask, url, header), signal);
    if (answer.status !== 401 || !this.#session || !header) return answer;
    this.#session.forget(header);
    return this.#sturdy(exchangeOf(ask, url, await this.#header(base, url, signal)), signal);
  }

  async #header(base: Base, url: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.#session) return untilAborted(this.#session.header(), signal);
    if (this.#fixed) return this.#fixed;
    const { origin } = new URL(url);
    return (this.#bases.find((known) => known.origin === origin) ?? base).authorization;
  }

  /** One more go at a read whose connection broke; after a time-out only if there is no other master to ask. */
  async #sturdy(exchange: Exchange, signal: AbortSignal): Promise<Answer> {
    try {
      return await this.#transport.exchange(exchange, signal);
    } catch (error) {
      const broke = error instanceof TransportFailure ? error.kind : undefined;
      const again = broke === 'reset' || (broke === 'timeout' && this.#bases.length === 1);
      if (!again || exchange.method !== 'GET' || exchange.stream) throw error;
      return this.#transport.exchange(exchange, signal);
    }
  }

  /** Its own time-out, but no caller's signal: several requests may wait for one login. */
  #logIn = async (endpoint: string, body: string): Promise<string> => {
    const url = new URL(endpoint);
    const request = `POST ${url.origin}${url.pathname}`;
    const headers = { Accept: 'application/json', 'Content-Type': 'application/json', 'User-Agent': USER_AGENT };
    const exchange: Exchange = { method: 'POST', url: endpoint, headers, body, maxBytes: 1024 * 1024 };
    const answer = await this.#transport.exchange(exchange, NEVER).catch((error: Error) => {
      const cure = `it is tried again by itself: ${LOGIN_ENDPOINT}`;
      throw new MarathonError(`${request}: login: ${error.message}`, cure);
    });
    const token = text(record(jsonIn(answer))?.token);
    if (answer.status < 300 && token) return token;
    throw loginRefusal(request, answer);
  };
}

const NEVER = new AbortController().signal;
const LOGIN_ENDPOINT = 'check login_endpoint in DCOS_SERVICE_ACCOUNT_CREDENTIAL';
const FINAL_ADDRESS = 'give MARATHON_URL the address of Marathon itself, behind all redirects';

function loginRefusal(request: string, answer: Reply): MarathonError {
  const { status } = answer;
  const cure =
    status === 401
      ? "check uid and key in DCOS_SERVICE_ACCOUNT_CREDENTIAL, and this machine's clock: the login token is valid for a minute"
      : LOGIN_ENDPOINT;
  return new MarathonError(`${request}: ${status} login gave no token`, cure, {
    status,
    retryable: status < 400 || undefined,
  });
}

const CORRECT = "correct MARATHON_URL, for example to 'http://marathon.mesos:8080'";

function readBase(url: string): Base {
  const parsed = URL.parse(url.trim());
  if (!parsed) throw new MarathonError('one of the URLs in MARATHON_URL is not a URL', CORRECT, { retryable: false });
  const { username, password, origin, pathname } = parsed;
  const user = username || password ? basicHeader(decoded(username), decoded(password)) : undefined;
  return { url: origin + pathname.replace(/\/+$/, ''), origin, authorization: user };
}

/** Userinfo is percent-encoded; a stray % that people leave in stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function fixedHeader(auth: MarathonAuth): string | undefined {
  if (auth.kind === 'basic') return basicHeader(auth.user, auth.password);
  return auth.kind === 'token' ? tokenHeader(auth.token) : undefined;
}

function exchangeOf(ask: Ask, url: string, authorization: string | undefined): Exchange {
  const headers = { 'User-Agent': USER_AGENT, ...ask.headers, ...(authorization && { Authorization: authorization }) };
  return { method: ask.method, url, headers, body: ask.body, maxBytes: ask.maxBytes, stream: ask.stream };
}

/** For messages; the filter of an event stream only makes them long. */
function requestLine({ method, path }: Ask): string {
  return `${method} ${path.split('?')[0]}`;
}

function isRedirect({ status }: Answer): boolean {
  return status >= 301 && status <= 308 && status !== 304;
}

/** What each master said, as one error; what the caller decides by is the preferred master's. */
function together(failures: readonly MarathonError[]): MarathonError {
  const [first, ...rest] = failures;
  if (!first) return new MarathonError('no URL in MARATHON_URL', CORRECT, { retryable: false });
  if (rest.length === 0) return first;
  const cures = new Set(failures.map(({ cure }) => cure));
  const words = failures.map(({ said }) => said).join(' | ');
  return new MarathonError(words, [...cures].join('; '), { status: first.status, retryable: true });
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
