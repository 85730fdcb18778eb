/**
 * What can go wrong between us and the CA, as one error.
 *
 * The CA's own words stay word for word: operators search the web for them. What it holds is safe to print: never a
 * request, a body, a header or an AxiosError (that one carries signed requests and prints them).
 */

import { printable } from '../printable.ts';
import { cureFor } from './troubles.ts';

const NAMESPACE = 'urn:ietf:params:acme:error:';
/** The longest window of any public CA's limits: what lies beyond is a broken clock, not a wish. */
const LONGEST_WAIT_MS = 7 * 24 * 3_600_000;
const LONGEST_TYPE = 100;
/** Room for the link that ends a pause: its token holds up to fifteen names. */
const LONGEST_DETAIL = 4_000;
const LONGEST_LINK = 1_000;
const LONGEST_NAME = 253;
const LONGEST_SENTENCE = 6_000;
const LOOKED_AT = 4_096;
/** Names spelled out in the message; all of them are in `domains`. */
const TOLD = 5;

/** One name's share of a refusal (RFC 8555 §6.7.1), or of an order that turned invalid. */
export interface Subproblem {
  readonly type: string;
  readonly detail: string;
  readonly domain: string | undefined;
}

export interface AcmeProblem {
  /** RFC 8555 §6.7 without the namespace; or `transport`, `timeout`, `unreadable`, `http` where the CA gave none. */
  readonly type: string;
  readonly detail: string;
  /** What was tried: `newOrder at acme.example`. Left out where the names say it. */
  readonly request?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfter?: Date | undefined;
  readonly subproblems?: readonly Subproblem[];
  /** Of a transport failure: ECONNREFUSED, CERT_HAS_EXPIRED … */
  readonly code?: string | undefined;
}

export class AcmeError extends Error {
  override readonly name = 'AcmeError';
  readonly type: string;
  readonly detail: string;
  readonly status: number | undefined;
  /** The names that are to blame, as far as the CA told. */
  readonly domains: readonly string[];
  readonly retryAfter: Date | undefined;
  readonly subproblems: readonly Subproblem[];
  readonly code: string | undefined;

  constructor(problem: AcmeProblem) {
    super(printable(sentence(problem), LONGEST_SENTENCE));
    this.type = problem.type;
    this.detail = problem.detail;
    this.status = problem.status;
    this.retryAfter = problem.retryAfter;
    this.subproblems = problem.subproblems ?? [];
    this.domains = [...new Set(this.subproblems.flatMap(({ domain }) => domain ?? []))];
    this.code = problem.code;
  }

  /** The request may or may not have reached the CA, or the CA itself was in trouble: nothing was decided. */
  get undecided(): boolean {
    return this.type === 'transport' || this.type === 'unreadable' || (this.status ?? 0) >= 500;
  }
}

/** What the CA answered instead of what was asked for (RFC 8555 §6.7; but it may be anybody's HTML). */
export function refusal(
  reply: { readonly status: number; readonly data: unknown; readonly retryAfter: Date | undefined },
  request: string,
): AcmeError {
  const { status, data, retryAfter } = reply;
  const told = readProblem(data);
  if (told === undefined) {
    return new AcmeError({ type: 'http', detail: `HTTP ${status}${excerpt(data)}`, request, status, retryAfter });
  }
  const { type, detail } = told;
  const until = retryAfter ?? retryAfterIn(detail, new Date());
  return new AcmeError({
    type,
    detail,
    request,
    status,
    retryAfter: until,
    subproblems: status < 500 ? blamed(told) : told.subproblems,
  });
}

/** An order or authorization that turned invalid: no request of ours was refused, names were. */
export function verdict(subproblems: readonly Subproblem[]): AcmeError {
  const types = new Set(subproblems.map(({ type }) => type));
  const [first] = subproblems;
  return new AcmeError({
    type: types.size === 1 && first !== undefined ? first.type : 'compound',
    detail: first?.detail ?? 'the order is invalid, and the CA does not say why',
    subproblems,
  });
}

interface Told {
  readonly type: string;
  readonly detail: string;
  readonly subproblems: readonly Subproblem[];
}

/** A problem document, or undefined where it is something else. */
export function readProblem(data: unknown): Told | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { type, detail, subproblems, instance } = data as Record<string, unknown>;
  if (typeof type !== 'string') return undefined;
  const seeAlso = typeof instance === 'string' ? ` (${quoted(instance, LONGEST_LINK)})` : ''; // new terms to accept (RFC 8555 §7.3.3)
  return {
    type: quoted(type.replace(NAMESPACE, ''), LONGEST_TYPE),
    detail: quoted(typeof detail === 'string' ? detail : 'no detail given') + seeAlso,
    subproblems: Array.isArray(subproblems) ? subproblems.flatMap(readSubproblem) : [],
  };
}

function readSubproblem(data: unknown): readonly Subproblem[] {
  const told = readProblem(data);
  if (told === undefined) return [];
  const { identifier } = data as { identifier?: { value?: unknown } | null };
  const domain =
    typeof identifier?.value === 'string' ? quoted(identifier.value, LONGEST_NAME).toLowerCase() : undefined;
  return [{ type: told.type, detail: told.detail, domain }];
}

/**
 * With exactly one bad name Boulder sends no subproblem: it stands in the text. In quotes in most (`Cannot issue for
 * "X": …`, `already issued for "X"`), bare in two: a pause lists names, and CAA tells our name or else the record's.
 */
const LISTED: readonly RegExp[] = [
  /\brequesting certificates for (.+?) and possibly others/gi,
  /\bprocessing CAA for ([^\s:]+)/gi,
  /\bCAA record for ([^\s:]+)/gi,
  /"([^"\s]+)"/g,
];
const NAME = /^[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)+$/;

export function blamed({ type, detail, subproblems }: Told): readonly Subproblem[] {
  if (subproblems.some(({ domain }) => domain !== undefined)) return subproblems;
  const found = LISTED.map((pattern) => [...detail.matchAll(pattern)].flatMap(([, list = '']) => list.split(/[\s,]+/)));
  const names = found.map((list) => list.map((name) => name.toLowerCase()).filter((name) => NAME.test(name)));
  const [first = []] = names.filter((list) => list.length > 0);
  return [...new Set(first)].map((domain) => ({ type, detail, domain }));
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3). A week is the most that is believed. */
export function parseRetryAfter(header: unknown, now: Date): Date | undefined {
  if (typeof header !== 'string') return undefined;
  const text = header.trim();
  const at = /^\d+$/.test(text) ? now.getTime() + Number(text) * 1000 : httpDate(text);
  return at === undefined ? undefined : believable(at, now);
}

/** Boulder writes it into the text too, and some CAs only there: `…, retry after 2026-01-02 03:04:05 UTC: see …`. */
function retryAfterIn(detail: string, now: Date): Date | undefined {
  const [, day, time] = /retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)/i.exec(detail) ?? [];
  const at = Date.parse(`${day}T${time}Z`);
  return Number.isNaN(at) ? undefined : believable(at, now);
}

function believable(at: number, now: Date): Date {
  return new Date(Math.min(at, now.getTime() + LONGEST_WAIT_MS));
}

/** Date.parse takes a lot more than dates ("-1", "1.5"); an HTTP date begins with the day of the week. */
function httpDate(text: string): number | undefined {
  const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

function sentence(problem: AcmeProblem): string {
  const { type, detail, request, status, subproblems = [], code } = problem;
  const named = subproblems.flatMap(({ domain, ...why }) => (domain === undefined ? [] : [blame(domain, why)]));
  if (named.length > 0) return `ACME: ${named.slice(0, TOLD).join('; ')}${more(named.length)}`;
  const cure = cureFor({ type, detail, code });
  const what = type === 'http' ? '' : [status, type].filter(Boolean).join(' ');
  return `ACME: ${[request, what, detail].filter(Boolean).join(': ')}${cure}`;
}

/** One name's part of the message. */
export function blame(domain: string, { type, detail }: { readonly type: string; readonly detail: string }): string {
  return `${domain}: ${type}: ${detail}${cureFor({ type, detail, domain })}`;
}

function more(count: number): string {
  return count > TOLD ? `; and ${count - TOLD} more names` : '';
}

/** A little of a proxy's error page says who answered; all of it would flood the log. */
function excerpt(data: unknown): string {
  if (typeof data !== 'string') return '';
  const text = data
    .slice(0, LOOKED_AT) // tags that never end take time with the square of their number
    .replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return text === '' ? '' : `: ${quoted(text.slice(0, 120))}`;
}

/** Word for word, but one line of it, and no key: whoever answers in the CA's place may have read one. */
function quoted(words: string, longest = LONGEST_DETAIL): string {
  const line = printable(words, longest);
  return line.includes('PRIVATE KEY') ? '(withheld: the message holds a private key)' : line;
}
