/**
 * The proxy of a company network: CONNECT for https, the absolute form for http (RFC 9110 §9.3.6, RFC 9112 §3.2.2).
 * It notes where everybody wanted to go, which shows that HTTPS_PROXY and NO_PROXY are heeded.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import { type Disposer, listen } from './recording-proxy.ts';

export interface ForwardProxy {
  readonly url: string;
  /** `host:port` of each tunnel and each absolute request, in order. */
  readonly hosts: readonly string[];
  close(): Promise<void>;
}

export interface ForwardProxyOptions {
  /** Where a name leads; by default the name itself is looked up. */
  readonly resolve?: (host: string) => string;
  readonly host?: string;
}

export async function startForwardProxy(t: Disposer, options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const resolve = options.resolve ?? ((host: string) => host);
  const hosts: string[] = [];
  const tunnels = new Set<Socket>();

  const server = http.createServer((request: IncomingMessage, response: ServerResponse) => {
    const to = URL.parse(request.url ?? '');
    if (to?.protocol !== 'http:') return void response.writeHead(400).end('absolute form, please');
    hosts.push(`${to.hostname}:${to.port || 80}`);
    const { method, headers } = request;
    const path = to.pathname + to.search;
    const forwarded = http.request({ host: resolve(to.hostname), port: to.port || 80, path, method, headers });
    forwarded.on('response', (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
      reply.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
    return undefined;
  });

  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    const [, host = '', port = '443'] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url ?? '') ?? [];
    hosts.push(`${host}:${port}`);
    const upstream = net.connect({ host: resolve(host), port: Number(port) }, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      tunnels.add(socket);
      socket.on('close', () => tunnels.delete(socket));
    }
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });

  const address = options.host ?? '127.0.0.1';
  const { port, close: stop } = await listen(server, 0, address);
  const close = async (): Promise<void> => {
    for (const socket of tunnels) socket.destroy();
    await stop();
  };
  t.after(close);
  return { url: `http://${address}:${port}`, hosts, close };
}
