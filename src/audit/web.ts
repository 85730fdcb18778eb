/**
 * What a browser is told over HTTP, on both ports: the way from http to https, HSTS, and the headers that narrow what a
 * page may do. One request each, of which only the head is read.
 */
import { X509Certificate } from 'node:crypto';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { printable } from '../printable.ts';
import { type Asking, nameOf, type Place } from './ask.ts';
import { type Hsts, readHsts } from './hsts.ts';

export interface WebFacts {
  readonly redirect: Redirect;
  readonly page: Page;
}

export type Redirect =
  | { readonly kind: 'https'; readonly status: number; readonly location: string }
  | { readonly kind: 'elsewhere'; readonly status: number; readonly location: string }
  | { readonly kind: 'none'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly why: string };

export type Page =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly hsts: Hsts;
      readonly headers: Readonly<Record<string, string | undefined>>;
      /** As sent, leaf first. */
      readonly chain: readonly Buffer[];
    }
  | { readonly kind: 'unreachable'; readonly why: string };

/** Those that the report speaks of. */
export const HEADERS = [
  'x-content-type-options',
  'x-frame-options',
  'content-security-policy',
  'referrer-policy',
  'permissions-policy',
  'server',
] as const;

const LONGEST = 300;
const REDIRECTS = [301, 302, 303, 307, 308];

/** `path` matters where a redirect or a header is only for some. */
export async function redirectOf(place: Place, name: string, asking: Asking): Promise<Redirect> {
  try {
    const { status, headers } = await head(
      http.request({ ...requestTo(place, name), timeout: asking.timeoutMs }),
      asking,
    );
    const location = headers.location;
    if (!REDIRECTS.includes(status) || location === undefined) return { kind: 'none', status };
    const isHttps = /^https:\/\//i.test(location);
    return { kind: isHttps ? 'https' : 'elsewhere', status, location: printable(location, LONGEST) };
  } catch (error) {
    asking.signal.throwIfAborted();
    return { kind: 'unreachable', why: `${nameOf(place)}: ${reason(error)}` };
  }
}

export async function pageOf(place: Place, name: string, asking: Asking): Promise<Page> {
  const request = https.request({
    ...requestTo(place, name),
    timeout: asking.timeoutMs,
    servername: isIP(name) ? '' : name,
    // What it is worth is judged elsewhere; here it only has to come about, with whatever old servers have left.
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    ciphers: 'DEFAULT:@SECLEVEL=0',
  });
  try {
    const { status, headers, rawHeaders, chain } = await head(request, asking);
    const told = Object.fromEntries(HEADERS.map((header) => [header, text(headers, header)]));
    return {
      kind: 'answered',
      status,
      hsts: readHsts(valuesOf('strict-transport-security', rawHeaders)),
      headers: told,
      chain,
    };
  } catch (error) {
    asking.signal.throwIfAborted();
    return { kind: 'unreachable', why: `${nameOf(place)}: ${reason(error)}` };
  }
}

function requestTo({ host, port }: Place, name: string) {
  const headers = {
    host: isIP(name) === 6 ? `[${name}]` : name,
    accept: 'text/html,*/*',
    'user-agent': 'letsencrypt-dcos audit',
  };
  return { host, port, path: '/', agent: false, headers, maxHeaderSize: 65_536 } as const;
}

interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly chain: readonly Buffer[];
}

function head(request: http.ClientRequest, { timeoutMs, signal }: Asking): Promise<Head> {
  return new Promise<Head>((resolve, reject) => {
    const late = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    const onAbort = (): void => void request.destroy(new Error('given up'));
    signal.addEventListener('abort', onAbort, { once: true });
    request.once('response', (response: IncomingMessage) => {
      const { statusCode: status = 0, headers, rawHeaders } = response;
      resolve({ status, headers, rawHeaders, chain: chainOf(response.socket as TLSSocket) });
      request.destroy();
    });
    request.once('error', reject);
    request.once('close', () => {
      clearTimeout(late);
      signal.removeEventListener('abort', onAbort);
      reject(new Error('it closed the connection'));
    });
    request.end();
  });
}

/** In TLS 1.3 only the client that did the handshake sees it. */
function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain: X509Certificate[] = [];
  let one = 'getPeerX509Certificate' in socket ? socket.getPeerX509Certificate() : undefined;
  while (one instanceof X509Certificate && chain.length < 10) {
    chain.push(one);
    one = one.issuerCertificate;
  }
  return chain.map(({ raw }) => raw);
}

function valuesOf(name: string, raw: readonly string[]): readonly string[] {
  return raw.filter((_, nth) => nth % 2 === 1 && raw[nth - 1]?.toLowerCase() === name);
}

function text(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return value === undefined ? undefined : printable([value].flat().join(', '), LONGEST);
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return printable(code ?? message, LONGEST);
}
