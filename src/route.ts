/**
 * What answers on the challenge path through each load balancer instance: looked at before an order is spent on it.
 *
 * A probe is a random token with an answer only this process can give, asked for as the CA would ask: over HTTP, with the
 * name in `Host`, following the redirects that a CA follows. It connects to the load balancer's instances and to nothing
 * else, wherever an answer may point. Nothing is decided here: a verdict says what was seen.
 */
import http from 'node:http';
import https from 'node:https';
import type { Prober } from './acme/challenges.ts';
import { type Answer, CHALLENGE_PATH, FOLLOWED, heard, MAX_REDIRECTS, readAnswer } from './asking.ts';
import { mapBounded } from './bounded.ts';
import { responseTo } from './response.ts';

export interface LoadBalancerInstance {
  readonly taskId: string;
  readonly host: string;
  readonly httpPort: number | undefined;
  readonly httpsPort: number | undefined;
}
export type RouteVerdict =
  | { readonly kind: 'ours' }
  | { readonly kind: 'redirected'; readonly to: string }
  | { readonly kind: 'answered'; readonly status: number; readonly note: string }
  | { readonly kind: 'unreachable'; readonly note: string };
export interface RouteLook {
  readonly instance: LoadBalancerInstance;
  readonly domain: string;
  readonly verdict: RouteVerdict;
}

interface Probe {
  readonly domains: ReadonlySet<string>;
  readonly token: string;
  readonly answer: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** At once, over all instances. */
const IN_FLIGHT = 8;
const SILENCES = 4;
const MAX_BODY_BYTES = 4096;

export async function lookAtRoutes(
  instances: readonly LoadBalancerInstance[],
  domains: readonly string[],
  deps: { challenges: Prober; timeoutMs: number; signal: AbortSignal },
): Promise<readonly RouteLook[]> {
  const { challenges, timeoutMs, signal } = deps;
  const { token, answer } = challenges.newProbe();
  const names = new Set(domains.map((name) => name.toLowerCase()));
  const probe: Probe = { domains: names, token, answer, timeoutMs, signal };
  const doors = instances.map((instance) => new Door(instance));
  try {
    const pairs = domains.flatMap((domain) => doors.map((door) => ({ door, domain })));
    return await mapBounded(pairs, IN_FLIGHT, async ({ door, domain }) => {
      return { instance: door.instance, domain, verdict: await probeOne(door, domain, probe) };
    });
  } finally {
    for (const door of doors) door.close();
    challenges.withdraw(token);
  }
}

async function probeOne(door: Door, domain: string, probe: Probe): Promise<RouteVerdict> {
  const tooLong = AbortSignal.timeout(probe.timeoutMs); // for the whole chain of redirects
  try {
    return await follow(door, domain, { ...probe, signal: AbortSignal.any([probe.signal, tooLong]) });
  } catch (error) {
    probe.signal.throwIfAborted(); // shutting down is not the load balancer's failure
    if (error instanceof Unresponsive || !tooLong.aborted)
      return { kind: 'unreachable', note: (error as Error).message };
    return { kind: 'unreachable', note: `no answer within ${probe.timeoutMs / 1000} s` };
  }
}

async function follow(door: Door, domain: string, probe: Probe): Promise<RouteVerdict> {
  const seen = new Set<string>();
  for (let url = new URL(`http://${domain}${CHALLENGE_PATH}${probe.token}`); ; ) {
    seen.add(url.href);
    const answer = await door.get(url, probe.signal);
    const { status, location } = answer;
    if (!FOLLOWED.has(status) || location === undefined) return verdictOn(answer, probe.answer);
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
    // The token changes with each look; what is told must not, or every look were news.
    const to = heard(next?.href ?? location).replaceAll(probe.token, '…');
    if (next === undefined || !door.leadsTo(next, probe.domains)) return { kind: 'redirected', to };
    if (seen.has(next.href)) return { kind: 'answered', status, note: `redirects in a circle by ${to}` };
    if (seen.size > MAX_REDIRECTS) return { kind: 'answered', status, note: `more than ${MAX_REDIRECTS} redirects` };
    url = next;
  }
}

function verdictOn(answer: Answer, expected: string): RouteVerdict {
  if (answer.status === 200 && answer.body.trimEnd() === expected) return { kind: 'ours' };
  return { kind: 'answered', status: answer.status, note: answer.note };
}

/** No connection or no answer at all came about, whatever name was to be asked for. */
class Unresponsive extends Error {}

/** One instance of the load balancer: the only address a probe connects to. Connections are kept for one look. */
class Door {
  readonly instance: LoadBalancerInstance;
  readonly #http = new http.Agent({ keepAlive: true });
  readonly #https = new https.Agent({ keepAlive: true });
  /** Once a port could not be reached, the other names need not wait for it too. */
  readonly #closed = new Map<number, Unresponsive>();
  #answers = 0;
  #silences = 0;

  constructor(instance: LoadBalancerInstance) {
    this.instance = instance;
  }

  /** Would the CA follow there, and is there this load balancer? One of our names, at port 80 or 443. */
  leadsTo(url: URL, domains: ReadonlySet<string>): boolean {
    const standardPort = (url.protocol === 'http:' || url.protocol === 'https:') && url.port === '';
    return standardPort && domains.has(url.hostname) && this.#portFor(url) !== undefined;
  }

  async get(url: URL, signal: AbortSignal): Promise<Answer> {
    const port = this.#portFor(url);
    if (port === undefined) throw new Unresponsive('the task has no host port for HTTP');
    const closed = this.#closed.get(port);
    if (closed !== undefined) throw closed;
    try {
      const answer = await this.#request(url, port, signal);
      this.#answers += 1;
      return answer;
    } catch (error) {
      if (error instanceof Unresponsive) this.#closed.set(port, error);
      else if (signal.aborted) this.#countSilence(port);
      throw error;
    }
  }

  /** A slow app is that name's matter; when several names wait and none has had an answer, it is the port's. */
  #countSilence(port: number): void {
    this.#silences += 1;
    if (this.#answers > 0 || this.#silences < SILENCES) return;
    this.#closed.set(port, new Unresponsive(`${this.instance.host}:${port} takes requests and does not answer`));
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #portFor(url: URL): number | undefined {
    return url.protocol === 'https:' ? this.instance.httpsPort : this.instance.httpPort;
  }

  #request(url: URL, port: number, signal: AbortSignal, retried?: true): Promise<Answer> {
    const { host } = this.instance;
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).get({
        agent: !retried && (secure ? this.#https : this.#http), // false: a connection of its own
        rejectUnauthorized: false, // as the CA does: the very certificate may be what is missing
        host,
        port,
        servername: url.hostname,
        path: `${url.pathname}${url.search}`,
        headers: { Host: url.hostname, 'User-Agent': 'letsencrypt-dcos route check' },
        signal,
      });
      let connected = false;
      request.once('socket', (socket) => {
        connected = !socket.connecting; // a kept one is
        if (!connected) socket.once('connect', () => (connected = true));
      });
      responseTo(request, signal).then(
        (response) => readAnswer(response, MAX_BODY_BYTES).then(resolve, reject),
        (error: NodeJS.ErrnoException) => {
          // A kept connection that the other side closed meanwhile says nothing; a new one does.
          const stale = request.reusedSocket && error.code === 'ECONNRESET' && !retried;
          if (stale) resolve(this.#request(url, port, signal, true));
          else reject(connected ? error : new Unresponsive(`cannot connect to ${host}:${port}: ${reasonOf(error)}`));
        },
      );
    });
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.name === 'AbortError' ? 'no answer in time' : (error.code ?? error.message);
}
