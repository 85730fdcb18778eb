/** What the CA says in an error, and what becomes of it: one sentence with the names, the CA's own words and a cure. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { AcmeError, parseRetryAfter, refusal, verdict } from '../../src/acme/problem.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const NS = 'urn:ietf:params:acme:error:';

const retryAfters: readonly { header: unknown; at: string | undefined }[] = [
  { header: '0', at: '2026-11-22T12:00:00.000Z' },
  { header: '120', at: '2026-11-22T12:02:00.000Z' },
  { header: ' 3 ', at: '2026-11-22T12:00:03.000Z' },
  { header: '122400', at: '2026-11-23T22:00:00.000Z' }, // 34 hours: a real one of Let's Encrypt
  { header: 'Sun, 22 Nov 2026 13:00:00 GMT', at: '2026-11-22T13:00:00.000Z' },
  { header: 'Sun, 22 Nov 2026 11:00:00 GMT', at: '2026-11-22T11:00:00.000Z' },
  { header: '99999999999999999999', at: '2026-11-29T12:00:00.000Z' }, // no more than a week is believed
  { header: '-1', at: undefined },
  { header: '1.5', at: undefined },
  { header: 'soon', at: undefined },
  { header: '', at: undefined },
  { header: undefined, at: undefined },
  { header: ['3'], at: undefined },
];
for (const { header, at } of retryAfters) {
  test(`Retry-After ${inspect(header)} means ${at ?? 'nothing'}`, () => {
    assert.equal(parseRetryAfter(header, NOW)?.toISOString(), at);
  });
}

const refusals: readonly {
  name: string;
  status: number;
  data: unknown;
  type: string;
  domains?: string[];
  says: RegExp;
}[] = [
  {
    name: 'a rate limit keeps the words of the CA',
    status: 429,
    data: {
      type: `${NS}rateLimited`,
      detail:
        'too many certificates (5) already issued for this exact set of identifiers, retry after 2026-11-23 22:00:00 UTC',
    },
    type: 'rateLimited',
    says: /^ACME: newOrder at ca\.example: 429 rateLimited: too many certificates \(5\) already issued .* UTC\. Nothing has to be done: the CA is asked again/,
  },
  {
    name: 'one bad name stands only in quotes',
    status: 400,
    data: {
      type: `${NS}rejectedIdentifier`,
      detail:
        'Invalid identifiers requested :: Cannot issue for "a.lan": Domain name does not end with a valid public suffix (TLD)',
    },
    type: 'rejectedIdentifier',
    domains: ['a.lan'],
    says: /^ACME: a\.lan: rejectedIdentifier: .*public suffix \(TLD\)\. a\.lan is no public domain name/,
  },
  {
    name: 'several bad names come as subproblems',
    status: 400,
    data: {
      type: `${NS}rejectedIdentifier`,
      detail: 'Cannot issue for "a.lan": … (and 1 more problems. Refer to sub-problems for more information.)',
      subproblems: [
        { type: `${NS}rejectedIdentifier`, detail: 'no public suffix', identifier: { type: 'dns', value: 'a.lan' } },
        { type: `${NS}malformed`, detail: 'label too long', identifier: { type: 'dns', value: 'B.example' } },
        'garbage',
        { type: `${NS}caa`, detail: 'no identifier' },
      ],
    },
    type: 'rejectedIdentifier',
    domains: ['a.lan', 'b.example'],
    says: /^ACME: a\.lan: rejectedIdentifier: no public suffix\. .*; b\.example: malformed: label too long\. The CA cannot read b\.example/,
  },
  {
    name: 'new terms to accept keep their link',
    status: 403,
    data: {
      type: `${NS}userActionRequired`,
      detail: 'Terms of service have changed',
      instance: 'https://ca.example/tos',
    },
    type: 'userActionRequired',
    says: /Terms of service have changed \(https:\/\/ca\.example\/tos\)\. The CA has new terms/,
  },
  {
    name: "a proxy's HTML page is no problem document, but says a little",
    status: 502,
    data: '<html><head><style>b{color:red}</style></head><body><h1>502 Bad Gateway</h1>\n<p>squid</p></body></html>',
    type: 'http',
    says: /^ACME: newOrder at ca\.example: HTTP 502: 502 Bad Gateway squid\. Nothing has to be done unless it lasts: the CA, or a proxy/,
  },
  {
    name: 'an empty answer',
    status: 503,
    data: '',
    type: 'http',
    says: /ca\.example: HTTP 503\. Nothing has to be done unless it lasts/,
  },
  {
    name: 'JSON that is no problem document',
    status: 400,
    data: { error: 'nope' },
    type: 'http',
    says: /ca\.example: HTTP 400/,
  },
  { name: 'null', status: 500, data: null, type: 'http', says: /ca\.example: HTTP 500/ },
  {
    name: 'a problem without a detail',
    status: 400,
    data: { type: `${NS}malformed` },
    type: 'malformed',
    says: /malformed: no detail given$/,
  },
];
for (const { name, status, data, type, domains = [], says } of refusals) {
  test(`refused: ${name}`, () => {
    const error = refusal({ status, data, retryAfter: NOW }, 'newOrder at ca.example');
    assert.ok(error instanceof AcmeError);
    assert.match(error.message, says);
    assert.deepEqual([error.type, error.status, error.domains, error.retryAfter], [type, status, domains, NOW]);
    assert.equal(error.undecided, status >= 500);
  });
}

const validations: readonly { type: string; detail: string; cure: RegExp }[] = [
  {
    type: 'connection',
    detail: '192.0.2.1: Fetching http://a.example/…: Timeout during connect (likely firewall problem)',
    cure: /DNS A\/AAAA of a\.example points to a public agent/,
  },
  {
    type: 'connection',
    detail: 'Get "http://a.example/…": dial tcp 192.0.2.1:80: connect: connection refused',
    cure: /Nothing listens there on port 80/,
  },
  {
    type: 'connection',
    detail: 'During secondary validation: 192.0.2.1: Timeout during connect',
    cure: /geo-blocking/,
  },
  { type: 'connection', detail: 'Fetching https://a.example:8443/: Invalid port in redirect target', cure: /Exempt/ },
  {
    type: 'unauthorized',
    detail: 'Invalid response from http://a.example/.well-known/acme-challenge/x: 404',
    cure: /HAPROXY_0_VHOST/,
  },
  { type: 'unauthorized', detail: 'Account is not valid, has status "deactivated"', cure: /delete its file/ },
  {
    type: 'dns',
    detail: 'DNS problem: NXDOMAIN looking up A for a.example',
    cure: /Create a public A or AAAA record for a\.example/,
  },
  { type: 'dns', detail: 'DNS problem: SERVFAIL looking up CAA for a.example', cure: /ask the DNS provider/ },
  { type: 'caa', detail: 'CAA record for a.example prevents issuance', cure: /CAA record forbids/ },
  { type: 'newKindOfTrouble', detail: 'never heard of', cure: /^ACME: a\.example: newKindOfTrouble: never heard of$/ },
];
for (const { type, detail, cure } of validations) {
  test(`a validation that failed with "${type}: ${detail.slice(0, 50)}" names the cure`, () => {
    const error = verdict([{ type, detail, domain: 'a.example' }]);
    assert.ok(error.message.startsWith(`ACME: a.example: ${type}: ${detail}`), error.message);
    assert.match(error.message, cure);
    assert.deepEqual(error.domains, ['a.example']);
  });
}

test('of a hundred failing names the message tells five, and the error holds them all', () => {
  const names = Array.from({ length: 100 }, (_, n) => `n${n}.example`);
  const error = verdict(names.map((domain) => ({ type: 'dns', detail: 'NXDOMAIN', domain })));
  assert.match(error.message, /n4\.example: dns.*; and 95 more names$/);
  assert.ok(!error.message.includes('n5.example'));
  assert.deepEqual(error.domains, names);
});

test('an order that is invalid for no reason given says just that', () => {
  const error = verdict([]);
  assert.match(
    error.message,
    /^ACME: compound: the order is invalid, and the CA does not say why\. Nothing has to be done: that order is given up/,
  );
  assert.deepEqual(error.domains, []);
});
