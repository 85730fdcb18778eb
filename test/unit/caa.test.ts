/** CAA records and what they allow: RFC 8659 §4.2 and §5, RFC 8657, and boulder's reading of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CaaRecord, type CaaVerdict, judgeCaa, restricts } from '../../src/acme/caa.ts';

const OURS = 'https://ca.example/acct/1';
const request = { identities: ['ca.example', 'other-name.example'], accountUrl: OURS };
const issue = (value: string): CaaRecord => ({ flags: 0, tag: 'issue', value });
const tag = (name: string, flags = 0, value = 'x'): CaaRecord => ({ flags, tag: name, value });

const ROWS: readonly { what: string; records: readonly CaaRecord[]; kind: CaaVerdict['kind']; why?: RegExp }[] = [
  { what: 'no records', records: [], kind: 'allowed' },
  { what: 'this CA', records: [issue('ca.example')], kind: 'allowed' },
  { what: 'its second name', records: [issue('other-name.example')], kind: 'allowed' },
  { what: 'capitals', records: [{ ...issue('CA.Example'), tag: 'Issue' }], kind: 'allowed' },
  { what: 'white space around', records: [issue(' \tca.example\t ')], kind: 'allowed' },
  { what: 'a lone semicolon after it', records: [issue('ca.example;')], kind: 'allowed' },
  { what: 'a parameter nobody knows', records: [issue('ca.example; policy=ev')], kind: 'allowed' },
  {
    what: 'another CA',
    records: [issue('ca2.example')],
    kind: 'refused',
    why: /does not name ca\.example or other-name/,
  },
  { what: 'a part of its name', records: [issue('example')], kind: 'refused' },
  { what: 'a name below its name', records: [issue('x.ca.example')], kind: 'refused' },
  { what: 'nobody', records: [issue(';')], kind: 'refused', why: /allows no CA/ },
  { what: 'an empty value', records: [issue('')], kind: 'refused', why: /allows no CA/ },
  { what: 'nobody, and this CA', records: [issue(';'), issue('ca.example')], kind: 'allowed' },
  { what: 'wildcards for nobody', records: [tag('issuewild', 0, ';')], kind: 'allowed' },
  {
    what: 'wildcards for us, the rest for nobody',
    records: [tag('issuewild', 0, 'ca.example'), issue(';')],
    kind: 'refused',
  },
  { what: 'mail and reports', records: [tag('issuemail', 128), tag('iodef', 128)], kind: 'allowed' },
  { what: 'an unknown tag', records: [tag('tbs')], kind: 'allowed' },
  { what: 'a critical unknown tag', records: [tag('tbs', 128), issue('ca.example')], kind: 'refused', why: /critical/ },
  { what: 'a tag critical by the other bit', records: [tag('tbs', 1), issue('ca.example')], kind: 'refused' },
  { what: 'bits without a meaning', records: [tag('tbs', 64), issue('ca.example')], kind: 'allowed' },
  { what: 'a critical known tag', records: [{ ...issue('ca.example'), flags: 128 }], kind: 'allowed' },
  { what: 'http-01', records: [issue('ca.example; validationmethods=http-01')], kind: 'allowed' },
  { what: 'http-01 among others', records: [issue('ca.example; validationmethods=dns-01,http-01')], kind: 'allowed' },
  { what: 'other methods', records: [issue('ca.example; validationmethods=dns-01,ca-http-01x')], kind: 'refused' },
  { what: 'our account', records: [issue(`ca.example; accounturi=${OURS}`)], kind: 'allowed' },
  { what: 'another account', records: [issue(`ca.example; accounturi=${OURS}0`)], kind: 'refused', why: /ours, https/ },
  {
    what: 'two accounts at once',
    records: [issue(`ca.example; accounturi=${OURS}; accounturi=${OURS}`)],
    kind: 'refused',
  },
  {
    what: 'another account, and ours',
    records: [issue('ca.example; accounturi=x:y'), issue(`ca.example; accounturi=${OURS}`)],
    kind: 'allowed',
  },
  {
    what: 'our account, and another method',
    records: [issue(`ca.example; accounturi=${OURS}; validationmethods=dns-01`)],
    kind: 'refused',
  },
  {
    what: 'a parameter without a value',
    records: [issue('ca.example; accounturi')],
    kind: 'refused',
    why: /cannot be read/,
  },
  { what: 'two semicolons', records: [issue('ca.example;;')], kind: 'refused', why: /cannot be read/ },
  { what: 'white space within a value', records: [issue('ca.example; policy=a b')], kind: 'refused' },
];

for (const { what, records, kind, why } of ROWS)
  test(`CAA for ${what}: ${kind}`, () => {
    const verdict = judgeCaa(records, request);
    assert.equal(verdict.kind, kind, JSON.stringify(verdict));
    if (why !== undefined) assert.match(verdict.kind === 'allowed' ? '' : verdict.why, why);
  });

test('an account that is not made yet is no refusal, and another method is one all the same', () => {
  const kind = (value: string): string => judgeCaa([issue(value)], { ...request, accountUrl: undefined }).kind;
  assert.equal(kind(`ca.example; accounturi=${OURS}`), 'unsure');
  assert.equal(kind(`ca.example; accounturi=${OURS}; validationmethods=dns-01`), 'refused');
});

test('where it is the account alone, the cure is another one', () => {
  const ofAccount = (value: string, accountUrl: string | undefined): boolean | undefined => {
    const verdict = judgeCaa([issue(value)], { ...request, accountUrl });
    return verdict.kind === 'allowed' ? undefined : verdict.ofAccount;
  };
  assert.equal(ofAccount(`ca.example; accounturi=${OURS}0`, OURS), true);
  assert.equal(ofAccount(`ca.example; accounturi=${OURS}`, undefined), true);
  assert.equal(ofAccount('other.example', OURS), undefined);
});

test('a CA need be asked for its name only where records restrict', () => {
  assert.deepEqual([[], [tag('iodef')], [issue('x')], [tag('tbs', 128)]].map(restricts), [false, false, true, true]);
});

test('a value is told bounded and on one line', () => {
  const verdict = judgeCaa([issue(`\n\x1b[31m${'x'.repeat(1000)}`)], request);
  assert.match(verdict.kind === 'refused' ? verdict.why : '', /^issue "[ -~…]{200}" does not name/);
});
