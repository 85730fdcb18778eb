/**
 * The admin port: open from the start, and what answers there (fastify, the page) read when somebody asks for the first
 * time. Where nobody looks at the page and nothing collects the metrics, neither its CPU nor its memory is spent.
 */
import type { RequestListener } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { listenAt, type PublicListener } from './listening.ts';
import type { AdminDeps } from './server.ts';

/** Requests that may wait until it is read, each some kilobytes; one connection alone could bring thousands. */
const WAITING = 32;

/** Throws when the port cannot be had. */
export async function listenAdmin(
  o: { readonly host: string; readonly port: number; readonly log: Log } & AdminDeps,
): Promise<PublicListener> {
  let answer: RequestListener | undefined;
  let reading: Promise<void> | undefined;
  let waiting = 0;
  const read = async (): Promise<void> => {
    answer = await answers(o).catch((error: Error) => {
      o.log.error({ err: error }, 'the admin port cannot answer');
      return unread;
    });
  };
  return listenAt({ host: o.host, port: o.port, setting: 'ADMIN_PORT' }, (request, reply) => {
    if (answer !== undefined) return answer(request, reply);
    if (waiting === WAITING) return void request.destroy();
    waiting += 1;
    reading ??= read();
    void reading.then(() => answer?.(request, reply));
  });
}

/** In pieces, as it may be in the middle of an order: the challenge port answers between them. */
async function answers(deps: AdminDeps): Promise<RequestListener> {
  for (const piece of [() => import('fastify'), () => import('./page.ts')]) {
    await piece();
    await turn();
  }
  const { adminAnswers } = await import('./server.ts');
  return adminAnswers(deps);
}

const unread: RequestListener = (_request, reply) => {
  reply.writeHead(503, { 'Content-Type': 'text/plain', Connection: 'close' });
  reply.end('What answers here could not be read; the log has the reason. Restart letsencrypt-dcos.');
};
