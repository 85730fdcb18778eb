/**
 * What can be asked for on the admin listener, by whoever has ADMIN_TOKEN: retry now, renew.
 *
 * The token is typed into the form and stands in the body, never in a cookie, so a page of somebody else has nothing to
 * send along: it is the protection against cross-site requests, too. A browser that says it comes from another site is
 * refused all the same. No more than ten tries a minute, right ones included, so that nobody can try tokens for long.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';
import type { Ask } from '../plan/asking.ts';
import { answerPage, PAGE_HEADERS } from './page.ts';
import { ASKS } from './page-actions.ts';

export interface AskDeps {
  readonly token: string;
  readonly log: Log;
  /** Undefined: it is done; else why it is not, as a sentence. */
  readonly ask: (what: Ask) => Promise<string | undefined>;
}

const LONGEST_BODY = 2_048;
const TRIES = { most: 10, withinMs: 60_000 };

export function addAskRoutes(server: FastifyInstance, { token, log, ask }: AskDeps): void {
  const tries = new Tries();
  // A form and nothing else.
  server.removeAllContentTypeParsers();
  const options = { parseAs: 'string', bodyLimit: LONGEST_BODY } as const;
  server.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, body, done) =>
    done(null, new URLSearchParams(String(body))),
  );
  for (const what of Object.keys(ASKS) as Ask[]) {
    server.post(`/actions/${what}`, { bodyLimit: LONGEST_BODY }, async (request, reply) => {
      const refusal = refusalOf(request, token, tries);
      const asker = { action: what, from: request.ip };
      if (refusal !== undefined) {
        log.warn({ ...asker, status: refusal.status, why: refusal.title }, 'action refused');
        return say(reply, refusal);
      }
      const obstacle = await ask(what);
      log.info({ ...asker, ...(obstacle !== undefined && { why: obstacle }) }, 'action asked for');
      if (obstacle !== undefined) return say(reply, { status: 409, title: `${ASKS[what]}: not now`, text: obstacle });
      // So that a reload of the page does not ask again. The timeline says what was asked, and what came of it.
      return reply.code(303).header('location', '../#timeline').send();
    });
  }
}

interface Refusal {
  readonly status: number;
  readonly title: string;
  readonly text: string;
}

function refusalOf(request: FastifyRequest, token: string, tries: Tries): Refusal | undefined {
  if (!tries.mayTry()) {
    return { status: 429, title: 'Too many tries', text: 'No more than ten a minute. Wait a minute and try again.' };
  }
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return {
      status: 403,
      title: 'Not from another site',
      text: 'Open the status page itself and press the button there.',
    };
  }
  const given = request.body instanceof URLSearchParams ? request.body.get('token') : null;
  if (given !== null && isSame(given.trim(), token)) return undefined;
  const text = 'What was typed is not the value of ADMIN_TOKEN in the definition of this app. Nothing was done.';
  return { status: 403, title: 'The token is not right', text };
}

/** Takes as long for a token that is nearly right as for any other. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function say(reply: FastifyReply, { status, title, text }: Refusal): FastifyReply {
  const again = status === 429 ? { 'retry-after': String(TRIES.withinMs / 1_000) } : {};
  return reply
    .code(status)
    .headers({ ...PAGE_HEADERS, ...again })
    .send(answerPage(status === 409 ? 'warn' : 'bad', title, text));
}

/** Those of the last minute, by a clock that nobody sets. */
class Tries {
  #times: readonly number[] = [];

  mayTry(): boolean {
    const now = performance.now();
    this.#times = this.#times.filter((time) => time > now - TRIES.withinMs);
    if (this.#times.length >= TRIES.most) return false;
    this.#times = [...this.#times, now];
    return true;
  }
}
