/**
 * The public listener's answers: a challenge (RFC 8555 §8.3), `ping`, and what other tasks of ours ask. Nothing else.
 *
 * marathon-lb publishes whatever this listener serves under the path prefix, on every vhost, to the whole Internet. So: an
 * exact grammar, a look into a map, and refusals of fixed text that repeat nothing of what was asked. A token that is not
 * in the map may be another task's: see peers.ts for what asking costs at most.
 */
import type { Challenges } from '../acme/challenges.ts';
import { digestOf, PEER_LIST_PATH, PEER_TOKEN_PATH, type Peers } from '../peers.ts';

export const CHALLENGE_PATH = '/.well-known/acme-challenge';

/** base64url, as RFC 8555 §8.3 has it; at least 128 bits of entropy are 22 characters, some test CAs send fewer. */
const TOKEN = /^[A-Za-z0-9_-]{16,128}$/;

export interface ChallengeDeps {
  readonly challenges: Pick<Challenges, 'answerTo' | 'tokens'>;
  readonly peers: Pick<Peers, 'answerTo'>;
  readonly isAlive: () => boolean;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const NOT_FOUND: Answer = { status: 404, body: 'Not found.' };
const BAD_REQUEST: Answer = { status: 400, body: 'Bad request.' };

/**
 * To a GET of this target. The Host header takes no part: redirects on the way may have changed it, and the token alone
 * is the secret. Nothing that we serve needs an escape, so what holds one is not ours.
 */
export function answerTo(target: string, deps: ChallengeDeps): Answer | Promise<Answer> {
  const path = pathOf(target);
  if (path.includes('%')) return isEscaped(path) ? NOT_FOUND : BAD_REQUEST;
  const at = path.lastIndexOf('/');
  const [folder, name] = [path.slice(0, at), path.slice(at + 1)];
  if (folder === CHALLENGE_PATH) return name === 'ping' ? ping(deps) : challenge(name, deps);
  // Asked by our other tasks, which must not be asked in turn: the map and nothing but the map.
  if (folder === PEER_TOKEN_PATH) return found(own(name, deps));
  if (path === PEER_LIST_PATH) return found([...deps.challenges.tokens].map(digestOf).join('\n'));
  return NOT_FOUND;
}

/** Liveness only, never the certificates' state: with marathon-lb's --health-check a sick task gets no requests, and
 * without requests it would never get its first certificate. */
function ping({ isAlive }: ChallengeDeps): Answer {
  return isAlive()
    ? found('pong')
    : { status: 503, body: 'letsencrypt-dcos hangs: it has looked at nothing for more than 15 minutes. Restart it.' };
}

function challenge(token: string, deps: ChallengeDeps): Answer | Promise<Answer> {
  const answer = own(token, deps);
  if (answer !== undefined || !TOKEN.test(token)) return found(answer);
  return deps.peers.answerTo(token).then(found);
}

function own(token: string, { challenges }: ChallengeDeps): string | undefined {
  return TOKEN.test(token) ? challenges.answerTo(token) : undefined;
}

function found(body: string | undefined): Answer {
  return body === undefined ? NOT_FOUND : { status: 200, body };
}

/** Without the query; and a proxy may ask by the whole URL (RFC 9112 §3.2.2). */
function pathOf(target: string): string {
  const [path = ''] = target.split('?', 1);
  return path.replace(/^https?:\/\/[^/]*/i, '');
}

function isEscaped(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
