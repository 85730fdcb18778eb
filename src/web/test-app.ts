/**
 * A small app to put behind the load balancer and look at in a browser: it fetches its own URL and shows how that went,
 * as `curl -sLIv` would. Started from the same image by `test-app`.
 *
 * It makes requests on a visitor's word, so the word is held short: only names in the app's own HAPROXY_{n}_VHOST labels,
 * only `/`, only HEAD, only ports 80 and 443, about once a second. The one other thing a visitor chooses is http or https.
 */
import { TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pause } from '../pause.ts';
import type { PublicListener } from './listening.ts';
import { listen, newServer } from './server.ts';
import { byDns, type ConnectTo, transcriptOf } from './transcript.ts';

const PAUSE_MS = 1_000;
const TIMEOUT_MS = 5_000;

export interface TestAppOptions {
  readonly host: string;
  readonly port: number;
  /** The task's environment: Marathon puts the app's labels there as MARATHON_APP_LABEL_…. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** PEMs to speak HTTPS with, and nothing else; undefined: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly connectTo?: ConnectTo;
}

export async function listenTestApp(o: TestAppOptions): Promise<PublicListener> {
  const vhosts = vhostsIn(o.env);
  const fetcher = new OwnUrl(o.connectTo ?? byDns);
  const refuse = (reply: FastifyReply, status: number): FastifyReply =>
    say(reply, status, status === 404 ? 'Not found.' : 'Cannot do that.');
  const server = newServer(refuse, o.tls);
  server.get('/health', (_request, reply) => say(reply, 200, 'ok'));
  server.get('/*', async (request, reply) => {
    const host = hostIn(request.headers.host);
    if (host === undefined || !vhosts.has(host)) {
      return say(
        reply,
        421,
        'This app answers for the names of its own HAPROXY_0_VHOST label only. Ask by one of these, or add this one there.',
      );
    }
    // Its own fetch comes back here: HEAD never fetches, so there is no loop.
    if (request.method === 'HEAD') return say(reply, 200, '');
    const transcript = await fetcher.transcript(`${schemeOf(request)}://${host}/`);
    if (transcript !== undefined) return say(reply, 200, transcript + innerHop(request));
    return say(reply.header('retry-after', '1'), 429, 'About one request a second, please.');
  });
  const listener = await listen(server, { host: o.host, port: o.port, setting: 'HTTP_PORT' });
  return {
    port: listener.port,
    close: () => {
      fetcher.stop();
      return listener.close();
    },
  };
}

/** The names this app has on the load balancer, from the labels of the task's environment. */
export function vhostsIn(env: TestAppOptions['env']): ReadonlySet<string> {
  const labels = Object.entries(env).filter(([name]) => /^MARATHON_APP_LABEL_HAPROXY_\d+_VHOST$/.test(name));
  const names = labels.flatMap(([, value]) => (value ?? '').split(','));
  return new Set(names.map((name) => name.trim().toLowerCase()).filter(isDnsName));
}

const DNS_LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A name, not an address: the last part has a letter, so that no form of an IPv4 address (0x7f.1, 127.1) passes. */
function isDnsName(name: string): boolean {
  const parts = name.split('.');
  return (
    name.length <= 253 && parts.every((part) => DNS_LABEL.test(part)) && /^[a-z][a-z0-9-]*$/.test(parts.at(-1) ?? '')
  );
}

/** The Host header as a bare name; a default port may stand there. */
function hostIn(header: string | undefined): string | undefined {
  const name = header?.toLowerCase().replace(/:(80|443)$/, '');
  return name !== undefined && isDnsName(name) ? name : undefined;
}

/** The last one: marathon-lb adds its own behind whatever the visitor sent. */
function schemeOf(request: FastifyRequest): 'http' | 'https' {
  const said = String(request.headers['x-forwarded-proto'] ?? '').split(',');
  return said.at(-1)?.trim().toLowerCase() === 'https' ? 'https' : 'http';
}

/** What a visitor cannot see: how the load balancer came here. */
function innerHop({ raw: { socket } }: FastifyRequest): string {
  if (!(socket instanceof TLSSocket)) return '* The load balancer came to this app by plain HTTP\n';
  return `* The load balancer came to this app by ${socket.getProtocol()} / ${socket.getCipher().standardName}\n`;
}

function say(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply
    .code(status)
    .headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    .header('x-content-type-options', 'nosniff')
    .send(text);
}

/** Fetches about once a second over all URLs. Who comes meanwhile for the same URL shares the last transcript. */
class OwnUrl {
  readonly #connectTo: ConnectTo;
  readonly #stopped = new AbortController();
  #last: { readonly url: string; readonly transcript: Promise<string> } | undefined;

  constructor(connectTo: ConnectTo) {
    this.#connectTo = connectTo;
  }

  /** Undefined: another URL was asked for within the last second. */
  async transcript(url: string): Promise<string | undefined> {
    if (this.#last !== undefined) return this.#last.url === url ? this.#last.transcript : undefined;
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const transcript = transcriptOf(new URL(url), { connectTo: this.#connectTo, signal });
    this.#last = { url, transcript };
    void this.#forget(transcript);
    return transcript;
  }

  stop(): void {
    this.#stopped.abort(new Error('This app is stopping'));
  }

  /** A second after it ended, not after it began: with a slow load balancer, requests must not pile up. */
  async #forget(transcript: Promise<string>): Promise<void> {
    await transcript;
    await pause(PAUSE_MS, this.#stopped.signal);
    this.#last = undefined;
  }
}
