/**
 * What `curl -sLIv URL` would show: HEAD requests, followed through redirects, told line by line. For the test app.
 *
 * It asks one host only, the one it was given; a redirect to another is told and not followed. Nothing of the request
 * comes from outside but that host's name, which the caller has checked.
 */
import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { responseTo } from '../response.ts';

/** Where a name and port are really reached; tests have no public DNS and no port 80. */
export type ConnectTo = (host: string, port: number) => Promise<{ address: string; port: number }>;

export const byDns: ConnectTo = async (host, port) => ({ address: (await lookup(host)).address, port });

const MAX_REDIRECTS = 10;
const HEADER_BYTES = 16 * 1024;
const FOLLOWED = new Set([301, 302, 303, 307, 308]);

/** Never rejects: a failure is part of the story, as it is with curl. */
export async function transcriptOf(start: URL, o: { connectTo: ConnectTo; signal: AbortSignal }): Promise<string> {
  const lines: string[] = [];
  const tell = (line: string): void => void lines.push(printable(line));
  try {
    await tellHops(start, o, tell);
  } catch (error) {
    tell(`* ${o.signal.aborted ? endOf(o.signal) : whatOf(error as NodeJS.ErrnoException)}`);
    tell('* Closing connection');
  }
  return `${lines.join('\n')}\n`;
}

function endOf({ reason }: AbortSignal): string {
  return reason instanceof DOMException && reason.name === 'TimeoutError' ? 'Operation timed out' : reason.message;
}

function whatOf({ code, message }: NodeJS.ErrnoException): string {
  return code ?? message;
}

type Hop = { connectTo: ConnectTo; signal: AbortSignal };
type Tell = (line: string) => void;

async function tellHops(start: URL, hop: Hop, tell: Tell): Promise<void> {
  let url = start;
  for (let redirects = 0; ; redirects++) {
    const location = await head(url, hop, tell);
    if (location === undefined) return;
    if (!URL.canParse(location, url.href)) return tell('* That is no URL: not followed');
    const next = new URL(location, url.href);
    if (!staysWith(start, next)) return tell(`* Another host or port: ${next.host} is not followed from here`);
    if (redirects === MAX_REDIRECTS) return tell(`* Maximum (${MAX_REDIRECTS}) redirects followed`);
    tell(`* Issue another request to this URL: '${next.href}'`);
    url = next;
  }
}

function staysWith(start: URL, next: URL): boolean {
  const plain = next.port === '' && next.username === '' && next.password === '';
  return plain && next.hostname === start.hostname && (next.protocol === 'http:' || next.protocol === 'https:');
}

/** One request; resolves to where it redirects to. */
async function head(url: URL, { connectTo, signal }: Hop, tell: Tell): Promise<string | undefined> {
  const secure = url.protocol === 'https:';
  const { address, port } = await orAborted(connectTo(url.hostname, secure ? 443 : 80), signal);
  tell(`*   Trying ${address}:${port}...`);
  const headers = { Host: url.hostname, 'User-Agent': 'letsencrypt-dcos-test-app', Accept: '*/*' };
  const path = `${url.pathname}${url.search}`;
  const request = (secure ? https : http).request({
    ...{ method: 'HEAD', host: address, port, path, headers, signal, agent: false, maxHeaderSize: HEADER_BYTES },
    // A certificate that is not (yet) trusted is what the visitor came to see: told, not refused.
    ...{ servername: url.hostname, rejectUnauthorized: false },
  });
  const tellRequest = (): void => {
    tell(`> HEAD ${path} HTTP/1.1`);
    for (const [name, value] of Object.entries(headers)) tell(`> ${name}: ${value}`);
    tell('>');
  };
  request.once('socket', (socket) => {
    socket.once('connect', () => {
      tell(`* Connected to ${url.hostname} (${address}) port ${port}`);
      if (!secure) tellRequest();
    });
    socket.once('secureConnect', () => {
      tellCertificate(socket as TLSSocket, tell);
      tellRequest();
    });
  });
  const response = await responseTo(request.end(), signal);
  response.resume();
  tellResponse(response, tell);
  return FOLLOWED.has(response.statusCode ?? 0) ? response.headers.location : undefined;
}

function tellCertificate(socket: TLSSocket, tell: Tell): void {
  tell(`* SSL connection using ${socket.getProtocol()} / ${socket.getCipher().standardName}`);
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    tell('* The server showed no certificate');
    return;
  }
  tell('* Server certificate:');
  tell(`*  subject: ${oneLine(certificate.subject)}`);
  tell(`*  subjectAltName: ${certificate.subjectAltName ?? 'none'}`);
  tell(`*  start date: ${certificate.validFrom}`);
  tell(`*  expire date: ${certificate.validTo}`);
  tell(`*  issuer: ${oneLine(certificate.issuer)}`);
  tell(
    socket.authorized
      ? '*  SSL certificate verify ok.'
      : `*  SSL certificate verify result: ${socket.authorizationError}, going on all the same (curl would stop here)`,
  );
}

function tellResponse(response: http.IncomingMessage, tell: Tell): void {
  tell(`< HTTP/${response.httpVersion} ${response.statusCode} ${response.statusMessage}`);
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    tell(`< ${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}`);
  }
  tell('<');
}

/** dns.lookup cannot be cancelled; whoever waits for it can. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function oneLine(name: string | undefined): string {
  return name?.split('\n').join('; ') ?? 'none';
}

function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '?');
}
