/**
 * The one error that leaves this folder, and the sentence for each way in which Marathon can refuse.
 *
 * The status decides first; a body is read only where its content type says JSON, because the leader proxy, basic
 * authentication and Admin Router answer in HTML or plain text. What a body says is quoted with care: Marathon's
 * `details` of a syntax error repeats what we sent, and we send private keys.
 */
import { printable } from '../printable.ts';
import { list, record, text } from './json.ts';

const LONGEST_MESSAGE = 2_000;
/** Of a page that answered in Marathon's place; its title comes soon or never. */
const LOOKED_AT = 4_096;

export interface MarathonErrorFacts {
  readonly status?: number | undefined;
  /** The same request may succeed later. Without a word on it: no answer, 5xx, 408, 429, or a locked app (409). */
  readonly retryable?: boolean | undefined;
  /** A change was sent and may have been applied, though we were not told. The state decides, not the reply. */
  readonly outcomeUnknown?: boolean | undefined;
}

export class MarathonError extends Error {
  override readonly name = 'MarathonError';
  /** What was asked, and what came of it. */
  readonly said: string;
  /** What would help, or that it is tried again by itself: no sentence leaves without it. */
  readonly cure: string;
  readonly status: number | undefined;
  readonly retryable: boolean;
  readonly outcomeUnknown: boolean;

  constructor(said: string, cure: string, facts: MarathonErrorFacts = {}) {
    super(printable(`Marathon: ${said}; ${cure}`, LONGEST_MESSAGE));
    this.said = said;
    this.cure = cure;
    this.status = facts.status;
    this.retryable = facts.retryable ?? mayPass(facts.status);
    this.outcomeUnknown = facts.outcomeUnknown ?? false;
  }
}

function mayPass(status: number | undefined): boolean {
  return status === undefined || status >= 500 || status === 408 || status === 409 || status === 429;
}

/** A reply as far as it matters for an error. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** The JSON in a reply; undefined if it does not claim to be JSON, or is not. */
export function jsonIn(reply: Reply): unknown {
  if (!/[/+]json\b/i.test(reply.contentType)) return undefined;
  try {
    return JSON.parse(reply.text) as unknown;
  } catch {
    return undefined;
  }
}

/** Marathon's own `message`. Without one, something else answered in Marathon's place. */
export function messageIn(reply: Reply): string | undefined {
  return text(record(jsonIn(reply))?.message);
}

/** The error for a reply of 300 and above. `request` is the method and path: `PUT /v2/apps/marathon-lb`. */
export function refusal(request: string, reply: Reply): MarathonError {
  const said = messageIn(reply);
  const parts = [quoted(said ?? excerpt(reply)), detailsIn(reply)].filter(Boolean);
  const changed = !request.startsWith('GET ') && reply.status >= 500;
  const cure = cureFor(reply.status, said, changed);
  return new MarathonError(`${request}: ${reply.status} ${parts.join('; ') || 'without a reason'}`, cure, {
    status: reply.status,
    retryable: passesByItself(reply.status, said) || undefined,
    outcomeUnknown: changed,
  });
}

/** Refusals that look final but are not: a limit that others free, and an Admin Router that has not found Marathon yet. */
function passesByItself(status: number, said: string | undefined): boolean {
  return (status === 403 && isDeploymentLimit(said)) || (status === 404 && said === undefined);
}

function isDeploymentLimit(said: string | undefined): boolean {
  return said?.startsWith('Max number') ?? false;
}

const WRONG_BASE = 'is the path in MARATHON_URL right?';
export const IS_IT_MARATHON = 'does MARATHON_URL lead to Marathon, and not to a proxy or a login page?';
export const MAY_BE_MADE = 'the change may have been made all the same: the app is read again, which shows it';

/** Without a semicolon, which is what divides it from what happened. */
function cureFor(status: number, said: string | undefined, changed: boolean): string {
  if (status === 401) return CREDENTIALS;
  if (status === 403) return isDeploymentLimit(said) ? LIMIT : GRANTS;
  if (said?.startsWith('URI not found')) return WRONG_BASE;
  if (said === undefined && (status === 404 || status === 503)) {
    return `this is not Marathon's own answer: ${WRONG_BASE} Or Admin Router has no Marathon to hand over to (no leader yet)`;
  }
  if (status === 404 && said?.startsWith('App ')) return WRONG_ID;
  if (status === 409) return 'nothing has to be done: it is tried again when that deployment has ended';
  if (status === 422) return 'correct the definition of that app: as it stands, Marathon takes no change of it';
  if (changed) return MAY_BE_MADE;
  return mayPass(status) ? 'it is tried again by itself: if that lasts, see the log of Marathon' : OBJECTION;
}

const LIMIT = 'it is tried again by itself: if that lasts, end deployments that hang';
const WRONG_ID = 'wrong id (MARATHON_LB_ID, MARATHON_APP_ID), or the account may not view this app';
const OBJECTION = 'see in the log of Marathon what it objects to, and whether something between changes what is sent';

const CREDENTIALS =
  'check MARATHON_USER and MARATHON_PASSWORD, MARATHON_TOKEN or DCOS_SERVICE_ACCOUNT_CREDENTIAL, ' +
  "and this machine's clock if a service account has just logged in";

/** DC/OS Enterprise. `read` on the own app, for its labels; `update` on the load balancer alone. */
const GRANTS =
  'the account needs read and update on dcos:service:marathon:marathon:services:/<load balancer>, read on the own app, ' +
  'read on …:admin:events, and full on dcos:adminrouter:service:marathon if the way leads through Admin Router';

/** Paths and rules of a 422, locks of a 409. A `details` that is a string quotes our request: never shown. */
function detailsIn(reply: Reply): string | undefined {
  const body = record(jsonIn(reply));
  const locks = list(body?.deployments).flatMap((lock) => text(record(lock)?.id) ?? []);
  if (locks.length > 0) return quoted(`locked by deployment ${locks.slice(0, 10).join(', ')}`);
  const faults = list(body?.details).map((detail) => {
    const errors = list(record(detail)?.errors).flatMap((error) => text(error) ?? []);
    return `${text(record(detail)?.path) ?? '/'} ${errors.join(', ')}`;
  });
  return faults.length > 0 ? quoted(faults.slice(0, 10).join('; ')) : undefined;
}

/** The title of an HTML page or the first words of a text; nothing of what could be an app. */
export function excerpt(reply: Reply): string {
  const body = reply.text.slice(0, LOOKED_AT).trim(); // tags that never end take time with the square of their number
  if (/^[{["]/.test(body) || /[/+]json\b/i.test(reply.contentType)) return '';
  const title = /<title>([^<]*)<\/title>/i.exec(body)?.[1];
  return (title ?? body.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim().slice(0, 100);
}

function quoted(words: string): string {
  const line = words.replace(/\s+/g, ' ').trim();
  if (/-----BEGIN|PRIVATE KEY/.test(line)) return '(withheld: the message holds a PEM)';
  return line.length > 400 ? `${line.slice(0, 400)}…` : line;
}
