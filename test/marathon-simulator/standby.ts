/**
 * A second Marathon that is not the leader: it forwards everything, with the real one's weaknesses.
 *
 * From 1.6 on a body without Content-Length arrives empty (AsyncUrlConnectionRequestForwarder); from 1.7 on the event
 * stream is not forwarded but redirected to the leader.
 */
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Profile, traitsOf } from './profiles.ts';

export interface Standby {
  readonly url: string;
  close(): Promise<void>;
}

export async function startStandby(leader: { url: string; profile?: Profile; host?: string }): Promise<Standby> {
  const { redirectEvents } = traitsOf(leader.profile ?? '1.9');
  const server = createServer((request, response) => {
    if (redirectEvents && request.url?.includes('/v2/events')) {
      response.writeHead(302, { Location: `${leader.url}${request.url}` }).end();
    } else {
      void forward(leader.url, request, response);
    }
  });
  server.listen(0, leader.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function forward(leader: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const known = request.headers['content-length'] !== undefined;
  const { 'transfer-encoding': _, ...kept } = request.headers;
  const body = known ? Buffer.concat(chunks) : Buffer.alloc(0);
  const headers = { ...kept, 'content-length': body.length, 'x-marathon-via': 'simulator-standby' };
  const onward = httpRequest(`${leader}${request.url}`, { method: request.method, headers });
  onward.on('error', () => {
    response.writeHead(502, { 'content-type': 'text/html;charset=iso-8859-1' });
    response.end('<html><head><title>Error 502 Connection to leader refused.</title></head></html>\n');
  });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.end(body);
}
