/**
 * The public listener's answers: a challenge (RFC 8555 §8.3), `ping`, and what other tasks of ours ask. Nothing else.
 *
 * marathon-lb publishes whatever this listener serves under the path prefix, on every vhost, to the whole Internet. So: an
 * exact grammar, a look into a map, and refusals of fixed text that repeat nothing of what was asked. A token that is not
 * in the map may be another task's: see peers.ts for what asking costs at most.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Challenges } from '../acme/challenges.ts';
import { digestOf, PEER_LIST_PATH, PEER_TOKEN_PATH, type Peers } from '../peers.ts';

export const CHALLENGE_PATH = '/.well-known/acme-challenge';

/** base64url, as RFC 8555 §8.3 has it; at least 128 bits of entropy are 22 characters, some test CAs send fewer. */
const TOKEN = /^[A-Za-z0-9_-]{16,128}$/;

interface OfToken {
  Params: { token: string };
}

export interface ChallengeDeps {
  readonly challenges: Pick<Challenges, 'answerTo' | 'tokens'>;
  readonly peers: Pick<Peers, 'answerTo'>;
  readonly isAlive: () => boolean;
}

export function addChallengeRoutes(server: FastifyInstance, { challenges, peers, isAlive }: ChallengeDeps): void {
  const own = (token: string): string | undefined => (TOKEN.test(token) ? challenges.answerTo(token) : undefined);
  const say = (reply: FastifyReply, answer: string | undefined): FastifyReply =>
    answer === undefined ? sayPlainly(reply, 404) : sendText(reply, 200, answer);

  // The Host header takes no part: redirects on the way may have changed it, and the token alone is the secret.
  server.get<OfToken>(`${CHALLENGE_PATH}/:token`, async ({ params: { token } }, reply) =>
    say(reply, own(token) ?? (TOKEN.test(token) ? await peers.answerTo(token) : undefined)),
  );
  // Asked by our other tasks, which must not be asked in turn: the map and nothing but the map.
  server.get<OfToken>(`${PEER_TOKEN_PATH}/:token`, ({ params: { token } }, reply) => say(reply, own(token)));
  server.get(PEER_LIST_PATH, (_request, reply) => say(reply, [...challenges.tokens].map(digestOf).join('\n')));
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
