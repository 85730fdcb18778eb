/**
 * Whatever a CA may say, and each way of not reaching it: from its bytes on a socket to the sentence on `/api/status`,
 * and to what the program does next.
 *
 * Every row runs the whole program. The texts are Let's Encrypt's own (Boulder's va, ra, ratelimits, policy and wfe2
 * packages), Pebble's, or those of a proxy. Who is blamed shows in what is ordered next and in when the same is tried
 * again.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Bytes, type CannedCa, json, type Script, type Step, startCannedCa } from '../support/canned-ca.ts';
import { issue } from '../support/certificates.ts';
import { startProgram, type Told } from '../support/one-program.ts';
import { until } from '../support/until.ts';

const NS = 'urn:ietf:params:acme:error:';
const [A, B, C] = ['a.example', 'b.example', 'c.example'] as const;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** When the same is tried for the first time again. */
const FIRST_WAIT = {
  name: 10 * MINUTE,
  dns: 10 * MINUTE,
  day: DAY,
  week: 7 * DAY,
  order: MINUTE,
  settings: DAY,
  outage: MINUTE,
};

type Wait = number | keyof typeof FIRST_WAIT;

interface Row {
  readonly name: string;
  readonly domains?: readonly string[];
  /** What the CA does otherwise than one that is well. */
  readonly ca: Script;
  /** Who is blamed: these names, or all of them by what blocks them. */
  readonly blames: readonly string[] | 'certificate' | 'account' | 'directory';
  /** Milliseconds, or the pace that the same is tried with. */
  readonly wait: Wait | Readonly<Record<string, Wait>>;
  /** The CA's words; they must be there as they are. */
  readonly words: string;
  readonly cure: RegExp;
  /** Each order that was asked for, as names; unless told, all of them, then those that nobody blames. */
  readonly orders?: readonly (readonly string[])[];
  readonly env?: Readonly<Record<string, string>>;
  readonly tls?: Tls;
  /** Where the program looks for the CA instead. */
  readonly directoryUrl?: (t: TestContext, ca: CannedCa) => Promise<string>;
}

interface Tls {
  readonly chainPem: string;
  readonly keyPem: string;
}

const problem = (type: string, detail: string, more: object = {}) => ({ type: `${NS}${type}`, detail, ...more });
const refusal = (status: number, type: string, detail: string, more: object = {}): Bytes =>
  json(status, problem(type, detail, more), { 'Content-Type': 'application/problem+json' });
const named = (name: string, type: string, detail: string) => ({
  ...problem(type, detail),
  identifier: { type: 'dns', value: name },
});

/** Wherever one of the names is part of it. */
const at =
  (step: Step, answer: Bytes, ...names: readonly string[]): Script =>
  (asked) =>
    asked.step === step && (names.length === 0 || names.some((name) => asked.names.includes(name)))
      ? answer
      : undefined;

/** The CA has tried to validate b.example. */
const verdict = (type: string, detail: string): Script => at('challenge', json(200, problem(type, detail)), B);

/** The order turns invalid while the CA makes the certificate, as Boulder's asynchronous finalize has it. */
const invalidOrder =
  (error: object | undefined, ...names: readonly string[]): Script =>
  ({ step, names: ordered }) => {
    if (step !== 'finalize' || (names.length > 0 && !names.some((name) => ordered.includes(name)))) return undefined;
    const identifiers = ordered.map((value) => ({ type: 'dns', value }));
    return json(200, { status: 'invalid', identifiers, authorizations: [], finalize: 'http://127.0.0.1/', error });
  };

const inBoulder = (ms: number): string => new Date(Date.now() + ms).toISOString().slice(0, 19).replace('T', ' ');
const get = `Get "http://${B}/.well-known/acme-challenge/x"`;

const VALIDATION: readonly Row[] = [
  {
    name: 'the firewall drops the CA',
    ca: verdict(
      'connection',
      '192.0.2.1: Fetching http://b.example/: Timeout during connect (likely firewall problem)',
    ),
    words: 'Timeout during connect (likely firewall problem)',
    cure: /DNS A\/AAAA of b\.example points to a public agent running marathon-lb, and that the firewall lets TCP 80 in/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'nothing listens on port 80',
    ca: verdict('connection', `${get}: dial tcp 192.0.2.1:80: connect: connection refused`),
    words: 'dial tcp 192.0.2.1:80: connect: connection refused',
    cure: /Nothing listens there on port 80\. Is marathon-lb running on the machine that b\.example points to/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the connection is reset',
    ca: verdict('connection', '192.0.2.1: Fetching http://b.example/: Connection reset by peer'),
    words: 'Connection reset by peer',
    cure: /Nothing listens there on port 80/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the name is reachable from one place and not from others',
    ca: verdict(
      'connection',
      'During secondary validation: 192.0.2.1: Fetching http://b.example/: Timeout during connect',
    ),
    words: 'During secondary validation: 192.0.2.1',
    cure: /geo-blocking, DDoS protection or stale DNS/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'other places see another answer',
    ca: verdict('unauthorized', 'During secondary validation: 192.0.2.1: Invalid response from http://b.example/: 403'),
    words: 'During secondary validation: 192.0.2.1: Invalid response',
    cure: /reachable from one place but not from others/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the challenge path is redirected to another port',
    ca: verdict(
      'connection',
      'Fetching https://b.example:8443/: Invalid port in redirect target. Only ports 80 and 443 are supported, not 8443',
    ),
    words: 'Only ports 80 and 443 are supported, not 8443',
    cure: /Exempt \/\.well-known\/acme-challenge from the redirect/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'the challenge path is redirected in circles',
    ca: verdict('connection', 'Fetching http://b.example/: Redirect loop detected'),
    words: 'Redirect loop detected',
    cure: /no more than ten\. Exempt/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'the challenge path is redirected too often',
    ca: verdict('connection', 'Fetching http://b.example/: Too many redirects'),
    words: 'Too many redirects',
    cure: /Exempt/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'another app answers 404',
    ca: verdict('unauthorized', '192.0.2.1: Invalid response from http://b.example/.well-known/acme-challenge/x: 404'),
    words: 'Invalid response from http://b.example/.well-known/acme-challenge/x: 404',
    cure: /Another app answered for b\.example: give this app's HAPROXY_0_VHOST the name/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'another app answers with a page',
    ca: verdict('unauthorized', '192.0.2.1: Invalid response from http://b.example/: "<!DOCTYPE html>\\n<html><h1>Hi"'),
    words: '"<!DOCTYPE html>\\n<html><h1>Hi"',
    cure: /highest HAPROXY_0_BACKEND_WEIGHT/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'another ACME client answers',
    ca: verdict('unauthorized', 'The key authorization file from the server did not match this challenge'),
    words: 'did not match this challenge',
    cure: /Another app answered/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'there is no such name',
    ca: verdict(
      'dns',
      'DNS problem: NXDOMAIN looking up A for b.example - check that a DNS record exists for this domain',
    ),
    words: 'NXDOMAIN looking up A for b.example',
    cure: /Create a public A or AAAA record for b\.example, or take the name out of the labels/,
    ...{ blames: [B], wait: 'dns' },
  },
  {
    name: 'the name has no address',
    ca: verdict('dns', 'no valid A records found for b.example; no valid AAAA records found for b.example'),
    words: 'no valid A records found for b.example',
    cure: /Create a public A or AAAA record/,
    ...{ blames: [B], wait: 'dns' },
  },
  {
    name: 'its name servers answer with errors',
    ca: verdict(
      'dns',
      "DNS problem: SERVFAIL looking up A for b.example - the domain's nameservers may be malfunctioning",
    ),
    words: 'SERVFAIL looking up A for b.example',
    cure: /name servers of b\.example answer with errors \(DNSSEC\?/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'its name servers do not answer for CAA',
    ca: verdict('dns', 'While processing CAA for b.example: DNS problem: query timed out looking up CAA for b.example'),
    words: 'query timed out looking up CAA',
    cure: /CAA queries dropped\?\): ask the DNS provider/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'a CAA record forbids this CA, and the CA looks at once',
    ca: verdict('caa', 'CAA record for b.example prevents issuance'),
    words: 'CAA record for b.example prevents issuance',
    cure: /add one that allows it \(Let's Encrypt's is 0 issue "letsencrypt\.org"\), or remove the record/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'the redirect leads to broken TLS',
    ca: verdict('tls', 'Fetching https://b.example/: remote error: tls: handshake failure'),
    words: 'remote error: tls: handshake failure',
    cure: /redirected to HTTPS whose TLS is broken/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the redirect leads to a port that knows no TLS',
    ca: verdict('malformed', 'Fetching https://b.example/: Server only speaks HTTP, not TLS'),
    words: 'Server only speaks HTTP, not TLS',
    cure: /redirected to HTTPS whose TLS is broken/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the CA itself failed at this name',
    ca: verdict('serverInternal', 'Could not communicate with VA'),
    words: 'Could not communicate with VA',
    cure: /has a problem/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'the CA has a word that we do not know',
    ca: verdict('moonPhase', 'Waxing'),
    words: 'moonPhase: Waxing',
    cure: /Waxing$/,
    ...{ blames: [B], wait: 'name' },
  },
  {
    name: 'all names fail, each for a reason of its own',
    ca: ({ step, names: [name] }) => {
      if (step !== 'challenge') return undefined;
      return json(
        200,
        name === A ? problem('caa', 'CAA record for a.example prevents issuance') : problem('dns', 'NXDOMAIN'),
      );
    },
    words: '',
    cure: /record/,
    ...{ blames: [A, B], wait: { [A]: 'day', [B]: 'dns' } },
  },
  {
    name: 'the CA proves names in other ways only',
    ca: ({ step, names }) => {
      if (step !== 'authz' || names[0] !== B) return undefined;
      const challenges = [{ type: 'dns-01', url: 'http://127.0.0.1/', status: 'pending', token: 'x' }];
      return json(200, { status: 'pending', identifier: { type: 'dns', value: B }, challenges });
    },
    words: 'the CA offers no http-01 challenge for it',
    cure: /wants b\.example proved in another way: use another LETSENCRYPT_SERVER_URL/,
    ...{ blames: [B], wait: 'day' },
  },
];

const NO_SUFFIX = 'Domain name does not end with a valid public suffix (TLD)';

const REFUSED_NAMES: readonly Row[] = [
  {
    name: 'one name of two is not public: it stands in quotes only',
    ca: at(
      'newOrder',
      refusal(400, 'rejectedIdentifier', `Invalid identifiers requested :: Cannot issue for "${B}": ${NO_SUFFIX}`),
      B,
    ),
    words: `Cannot issue for "${B}": ${NO_SUFFIX}`,
    cure: /b\.example is no public domain name: take it out of the labels/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'two names of three are not public: they are subproblems',
    domains: [A, B, C],
    ca: at(
      'newOrder',
      refusal(
        400,
        'rejectedIdentifier',
        `Cannot issue for "${B}": ${NO_SUFFIX} (and 1 more problems. Refer to sub-problems for more information.)`,
        {
          subproblems: [named(B, 'rejectedIdentifier', NO_SUFFIX), named(C, 'rejectedIdentifier', NO_SUFFIX)],
        },
      ),
      B,
      C,
    ),
    words: NO_SUFFIX,
    cure: /is no public domain name/,
    ...{ blames: [B, C], wait: 'week' },
  },
  {
    name: 'a name is forbidden by policy',
    ca: at(
      'newOrder',
      refusal(
        400,
        'rejectedIdentifier',
        `Cannot issue for "${B}": The ACME server refuses to issue a certificate for this domain name, because it is forbidden by policy`,
      ),
      B,
    ),
    words: 'because it is forbidden by policy',
    cure: /The CA will not issue for b\.example, by its policy: take the name out of the labels/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'a name is malformed',
    ca: at(
      'newOrder',
      refusal(400, 'malformed', `Cannot issue for "${B}": Domain name contains an invalid character`),
      B,
    ),
    words: 'Domain name contains an invalid character',
    cure: /cannot read b\.example as a domain name/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'names refused while the certificate is made',
    ca: at(
      'finalize',
      refusal(400, 'rejectedIdentifier', `Error finalizing order :: Cannot issue for "${B}": policy has changed`),
      B,
    ),
    words: 'policy has changed',
    cure: /will not issue for b\.example/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'the CA refuses one of three and does not say which: it is found',
    domains: [A, B, C],
    ca: at('newOrder', refusal(400, 'rejectedIdentifier', 'One of these is forbidden'), B),
    words: 'One of these is forbidden',
    cure: /will not issue for b\.example/,
    ...{ blames: [B], wait: 'week', orders: [[A, B, C], [A], [B], [A, C]] },
  },
  {
    name: 'the CA refuses any names and does not say why: no name is blamed',
    ca: at('newOrder', refusal(400, 'rejectedIdentifier', 'Not today')),
    words: 'Not today',
    cure: /take the name out of the labels/,
    ...{ blames: 'certificate', wait: 'day', orders: [[A, B], [A], [B]] },
  },
  {
    name: 'the CA refuses the only name and does not name it',
    domains: [B],
    ca: at('newOrder', refusal(400, 'rejectedIdentifier', 'It is forbidden')),
    words: 'It is forbidden',
    cure: /will not issue for b\.example/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'there are more names than the CA puts on a certificate',
    ca: at('newOrder', refusal(400, 'malformed', 'Order cannot contain more than 25 identifiers')),
    words: 'Order cannot contain more than 25 identifiers',
    cure: /no more than 25 names on a certificate: shorten HAPROXY_0_VHOST \(or DOMAINS\) to 25 names/,
    ...{ blames: 'certificate', wait: 'week' },
  },
];

const SEE = ': see https://letsencrypt.org/docs/rate-limits/';

function limited(detail: string, headers: Readonly<Record<string, string>> = {}, ...names: readonly string[]): Script {
  return at('newOrder', { ...refusal(429, 'rateLimited', detail), headers }, ...names);
}

const UNPAUSE = 'https://portal.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

const LIMITS: readonly Row[] = [
  {
    name: 'five certificates for these very names: the CA gives 34 hours in seconds',
    ca: limited(
      `too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-24 08:00:00 UTC${SEE}`,
      {
        'Retry-After': '122400',
      },
    ),
    words: 'too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s',
    cure: /The certificate in place stays until it expires; nothing is asked of the CA before that time/,
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
    cure: /The certificate in place stays/,
    ...{ blames: ['www.busy.example', 'busy.example'], wait: 12_120 * SECOND },
  },
  {
    name: 'several registered domains are used up: they are subproblems',
    domains: [A, 'www.busy.example', C],
    ca: limited2(),
    words: 'too many certificates already issued',
    cure: /The certificate in place stays/,
    ...{ blames: ['www.busy.example', C], wait: HOUR },
  },
  {
    name: 'too many orders of our account: the time stands in the text only',
    ca: limited(
      `too many new orders (300) from this account in the last 3h0m0s, retry after ${inBoulder(2 * HOUR)} UTC${SEE}`,
    ),
    words: 'too many new orders (300) from this account',
    cure: /nothing is asked of the CA before that time/,
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
    cure: /b\.example failed too often and is paused at the CA: mend it first, then open that link/,
    ...{ blames: [B], wait: 'week' },
  },
  {
    name: 'several names are paused',
    domains: [A, B, C],
    ca: limited(
      `Your account is temporarily prevented from requesting certificates for ${B}, ${C} and possibly others. Please visit: ${UNPAUSE}`,
      {},
      B,
      C,
    ),
    words: `Please visit: ${UNPAUSE}`,
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
    cure: /nothing is asked of the CA before that time/,
    ...{ blames: 'account', wait: 1_080 * SECOND, orders: [] },
  },
  {
    name: 'a Retry-After of thirty years is not believed',
    ca: limited('too many new orders (300) from this account', { 'Retry-After': '999999999' }),
    words: 'too many new orders',
    cure: /stays/,
    ...{ blames: 'account', wait: 7 * DAY },
  },
  {
    name: 'a Retry-After in the past is none',
    ca: limited('too many new orders (300) from this account', { 'Retry-After': 'Mon, 01 Jan 2024 00:00:00 GMT' }),
    words: 'too many new orders',
    cure: /stays/,
    ...{ blames: 'account', wait: 'order' },
  },
  {
    name: 'a Retry-After that is no time leaves the one in the text',
    ca: limited(`too many new orders (300) from this account, retry after ${inBoulder(5 * HOUR)} UTC`, {
      'Retry-After': 'tomorrow',
    }),
    words: 'too many new orders',
    cure: /stays/,
    ...{ blames: 'account', wait: 5 * HOUR },
  },
  {
    name: 'a rate limit without any time',
    ca: limited('slow down'),
    words: 'slow down',
    cure: /stays/,
    ...{ blames: 'account', wait: 'order' },
  },
  {
    name: 'the CA is busy',
    ca: at('newOrder', {
      ...refusal(503, 'rateLimited', 'Service busy; retry later.'),
      headers: { 'Retry-After': '300' },
    }),
    words: 'Service busy; retry later.',
    cure: /The CA is busy; certificates in place stay valid/,
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

const ACCOUNT: readonly Row[] = [
  {
    name: 'the account was deactivated',
    ca: at('newOrder', refusal(403, 'unauthorized', 'Account is not valid, has status "deactivated"')),
    words: 'Account is not valid, has status "deactivated"',
    cure: /deactivated or revoked: delete its file in the state folder to have a new one/,
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
    name: 'the CA does not like contacts, and not the lack of one either',
    ca: at('newAccount', refusal(400, 'invalidContact', 'a contact is required')),
    words: 'a contact is required',
    cure: /Correct LETSENCRYPT_EMAIL/,
    env: { LETSENCRYPT_EMAIL: 'me@a.example' },
    ...{ blames: 'account', wait: 'settings', orders: [] },
  },
];

const CAA = 'Error finalizing order :: ';

const ORDER: readonly Row[] = [
  ...['badCSR', 'badPublicKey', 'badSignatureAlgorithm'].map(
    (type): Row => ({
      name: `the key is not to the CA's taste: ${type}`,
      ca: at('finalize', refusal(400, type, `${CAA}key is not acceptable`)),
      words: `${type}: ${CAA}key is not acceptable`,
      cure: /does not take this kind of key: set KEY_TYPE=ec256 or KEY_TYPE=rsa2048/,
      ...{ blames: 'certificate', wait: 'settings' },
    }),
  ),
  {
    name: 'a CAA record forbids the certificate at the end: the CA names our name',
    ca: at(
      'finalize',
      refusal(403, 'caa', `${CAA}While processing CAA for ${B}: CAA record for example prevents issuance`),
      B,
    ),
    words: `While processing CAA for ${B}: CAA record for example prevents issuance`,
    cure: /A CAA record forbids this CA to issue for b\.example/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'a CAA record forbids the certificate at the end: the CA names the zone only',
    domains: [A, 'www.zone.example'],
    ca: at('finalize', refusal(403, 'caa', `${CAA}CAA record for zone.example prevents issuance`), 'www.zone.example'),
    words: 'CAA record for zone.example prevents issuance',
    cure: /forbids this CA to issue for www\.zone\.example/,
    ...{ blames: ['www.zone.example'], wait: 'day' },
  },
  {
    name: 'a CAA record forbids the certificate at the end: the zone may mean all',
    ca: at('finalize', refusal(403, 'caa', `${CAA}CAA record for elsewhere.test prevents issuance`)),
    words: 'CAA record for elsewhere.test prevents issuance',
    cure: /add one that allows it/,
    ...{ blames: 'certificate', wait: 'day' },
  },
  {
    name: 'CAA records forbid two of three at the end: they are subproblems',
    domains: [A, B, C],
    ca: at(
      'finalize',
      refusal(
        403,
        'caa',
        `${CAA}Rechecking CAA for "${B}" and 1 more identifiers failed. Refer to sub-problems for more information`,
        {
          subproblems: [B, C].map((name) =>
            named(name, 'caa', `While processing CAA for ${name}: CAA record for ${name} prevents issuance`),
          ),
        },
      ),
      B,
      C,
    ),
    words: 'prevents issuance',
    cure: /A CAA record forbids this CA/,
    ...{ blames: [B, C], wait: 'day' },
  },
  {
    name: 'a CAA record forbids the certificate while the CA makes it: the order turns invalid',
    ca: invalidOrder(problem('caa', `${CAA}While processing CAA for ${B}: CAA record for ${B} prevents issuance`), B),
    words: `CAA record for ${B} prevents issuance`,
    cure: /forbids this CA to issue for b\.example/,
    ...{ blames: [B], wait: 'day' },
  },
  {
    name: 'names fail while the CA makes the certificate: the invalid order has subproblems',
    domains: [A, B, C],
    ca: invalidOrder(
      problem('caa', 'Rechecking CAA failed', {
        subproblems: [B, C].map((name) => named(name, 'caa', `CAA record for ${name} prevents issuance`)),
      }),
      B,
      C,
    ),
    words: 'prevents issuance',
    cure: /forbids this CA/,
    ...{ blames: [B, C], wait: 'day' },
  },
  {
    name: 'the order turns invalid and the CA says why, but not for whom',
    ca: invalidOrder(problem('unauthorized', 'Something about it')),
    words: 'Something about it',
    cure: /Something about it/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the order turns invalid and the CA does not say why',
    ca: invalidOrder(undefined),
    words: 'the order is invalid, and the CA does not say why',
    cure: /That order is given up; the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the order is gone',
    ca: ({ step }) => (step === 'order' ? refusal(404, 'malformed', 'No order for ID 7') : undefined),
    words: 'No order for ID 7',
    cure: /That order is given up; the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the CA speaks of profiles, of which we asked for none',
    ca: at('newOrder', refusal(400, 'invalidProfile', 'Profile "classic" is not offered')),
    words: 'Profile "classic" is not offered',
    cure: /That order is given up; the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the CA speaks of a replaced certificate, though we named none',
    ca: at('newOrder', refusal(409, 'alreadyReplaced', 'cannot indicate an order replaces certificate with serial')),
    words: 'cannot indicate an order replaces certificate with serial',
    cure: /That order is given up; the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'the CA makes an order for other names',
    ca: ({ step, names }) => {
      if (step !== 'newOrder' || names.length !== 2) return undefined;
      const order = {
        status: 'pending',
        identifiers: [{ type: 'dns', value: A }],
        authorizations: [],
        finalize: 'http://127.0.0.1/',
      };
      return json(201, order, { Location: 'http://127.0.0.1/order/9' });
    },
    words: 'the order lists a.example instead of a.example, b.example',
    cure: /That order is given up; the next try makes a new one/,
    ...{ blames: 'certificate', wait: 'order' },
  },
  {
    name: 'what the CA gives as the certificate is none',
    ca: (asked) => {
      if (asked.step !== 'finalize') return undefined;
      const identifiers = asked.names.map((value) => ({ type: 'dns', value }));
      const base = { status: 'valid', identifiers, authorizations: [], finalize: 'http://127.0.0.1/' };
      return json(200, { ...base, certificate: `${asked.base}/certificate/0` });
    },
    words: 'it is no PEM',
    cure: /certificate at 127/,
    ...{ blames: 'directory', wait: 'outage' },
  },
];

const SICK = /The CA, or a proxy on the way to it, has a problem; certificates in place stay valid/;
const SQUID = '<html><head><style>b{}</style></head><body><h1>502 Bad Gateway</h1>\n<p>squid</p></body></html>';
const html = (status: number, body: string): Bytes => ({ status, headers: { 'Content-Type': 'text/html' }, body });

const SICKNESS: readonly Row[] = [
  {
    name: 'the CA has an inner error',
    ca: at('newOrder', refusal(500, 'serverInternal', 'Error creating new order')),
    words: 'Error creating new order',
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'the CA has an inner error about a name in quotes: that is not the name’s',
    ca: at('newOrder', refusal(500, 'serverInternal', `Error creating authz for "${B}"`)),
    words: `Error creating authz for "${B}"`,
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'a proxy answers with its page',
    ca: at('newOrder', html(502, SQUID)),
    words: 'HTTP 502: 502 Bad Gateway squid',
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'the CA is down for maintenance and says until when',
    ca: at('directory', { status: 503, headers: { 'Retry-After': '7200' } }),
    words: 'HTTP 503',
    cure: SICK,
    ...{ blames: 'directory', wait: 2 * HOUR, orders: [] },
  },
  {
    name: 'the gateway times out',
    ca: at('newOrder', { status: 504, body: '' }),
    words: 'HTTP 504',
    cure: SICK,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'every nonce is bad',
    ca: at('newOrder', refusal(400, 'badNonce', 'JWS has an invalid anti-replay nonce')),
    words: 'JWS has an invalid anti-replay nonce',
    cure: /Does a proxy on the way to the CA keep old answers/,
    ...{ blames: 'directory', wait: 'outage', orders: Array.from({ length: 21 }, () => [A, B]) },
  },
  {
    name: 'the directory is a page',
    ca: at('directory', html(200, '<html>Welcome</html>')),
    words: 'directory',
    cure: /Is LETSENCRYPT_SERVER_URL the URL of an ACME v2 directory/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'there is nothing at that URL',
    ca: at('directory', html(404, '<h1>Not Found</h1>')),
    words: 'HTTP 404: Not Found',
    cure: /Is LETSENCRYPT_SERVER_URL the URL of an ACME v2 directory/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'the directory is elsewhere',
    ca: at('directory', { status: 302, headers: { Location: 'https://login.example/' } }),
    words: 'redirects to https://login.example/',
    cure: /Is LETSENCRYPT_SERVER_URL the URL of an ACME v2 directory/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'half of an answer',
    ca: at('newOrder', { ...json(201, { status: 'pending' }), fault: 'half' }),
    words: 'newOrder',
    cure: /firewall|directory/,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'an answer that is no JSON',
    ca: at('newOrder', { status: 201, headers: { Location: 'http://127.0.0.1/order/1' }, body: '{"status": "pend' }),
    words: 'the answer is no JSON object',
    cure: /something on the way spoils its answers/,
    ...{ blames: 'directory', wait: 'outage' },
  },
];

const OUT = /Does the firewall let this container out to the CA, or is a proxy needed \(HTTPS_PROXY\)/;
const UNTRUSTED = issue({ domains: ['localhost'] });
const OUTDATED = issue({ domains: ['localhost'], notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') });
const well: Script = () => undefined;

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

const REACHING: readonly Row[] = [
  {
    name: 'the name of the CA cannot be resolved',
    ca: well,
    directoryUrl: async () => 'https://no-such-ca.invalid/directory',
    words: 'no-such-ca.invalid',
    cure: /host name cannot be resolved: check LETSENCRYPT_SERVER_URL and the DNS of this container/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'nothing listens at the CA',
    ca: well,
    directoryUrl: async () => `https://127.0.0.1:${await closedPort()}/directory`,
    words: 'ECONNREFUSED',
    cure: OUT,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'a firewall resets the connection',
    ca: at('newOrder', { fault: 'reset' }),
    words: 'ECONNRESET',
    cure: OUT,
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: 'the CA takes the order and never answers',
    ca: at('newOrder', { fault: 'silence' }),
    words: 'ETIMEDOUT: no answer within 1 s',
    cure: OUT,
    env: { ACME_TIMEOUT: '1' },
    ...{ blames: 'directory', wait: 'outage' },
  },
  {
    name: "the CA's certificate is not trusted",
    ca: well,
    tls: UNTRUSTED,
    words: 'newAccount at localhost',
    cure: /set ACME_CA_FILE to the root certificate \(PEM\)/,
    ...{ blames: 'directory', wait: 'settings', orders: [] },
  },
  {
    name: "the CA's certificate is out of date",
    ca: well,
    tls: OUTDATED,
    words: 'CERT_HAS_EXPIRED',
    cure: /out of date by the clock of this machine: is the clock right/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'the CA does not speak TLS',
    ca: well,
    directoryUrl: async (_, { directoryUrl }) => directoryUrl.replace('http:', 'https:'),
    words: 'EPROTO',
    cure: /That is not TLS: check LETSENCRYPT_SERVER_URL and HTTPS_PROXY/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'the proxy refuses the way to the CA',
    ca: well,
    directoryUrl: async () => 'https://ca.example/directory',
    env: { HTTPS_PROXY: 'http://127.0.0.1:9' },
    words: 'ECONNREFUSED 127.0.0.1:9 (HTTPS_PROXY is set)',
    cure: /Does that proxy work, and does it let us out to the CA\? Check HTTPS_PROXY and NO_PROXY/,
    ...{ blames: 'directory', wait: 'outage', orders: [] },
  },
  {
    name: 'ACME_CA_FILE holds no certificate',
    ca: well,
    tls: UNTRUSTED,
    env: { ACME_CA_FILE: join(import.meta.dirname, 'acme-catalogue.test.ts') },
    words: 'ACME_CA_FILE holds no certificate that can be read',
    cure: /ACME_CA_FILE/,
    ...{ blames: 'directory', wait: 'settings', orders: [] },
  },
];

const ROWS: readonly Row[] = [
  ...VALIDATION,
  ...REFUSED_NAMES,
  ...LIMITS,
  ...ACCOUNT,
  ...ORDER,
  ...SICKNESS,
  ...REACHING,
];

test('what a CA may say, and what becomes of it', { concurrency: 8 }, async (t) => {
  await Promise.all(ROWS.map((row) => t.test(row.name, (t) => play(t, row))));
});

async function play(t: TestContext, row: Row): Promise<void> {
  const { domains = [A, B], blames, env = {} } = row;
  const ca = await startCannedCa(t, row.ca, row.tls);
  const directoryUrl = (await row.directoryUrl?.(t, ca)) ?? ca.directoryUrl;
  const program = await startProgram(t, { directoryUrl, domains, env });
  const rest = domains.filter((name) => !blames.includes(name));
  const expected = row.orders ?? (typeof blames === 'string' || rest.length === 0 ? [domains] : [domains, rest]);
  let last: Told | null = null;
  const settled = async (): Promise<Told | false> => {
    last = await program.told();
    return last !== null && ca.orders().length >= expected.length && hasSaid(last, row) && last;
  };
  const told = await until(settled, row.name, 15_000).catch((error: Error) => {
    throw new Error(`${error.message}; it says ${JSON.stringify(last)}; orders ${JSON.stringify(ca.orders())}`);
  });
  assert.deepEqual(ca.orders(), expected, 'the orders that were asked for');
  const proved = ca.asked.filter(({ step }) => step === 'challenge').flatMap(({ names }) => names);
  assert.deepEqual(proved, [...new Set(proved)], 'what was proved once is not proved again');
  for (const { who, sentence, until: then } of blamed(told, row)) {
    assert.ok(sentence.includes(row.words), sentence);
    assert.match(sentence, row.cure);
    const named = typeof row.wait === 'object' ? row.wait[who] : row.wait;
    const wait = typeof named === 'number' ? named : FIRST_WAIT[named ?? 'order'];
    const waits = Date.parse(then) - Date.parse(told.at);
    assert.ok(Math.abs(waits - wait) <= wait * 0.11 + 20 * SECOND, `tried again after ${waits / MINUTE} minutes`);
  }
}

interface Blame {
  readonly who: string;
  readonly sentence: string;
  readonly until: string;
}

/** Of each name that is blamed; or of all of them, for which the plan itself speaks. */
function blamed({ certificate }: Told, { blames }: Row): readonly Blame[] {
  if (typeof blames === 'string') {
    const next = /next try (\S+Z)/.exec(certificate.why)?.[1];
    return next === undefined || certificate.state !== 'backing-off'
      ? []
      : [{ who: blames, sentence: certificate.why, until: next }];
  }
  return certificate.names.flatMap(({ name, obstacle }) =>
    obstacle?.from === 'ca' ? [{ who: name, sentence: obstacle.why, until: obstacle.until }] : [],
  );
}

function hasSaid(told: Told, row: Row): boolean {
  const found = blamed(told, row);
  if (typeof row.blames === 'string') return found.length === 1;
  assert.ok(
    found.every(({ who }) => row.blames.includes(who)),
    'somebody else is blamed',
  );
  return found.length === row.blames.length;
}

test('the state folder cannot be written: nothing is asked of the CA, and the cure is told', async (t) => {
  const ca = await startCannedCa(t, well);
  const inTheWay = { STATE_DIR: join(import.meta.filename, 'state') };
  const program = await startProgram(t, { directoryUrl: ca.directoryUrl, domains: [A, B], env: inTheWay });
  const told = await until(async () => (await program.told())?.certificate, 'a plan');
  assert.equal(told.state, 'not-writable');
  assert.match(told.why, /nothing is ordered until it can; STATE_DIR must be a folder, and a file is in its way/);
  assert.deepEqual(ca.asked, []);
});

/** What needs no operator: the program helps itself, and the order goes on. */
interface Handled {
  readonly name: string;
  /** Made anew for each CA, for it remembers. */
  readonly ca: () => Script;
  readonly env?: Readonly<Record<string, string>>;
  /** How often each was asked for. */
  readonly steps: Partial<Record<Step, number>>;
}

const once = (step: Step, answer: Bytes) => (): Script => {
  let told = false;
  return (asked) => {
    if (told || asked.step !== step) return undefined;
    told = true;
    return answer;
  };
};

const HANDLED: readonly Handled[] = [
  {
    name: 'an account that the CA has forgotten is registered anew with the same key',
    ca: once('newOrder', refusal(400, 'accountDoesNotExist', 'No account exists with the provided key')),
    steps: { newAccount: 2, newOrder: 2 },
  },
  ...['unsupportedContact', 'invalidContact'].map((type) => ({
    name: `an address that the CA does not take is left out: ${type}`,
    ca:
      (): Script =>
      ({ step, payload }) =>
        step === 'newAccount' && 'contact' in payload
          ? refusal(400, type, 'contact email has invalid domain')
          : undefined,
    env: { LETSENCRYPT_EMAIL: 'me@a.example' },
    steps: { newAccount: 2, newOrder: 1 },
  })),
  {
    name: 'a nonce that is spent is replaced',
    ca: once('newOrder', refusal(400, 'badNonce', 'JWS has an invalid anti-replay nonce')),
    steps: { newOrder: 2 },
  },
  {
    name: 'an order that is not ready yet is waited for',
    ca: once('finalize', refusal(403, 'orderNotReady', 'Order is not ready')),
    steps: { newOrder: 1, finalize: 2 },
  },
  {
    name: 'a finalize whose answer is lost is not sent blindly again',
    ca: once('finalize', { fault: 'reset' }),
    steps: { newOrder: 1, finalize: 2 },
  },
  {
    name: 'a broken read is repeated',
    ca: once('authz', { fault: 'reset' }),
    steps: { newOrder: 1, authz: 3 },
  },
];

test('what a CA may say that the program answers by itself', { concurrency: 8 }, async (t) => {
  await Promise.all(HANDLED.map((row) => t.test(row.name, (t) => goesOn(t, row))));
});

async function goesOn(t: TestContext, { ca: script, env = {}, steps }: Handled): Promise<void> {
  const ca = await startCannedCa(t, script());
  const program = await startProgram(t, { directoryUrl: ca.directoryUrl, domains: [A, B], env });
  const count = (step: string): number => ca.asked.filter((asked) => asked.step === step).length;
  await until(
    () => count('finalize') >= (steps.finalize ?? 1) && count('order') > 1,
    'the order to be finalized',
    15_000,
  );
  const found = Object.keys(steps).map((step) => [step, count(step)]);
  assert.deepEqual(Object.fromEntries(found), steps);
  assert.equal((await program.told())?.certificate.state, 'ordering');
}
