/**
 * The public listener's two answers: a challenge (RFC 8555 §8.3) and `ping`. Nothing else answers here.
 *
 * marathon-lb publishes whatever this listener serves under the path prefix, on every vhost, to the whole Internet. So: an
 * exact grammar, a look into a map, and refusals of fixed text that repeat nothing of what was asked.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Challenges } from '../acme/challenges.ts';

export const CHALLENGE_PATH = '/.well-known/acme-challenge';

/** base64url, as RFC 8555 §8.3 has it; at least 128 bits of entropy are 22 characters, some test CAs send fewer. */
const TOKEN = /^[A-Za-z0-9_-]{16,128}$/;

export function addChallengeRoutes(server: FastifyInstance, challenges: Challenges, isAlive: () => boolean): void {
  // The Host header takes no part: redirects on the way may have changed it, and the token alone is the secret.
  server.get<{ Params: { token: string } }>(`${CHALLENGE_PATH}/:token`, (request, reply) => {
    const { token } = request.params;
    const answer = TOKEN.test(token) ? challenges.answerTo(token) : undefined;
    return answer === undefined ? sayPlainly(reply, 404) : sendText(reply, 200, answer);
  });
  // Liveness only, never the certificates' state: with marathon-lb's --health-check a sick task gets no requests,
  // and without requests it would never get its first certificate.
  server.get(`${CHALLENGE_PATH}/ping`, (_request, reply) =>
    isAlive() ? sendText(reply, 200, 'pong') : sendText(reply, 503, 'The main loop has not turned for too long.'),
  );
}

const REFUSALS: Readonly<Record<number, string>> = { 404: 'Not found.', 500: 'Internal error.' };

/** A refusal of fixed text. */
export function sayPlainly(reply: FastifyReply, status: number): FastifyReply {
  return sendText(reply, status, REFUSALS[status] ?? 'Bad request.');
}

function sendText(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply
    .code(status)
    .headers({ 'content-type': 'text/plain', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    .send(body);
}
