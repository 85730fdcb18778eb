/**
 * The public listener, on node:http alone: it has four paths, must be up before anything else is loaded, and answers the
 * CA while an order wants the CPU. What it answers: challenge.ts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Answer, answerTo, type ChallengeDeps } from './challenge.ts';
import { listenAt, type PublicListener } from './listening.ts';

export async function listenPublic(o: { host: string; port: number } & ChallengeDeps): Promise<PublicListener> {
  const place = { host: o.host, port: o.port, setting: 'HTTP_PORT' };
  return listenAt(place, (request, reply) => void respond(request, reply, o));
}

async function respond(request: IncomingMessage, reply: ServerResponse, deps: ChallengeDeps): Promise<void> {
  const { method, url = '' } = request;
  // Nothing here takes a body: it is not read, so the connection ends.
  if (method !== 'GET' && method !== 'HEAD') return send(reply.setHeader('Connection', 'close'), refused(404));
  try {
    const answer = answerTo(url, deps);
    send(reply, answer instanceof Promise ? await answer : answer);
  } catch {
    send(reply, refused(500));
  }
}

function refused(status: 404 | 500): Answer {
  return { status, body: status === 404 ? 'Not found.' : 'Internal error.' };
}

function send(reply: ServerResponse, { status, body }: Answer): void {
  reply.writeHead(status, {
    ...{ 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) },
    ...{ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' },
  });
  reply.end(body);
}
