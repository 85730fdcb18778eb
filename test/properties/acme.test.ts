/**
 * What a CA may answer, bent: one sentence that may be printed, blame for names of ours only, and no wait without end.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { judge } from '../../src/acme/catalogue.ts';
import { type AcmeError, parseRetryAfter, readProblem, refusal, verdict } from '../../src/acme/problem.ts';
import { anyText, assertPrintable, holds } from './holds.ts';
import { mutations } from './mutated.ts';

const LONGEST_SENTENCE = 6_000;
const NAMES = ['a.shop.net', 'b.shop.net', 'other.org'];
const MONTH_MS = 31 * 86_400_000;
const NOW = new Date('2026-03-01T12:00:00Z');

const types = [
  'dns',
  'connection',
  'unauthorized',
  'caa',
  'tls',
  'rateLimited',
  'rejectedIdentifier',
  'compound',
  'serverInternal',
  'malformed',
  'badCSR',
];
const type = fc.oneof(
  fc.constantFrom(...types).map((one) => `urn:ietf:params:acme:error:${one}`),
  fc.constantFrom('about:blank', '', '__proto__', 'urn:ietf:params:acme:error:'),
);
const detail = fc.oneof(
  fc.constantFrom(
    'Cannot issue for "a.shop.net": it is on a list',
    'too many certificates (5) already issued for "shop.net" in the last 168h0m0s, retry after 2026-03-04 05:06:07 UTC: see https://x',
    'Your account is temporarily prevented from requesting certificates for a.shop.net,b.shop.net and possibly others. Please visit: https://x',
    'CAA record for somebody.else prevents issuance',
    'Invalid response from http://a.shop.net/.well-known/acme-challenge/x: 404',
  ),
  anyText(
    '"a.shop.net"',
    'for "',
    '<',
    '<style',
    '<script>',
    'requesting certificates for ',
    ' retry after 9999-99-99 99:99:99',
    '-----BEGIN PRIVATE KEY-----',
  ),
);
const identifier = fc.record({
  type: fc.constant('dns'),
  value: fc.oneof(fc.constantFrom(...NAMES, 'A.SHOP.NET', 'somebody.else', ''), anyText('.', 'a')),
});
const problem = fc.record(
  {
    type,
    detail,
    status: fc.integer(),
    instance: anyText('https://'),
    subproblems: fc.array(fc.record({ type, detail, identifier }, { requiredKeys: ['type'] }), { maxLength: 8 }),
  },
  { requiredKeys: ['type'] },
);
const data = fc.oneof(
  fc.tuple(problem, mutations).map(([one, mutate]) => mutate(one)),
  problem,
  detail,
  fc.jsonValue(),
);
const retryAfter = fc.option(fc.date({ noInvalidDate: true }), { nil: undefined });

function assertTold(error: AcmeError): void {
  assertSentence(error.message);
  const judgements = judge(error, NAMES);
  assert.ok(judgements.length > 0, 'somebody is to blame');
  for (const { names, problem: sentence } of judgements) {
    assert.ok(names.length > 0 && names.every((name) => NAMES.includes(name)), `${names}`);
    assertSentence(sentence);
  }
}

function assertSentence(sentence: string): void {
  assertPrintable(sentence, LONGEST_SENTENCE);
  assert.doesNotMatch(sentence, /PRIVATE KEY|\bundefined\b|NaN|\[object/);
}

holds(
  'whatever a CA answers to a request is one sentence, and blames names of the order',
  fc.tuple(data, fc.integer({ min: 300, max: 599 }), retryAfter),
  ([answer, status, at]) => {
    assertTold(refusal({ status, data: answer, retryAfter: at }, 'newOrder at ca.test'));
  },
);

holds(
  'whatever a CA says of an order is one sentence, and blames names of the order',
  fc.array(data, { maxLength: 6 }),
  (answers) => {
    const subproblems = answers.flatMap((one) => {
      const told = readProblem(one);
      return told === undefined
        ? []
        : [{ type: told.type, detail: told.detail, domain: NAMES[told.detail.length % 4] }];
    });
    assertTold(verdict(subproblems));
  },
);

const header = fc.oneof(
  fc.integer({ min: -5, max: 5_000_000 }).map(String),
  fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  fc.date({ noInvalidDate: true }).map((date) => date.toString()),
  fc.constantFrom(
    '',
    ' 12 ',
    '1.5',
    '1e9',
    '-1',
    '0x10',
    '9'.repeat(400),
    'Mon 5',
    'Monday, 99-Foo-99',
    'Sun, 06 Nov 1994 08:49:37 GMT',
  ),
  fc.anything(),
  anyText('Mon, ', '9', ' '),
);

holds('a Retry-After is a moment of the next month, or nothing', header, (value) => {
  const at = parseRetryAfter(value, NOW);
  if (at === undefined) return;
  assert.ok(!Number.isNaN(at.getTime()), 'no date');
  assert.ok(at.getTime() <= NOW.getTime() + MONTH_MS, at.toISOString());
  if (typeof value === 'string' && /^\d{1,5}$/.test(value))
    assert.equal(at.getTime(), NOW.getTime() + Number(value) * 1000);
});
