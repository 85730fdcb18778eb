/**
 * The admin listener's JSON: `/ready` and `/api/status`. It shows, it never acts, and it holds no opinion: both answers
 * are handed in. Kept off the load balancer by the app definition.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { maskForOperator } from '../mask.ts';

export function addAdminRoutes(server: FastifyInstance, status: () => unknown, isReady: () => boolean): void {
  server.get('/ready', (_request, reply) => {
    const ready = isReady();
    return sendJson(reply, ready ? 200 : 503, { ready });
  });
  server.get('/api/status', (_request, reply) => sendJson(reply, 200, status()));
}

const REFUSALS: Readonly<Record<number, string>> = {
  404: 'not found: there are GET /, /api/status, /metrics and /ready, and where ADMIN_TOKEN is set POST /actions/retry and /actions/renew',
  500: 'internal error',
};

/** A refusal of fixed text: an error's message may hold what the asker sent, or what he should not see. */
export function sayInJson(reply: FastifyReply, status: number): FastifyReply {
  return sendJson(reply, status, { error: REFUSALS[status] ?? 'bad request' });
}

function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .headers({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
    .header('x-content-type-options', 'nosniff')
    .send(maskForOperator(`${JSON.stringify(body, null, 2)}\n`));
}
