/**
 * One request for a secret answer at one address of a name, with the redirects followed as a CA does (boulder,
 * va/http.go), so that what comes back here is what the CA would get.
 *
 * Where it connects is our own choice from looked-up addresses, never a name that is looked up again: what an answer
 * redirects to may be aimed at what only we can reach. Nothing of the other side's is told unbounded, the token never.
 */
import http from 'node:http';
import https from 'node:https';
import { type Answer, CHALLENGE_PATH, FOLLOWED, heard, MAX_REDIRECTS, readAnswer } from '../asking.ts';
import { printable } from '../printable.ts';
import { responseTo } from '../response.ts';
import { kindOf } from './addresses.ts';
import type { Names } from './names.ts';

export type ProbeOutcome =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong'; readonly why: string; readonly cure: string }
  /** `atOnce`: not even the first connection, the one after which a CA tries the other family. */
  | { readonly kind: 'unreached'; readonly why: string; readonly cure: string; readonly atOnce: boolean };

export interface Limits {
  readonly connectMs: number;
  /** From the first connection to the end of the last answer. */
  readonly chainMs: number;
}
export interface Probing {
  readonly token: string;
  readonly answer: string;
  readonly publicCa: boolean;
  readonly names: Names;
  /** Private addresses to which a redirect may lead, unless the CA is a public one. */
  readonly trusted: ReadonlySet<string>;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Once an address could not be connected to, the other names need not wait for it too. */
  readonly closed: Map<string, Unconnectable>;
}

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };
const MAX_PATH = 2000;
const MAX_BODY = 127;
const MAX_TOLD = 400;
/** Go's strings.TrimRight with these, as boulder has it. */
const TRAILING = /[\n\r\t ]+$/;

export const CURES = {
  route:
    'Let the record lead to the load balancer, and see that our app has this name in its HAPROXY_0_VHOST and that no ' +
    'other app takes its path /.well-known/acme-challenge/.',
  redirect:
    'Exempt /.well-known/acme-challenge/ from the redirect, or let it lead to port 80 or 443 of a name that leads here.',
  reach:
    'If this address takes connections from outside, nothing has to be done: the way from inside a cluster to its own ' +
    'public address is often closed. Else open ports 80 and 443 for everybody.',
  slow: 'See why it takes so long; a CA waits about ten seconds.',
  broken: 'See what closes the connection: the server, or a proxy or firewall before it.',
  hop: 'See where the redirect leads; from in here it cannot be told whether the CA gets there.',
};

/** What would be wrong for a CA too. */
class Wrong extends Error {
  readonly cure: string;
  constructor(why: string, cure: string) {
    super(why);
    this.cure = cure;
  }
}

/** What a CA may see otherwise. */
class Unsure extends Error {
  readonly cure: string;
  constructor(why: string, cure: string) {
    super(why);
    this.cure = cure;
  }
}

class Unconnectable extends Error {
  /** Refused: there is a host, and nothing listens. */
  readonly refused: boolean;
  constructor(why: string, { refused }: { refused: boolean }) {
    super(why);
    this.refused = refused;
  }
}

export async function probe(domain: string, address: string, probing: Probing): Promise<ProbeOutcome> {
  const tooLong = AbortSignal.timeout(probing.limits.chainMs);
  const reached = new Set<string>();
  try {
    const signal = AbortSignal.any([probing.signal, tooLong]);
    await follow(domain, address, { ...probing, signal }, reached);
    return { kind: 'right' };
  } catch (error) {
    probing.signal.throwIfAborted();
    const why = told((error as Error).message, probing);
    if (error instanceof Wrong) return { kind: 'wrong', why, cure: error.cure };
    const atOnce = error instanceof Unconnectable && reached.size === 0;
    if (error instanceof Unconnectable) return { kind: 'unreached', why, cure: CURES.reach, atOnce };
    if (error instanceof Unsure) return { kind: 'unreached', why, cure: error.cure, atOnce };
    const slow = `${address}: no whole answer within ${probing.limits.chainMs / 1000} s`;
    return { kind: 'unreached', why: tooLong.aborted ? slow : why, cure: CURES.slow, atOnce };
  }
}

/** Returns when the right answer came; throws what came in its place. */
async function follow(domain: string, first: string, probing: Probing, reached: Set<string>): Promise<void> {
  const seen = new Set<string>();
  let address = first;
  for (let url = new URL(`http://${domain}${CHALLENGE_PATH}${probing.token}`); ; ) {
    seen.add(url.href);
    const answer = await ask(url, address, probing).catch((error: unknown) => {
      // It took our first request: this is no closed way back, but a redirect to where nothing listens.
      if (!(error instanceof Unconnectable && error.refused && reached.has(address))) throw error;
      throw new Wrong(`redirects to ${shown(url)}: ${error.message}`, CURES.redirect);
    });
    reached.add(address);
    const { status, location, body, note } = answer;
    if (!FOLLOWED.has(status)) {
      if (status === 200 && body.length <= MAX_BODY && body.replace(TRAILING, '') === probing.answer) return;
      throw new Wrong(`${shown(url)} at ${address}: HTTP ${status} ${note}, not our answer`, CURES.route);
    }
    url = redirectTarget(url, location, seen);
    address = await hopAddress(url.hostname, domain, probing);
  }
}

/** The CA's rules for where a redirect may lead; throws what is against them. */
function redirectTarget(from: URL, location: string | undefined, seen: ReadonlySet<string>): URL {
  const wrong = (what: string): Wrong => new Wrong(`${shown(from)} redirects ${what}`, CURES.redirect);
  if (location === undefined) throw wrong('to nowhere: there is no Location');
  const next = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (next === undefined) throw wrong(`to '${heard(location)}', which is no address`);
  const usual = PORTS[next.protocol];
  if (usual === undefined) throw wrong(`to ${shown(next)}, which is neither http nor https`);
  if (!Object.values(PORTS).includes(Number(next.port || usual)))
    throw wrong(`to ${shown(next)}; a CA follows to ports 80 and 443 only`);
  if (isAddress(next.hostname)) throw wrong(`to ${shown(next)}; a CA follows to names only, not to addresses`);
  if (next.pathname.length > MAX_PATH) throw wrong(`to a path of more than ${MAX_PATH} bytes`);
  if (seen.has(next.href)) throw wrong(`in a circle, to ${shown(next)}`);
  if (seen.size > MAX_REDIRECTS) throw wrong(`to ${shown(next)}, after more than ${MAX_REDIRECTS} redirects`);
  return next;
}

/** A URL's own reading: 0x7f.1 has become 127.0.0.1 by now. */
function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^[\d.]+$/.test(hostname);
}

/** Where a CA would connect to after a redirect: the first address, of IPv6 if there is one, and no other after it. */
async function hopAddress(host: string, domain: string, probing: Probing): Promise<string> {
  const [{ v4, v6 }, own] = await Promise.all([probing.names.addresses(host), probing.names.addresses(domain)]);
  const found = [...v6.records, ...v4.records];
  const ours = new Set([...own.v4.records, ...own.v6.records, ...probing.trusted]);
  const allowed = found.filter((address) => mayFollow(address, ours, probing));
  if (allowed[0] !== undefined) return allowed[0];
  const name = heard(host);
  if (found[0] !== undefined) {
    const why = `redirects to ${name}, which leads to ${found[0]}, an address that is not followed`;
    if (probing.publicCa) throw new Wrong(`${why}: a public CA cannot get there`, CURES.redirect);
    throw new Unsure(`${why}: it is neither public nor the load balancer's`, CURES.hop);
  }
  const failed = v4.failed ?? v6.failed;
  if (failed !== undefined) throw new Unsure(`redirects to ${name}, and DNS answers ${failed} for it`, CURES.hop);
  throw new Wrong(`redirects to ${name}, which has no address in DNS`, CURES.redirect);
}

function mayFollow(address: string, ours: ReadonlySet<string>, { publicCa }: Probing): boolean {
  const kind = kindOf(address);
  return kind === 'public' || (kind === 'private' && !publicCa && ours.has(address));
}

function ask(url: URL, address: string, { limits, signal, closed }: Probing): Promise<Answer> {
  const port = Number(url.port || PORTS[url.protocol]);
  const door = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const known = closed.get(door);
  if (known !== undefined) return Promise.reject(known);
  return new Promise((resolve, reject) => {
    const fail = (reason: string, refused: boolean): void => {
      const error = new Unconnectable(`cannot connect to ${door}: ${reason}`, { refused });
      closed.set(door, error);
      reject(error);
    };
    const request = requestTo(url, { address, port, signal });
    const patience = setTimeout(() => {
      fail(`no connection within ${limits.connectMs / 1000} s`, false);
      request.destroy();
    }, limits.connectMs);
    let connected = false;
    request.once('socket', (socket) =>
      socket.once('connect', () => {
        connected = true;
        clearTimeout(patience);
      }),
    );
    request.once('close', () => clearTimeout(patience));
    responseTo(request, signal).then(
      (response) => readAnswer(response, MAX_BODY).then(resolve, reject),
      (error: NodeJS.ErrnoException) => {
        if (signal.aborted)
          reject(error); // neither the door's failure nor for others to know
        else if (connected) reject(brokenAnswer(error, shown(url), address));
        else fail(error.code ?? error.message, error.code === 'ECONNREFUSED');
      },
    );
  });
}

function requestTo(url: URL, to: { address: string; port: number; signal: AbortSignal }): http.ClientRequest {
  const { address: host, port, signal } = to;
  return (url.protocol === 'https:' ? https : http).get({
    agent: false, // a connection of its own, as the CA's is
    host,
    port,
    path: `${url.pathname}${url.search}`,
    headers: { Host: url.host, 'User-Agent': 'letsencrypt-dcos preflight', Accept: '*/*', Connection: 'close' },
    // As the CA does: the very certificate may be what is missing.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    servername: url.hostname,
    signal,
  });
}

/** Bytes that are no HTTP or no TLS are an answer, and not ours; a connection that broke is none. */
function brokenAnswer(error: NodeJS.ErrnoException, url: string, address: string): Error {
  const code = error.code ?? error.message;
  const noHttp = code.startsWith('HPE_');
  const noTls = /^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code);
  const what = noHttp ? 'no HTTP that can be read' : noTls ? 'no TLS of version 1.2 or later' : 'the connection broke';
  const why = `${url} at ${address}: ${what} (${heard(code)})`;
  return noHttp || noTls ? new Wrong(why, CURES.route) : new Unsure(why, CURES.broken);
}

/** Without a user and password that may stand in it. */
function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search}`;
}

/** What is shorter than a token is none: `ping`, which everybody may ask for, and `pong`. */
const SECRET_CHARS = 16;

/** The token changes with each look, and is nobody's business: what is told has neither it nor the answer. */
function told(text: string, { token, answer }: Probing): string {
  if (token.length < SECRET_CHARS) return printable(text, MAX_TOLD);
  const secrets = new RegExp([token, answer].map((secret) => secret.replaceAll('-', '\\-')).join('|'), 'gi');
  return printable(text.replace(secrets, '…'), MAX_TOLD);
}
