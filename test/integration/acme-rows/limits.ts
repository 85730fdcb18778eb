/** What the CA says of our account and of its limits (Boulder's ratelimits/limiter.go, wfe2/wfe.go). */
import type { Script } from '../../support/canned-ca.ts';
import { A, at, B, C, DAY, HOUR, inBoulder, MINUTE, named, type Row, refusal, SECOND } from './row.ts';

const SEE = ': see https://letsencrypt.org/docs/rate-limits/';

function limited(detail: string, headers: Readonly<Record<string, string>> = {}, ...names: readonly string[]): Script {
  return at('newOrder', { ...refusal(429, 'rateLimited', detail), headers }, ...names);
}

const UNPAUSE = 'https://portal.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

const UNPAUSE_MANY = UNPAUSE.replace('.eyJ', `.eyJ${'bmFtZXMs'.repeat(200)}`);

export const LIMITS: readonly Row[] = [
  {
    name: 'five certificates for these very names: the CA gives 34 hours in seconds',
    ca: limited(
      `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-24 08:00:00 UTC${SEE}`,
      {
        'Retry-After': '122400',
      },
    ),
    words: 'too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s',
    cure: /Nothing has to be done: the CA is asked again when its limit allows it/,
    ...{ blames: 'certificate', wait: 34 * HOUR },
  },
  {
    name: 'fifty certificates for the registered domain: names elsewhere go on',
    domains: [A, 'www.busy.example', 'busy.example'],
    ca: limited(
      `too many certificates (50) already issued for "busy.example" in the last 168h0m0s, retry after soon${SEE}`,
      { 'Retry-After': '12120' },
      'busy.example',
    ),
    words: 'too many certificates (50) already issued for "busy.example"',
    cure: /Nothing has to be done: the CA is asked again/,
    ...{ blames: ['www.busy.example', 'busy.example'], wait: 12_120 * SECOND },
  },
  {
    name: 'several registered domains are used up: they are subproblems',
    domains: [A, 'www.busy.example', C],
    ca: limited2(),
    words: 'too many certificates already issued',
    cure: /Nothing has to be done: the CA is asked again/,
    ...{ blames: ['www.busy.example', C], wait: HOUR },
  },
  {
    name: 'too many orders of our account: the time stands in the text only',
    ca: limited(
      `too many new orders (300) from this account in the last 3h0m0s, retry after ${inBoulder(2 * HOUR)} UTC${SEE}`,
    ),
    words: 'too many new orders (300) from this account',
    cure: /the CA is asked again when its limit allows it/,
    ...{ blames: 'account', wait: 2 * HOUR },
  },
  {
    name: 'too many failed authorizations of a name: the time is an HTTP date',
    ca: limited(
      `too many failed authorizations (5) for "${B}" in the last 1h0m0s, retry after soon${SEE}`,
      { 'Retry-After': new Date(Date.now() + 3 * HOUR).toUTCString() },
      B,
    ),
    words: `too many failed authorizations (5) for "${B}"`,
    cure: /b\.example failed too often: mend the cause first/,
    ...{ blames: [B], wait: 3 * HOUR },
  },
  {
    name: 'a name is paused at the CA: the link is told as it is',
    ca: limited(
      `Your account is temporarily prevented from requesting certificates for ${B} and possibly others. Please visit: ${UNPAUSE}`,
      {},
      B,
    ),
    words: `Please visit: ${UNPAUSE}`,
    cure: /\.c2lnbmF0dXJl \(b\.example failed too often and is paused at the CA: mend it first, then open that link\)/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'several names are paused: the link is long',
    domains: [A, B, C],
    ca: limited(
      `Your account is temporarily prevented from requesting certificates for ${B}, ${C} and possibly others. Please visit: ${UNPAUSE_MANY}`,
      {},
      B,
      C,
    ),
    words: `Please visit: ${UNPAUSE_MANY}`,
    cure: /is paused at the CA/,
    ...{ blames: [B, C], wait: 'week' },
  },
  {
    name: 'too many accounts from this address',
    ca: at('newAccount', {
      ...refusal(
        429,
        'rateLimited',
        `too many new registrations (10) from this IP address in the last 3h0m0s, retry after x${SEE}`,
      ),
      headers: { 'Retry-After': '1080' },
    }),
    words: 'too many new registrations (10) from this IP address',
    cure: /the CA is asked again when its limit allows it/,
    ...{ blames: 'account', wait: 1_080 * SECOND, orders: [] },
  },
  {
    name: 'a Retry-After of thirty years is not believed',
    ca: limited('too many new orders (300) from this account', { 'Retry-After': '999999999' }),
    words: 'too many new orders',
    cure: /is served until it expires/,
    ...{ blames: 'account', wait: 7 * DAY },
  },
  {
    name: 'a Retry-After in the past is none',
    ca: limited('too many new orders (300) from this account', { 'Retry-After': 'Mon, 01 Jan 2024 00:00:00 GMT' }),
    words: 'too many new orders',
    cure: /is served until it expires/,
    ...{ blames: 'account', wait: 'order' },
  },
  {
    name: 'a Retry-After that is no time leaves the one in the text',
    ca: limited(`too many new orders (300) from this account, retry after ${inBoulder(5 * HOUR)} UTC`, {
      'Retry-After': 'tomorrow',
    }),
    words: 'too many new orders',
    cure: /is served until it expires/,
    ...{ blames: 'account', wait: 5 * HOUR },
  },
  {
    name: 'a rate limit without any time',
    ca: limited('slow down'),
    words: 'slow down',
    cure: /is served until it expires/,
    ...{ blames: 'account', wait: 'order' },
  },
  {
    name: 'the CA is busy',
    ca: at('newOrder', {
      ...refusal(503, 'rateLimited', 'Service busy; retry later.'),
      headers: { 'Retry-After': '300' },
    }),
    words: 'Service busy; retry later.',
    cure: /the CA is busy, and is asked again by itself/,
    ...{ blames: 'directory', wait: 5 * MINUTE },
  },
];

function limited2(): Script {
  const subproblems = ['busy.example', C].map((name) =>
    named(name, 'rateLimited', 'too many certificates already issued'),
  );
  const answer = refusal(
    429,
    'rateLimited',
    'too many certificates already issued for multiple names ("busy.example" and 2 others)',
    { subproblems },
  );
  return at('newOrder', { ...answer, headers: { 'Retry-After': '3600' } }, 'www.busy.example', C);
}

const EAB =
  /This CA wants an account of its own web site \(external account binding\): use another LETSENCRYPT_SERVER_URL/;

export const ACCOUNT: readonly Row[] = [
  {
    name: 'the account was deactivated',
    ca: at('newOrder', refusal(403, 'unauthorized', 'Account is not valid, has status "deactivated"')),
    words: 'Account is not valid, has status "deactivated"',
    cure: /deactivated or revoked: delete its file \(account-….json\) in the state folder to have a new one/,
    ...{ blames: 'account', wait: 'order' },
  },
  {
    name: 'the CA forgets the account again and again: it is registered anew once',
    ca: at('newOrder', refusal(400, 'accountDoesNotExist', 'No account exists with the provided key')),
    words: 'No account exists with the provided key',
    cure: /did not register it anew/,
    ...{
      blames: 'account',
      wait: 'order',
      orders: [
        [A, B],
        [A, B],
      ],
    },
  },
  {
    name: 'the CA wants an external account',
    ca: at('newAccount', refusal(403, 'externalAccountRequired', 'External account binding is required')),
    words: 'External account binding is required',
    cure: EAB,
    ...{ blames: 'account', wait: 'settings', orders: [] },
  },
  {
    name: 'the CA wants an external account, and says so in its own way',
    ca: at(
      'newAccount',
      refusal(400, 'malformed', 'The request must include a value for the "externalAccountBinding" field'),
    ),
    words: '"externalAccountBinding"',
    cure: EAB,
    ...{ blames: 'account', wait: 'settings', orders: [] },
  },
  {
    name: 'the CA has new terms',
    ca: at(
      'newOrder',
      refusal(403, 'userActionRequired', 'Terms of service have changed', { instance: 'https://ca.example/tos/2' }),
    ),
    words: 'Terms of service have changed (https://ca.example/tos/2)',
    cure: /open the link and accept them\. It is tried again once a day/,
    ...{ blames: 'account', wait: 'day' },
  },
  {
    name: 'the CA has new terms, and tells so with a name in quotes: that is not to blame',
    ca: at('newOrder', refusal(403, 'userActionRequired', `Agree to the terms before you order "${B}"`)),
    words: `Agree to the terms before you order "${B}"`,
    cure: /open the link and accept them/,
    ...{ blames: 'account', wait: 'day' },
  },
  {
    name: 'the CA does not like contacts, and not the lack of one either',
    ca: at('newAccount', refusal(400, 'invalidContact', 'a contact is required')),
    words: 'a contact is required',
    cure: /Correct LETSENCRYPT_EMAIL/,
    env: { LETSENCRYPT_EMAIL: 'me@a.example' },
    ...{ blames: 'account', wait: 'settings', orders: [] },
  },
];
