/** Which of marathon-lb's certificate variables is ours, and what is never touched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import { placeIn, readSlots, type SlotContext, slotNotes } from '../../src/plan/slots.ts';
import {
  CURRENT,
  certificate,
  DUE,
  EXPIRED,
  empty,
  FOREIGN,
  holding,
  loadBalancer,
  NAMES,
  NOW,
  placeholder,
  SLOT,
  stored,
  task,
  wire,
} from '../support/observation.ts';
import { type Row, runRows } from '../support/plan-table.ts';

type Value = Parameters<typeof holding>[number];

const secret = { secret: 'lb-cert' };
const broken = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
/** Somebody else's, with one of our names and one that is not. */
const shadowing = certificate({ domains: ['a.net', 'shop.net'], issuerName: 'Bought CA' });
const wildcard = certificate({ domains: ['*.net'], issuerName: 'Bought CA' });
/** Of another keeper, or of ours before the folder was lost: some of our names, none else. */
const subset = certificate({ domains: ['a.net'] });
const expiredForeign = certificate({ domains: ['shop.net'], notBefore: EXPIRED.notBefore, issuerName: 'Bought CA' });
const expiredShadow = certificate({ domains: ['a.net', 'x.net'], notBefore: EXPIRED.notBefore });

function context(values: readonly Value[], differing: Partial<SlotContext> = {}): SlotContext {
  const env = holding(...values);
  return {
    certEnv: SLOT,
    env,
    domains: NAMES,
    pastDomains: [],
    ours: new Set([CURRENT.fingerprint]),
    takeOver: false,
    now: NOW,
    ...differing,
  };
}

function chosen(values: readonly Value[], differing: Partial<SlotContext> = {}) {
  const where = context(values, differing);
  const placement = placeIn(readSlots(where), where);
  return placement.ok ? [placement.slot.name, ...placement.stale.map(({ name }) => name)] : placement.why;
}

const places: readonly {
  name: string;
  holds: readonly Value[];
  takeOver?: boolean;
  goes: readonly string[] | RegExp;
}[] = [
  { name: 'nothing there: the first variable', holds: [], goes: [SLOT] },
  { name: 'empty or blank: the first variable', holds: ['  \n'], goes: [SLOT] },
  { name: 'a self-signed placeholder: overwritten', holds: [placeholder('*')], goes: [SLOT] },
  { name: "somebody's expired one: overwritten", holds: [expiredForeign], goes: [SLOT] },
  { name: 'ours by memory: stays where it is', holds: [CURRENT], goes: [SLOT] },
  { name: 'ours by its names, the memory being lost: stays where it is', holds: [DUE], goes: [SLOT] },
  { name: 'a bought certificate in the first: ours goes into the next', holds: [FOREIGN], goes: [`${SLOT}0`] },
  { name: 'two bought ones: ours goes behind them', holds: [FOREIGN, FOREIGN], goes: [`${SLOT}1`] },
  { name: 'a secret reference: never touched', holds: [secret], goes: [`${SLOT}0`] },
  { name: 'something unreadable: never touched', holds: [broken], goes: [`${SLOT}0`] },
  { name: 'ours behind a bought one: stays', holds: [FOREIGN, undefined, CURRENT], goes: [`${SLOT}1`] },
  {
    name: 'the first is empty and ours is in a numbered one, which marathon-lb then ignores: moved, both in one PUT',
    holds: [undefined, CURRENT],
    goes: [SLOT, `${SLOT}0`],
  },
  {
    name: 'the bought one in the first has expired, ours is behind it: no redeploy for that',
    holds: [expiredForeign, CURRENT],
    goes: [`${SLOT}0`],
  },
  {
    name: 'a placeholder in the first, ours behind it: no redeploy for that',
    holds: [placeholder('*'), CURRENT],
    goes: [`${SLOT}0`],
  },
  {
    name: 'an expired one in the first is served for one of our names: ours takes its place',
    holds: [expiredShadow, CURRENT],
    goes: [SLOT, `${SLOT}0`],
  },
  {
    name: 'a placeholder in between is served for one of our names: ours takes its place',
    holds: [FOREIGN, placeholder('a.net'), CURRENT],
    goes: [`${SLOT}0`, `${SLOT}1`],
  },
  {
    name: 'somebody put one with just our names into the first, and ours is behind it: ours takes its place',
    holds: [subset, CURRENT],
    goes: [SLOT, `${SLOT}0`],
  },
  { name: 'one with some of our names, and no others: ours', holds: [FOREIGN, subset], goes: [`${SLOT}0`] },
  { name: 'a bought one with one of our names: not touched', holds: [shadowing], goes: [`${SLOT}0`] },
  { name: 'TAKE_OVER: that one is replaced', holds: [shadowing], takeOver: true, goes: [SLOT] },
  {
    name: 'TAKE_OVER, ours behind it: both in one PUT',
    holds: [shadowing, CURRENT],
    takeOver: true,
    goes: [SLOT, `${SLOT}0`],
  },
  {
    name: 'TAKE_OVER, but the bought one has none of our names: not touched',
    holds: [FOREIGN],
    takeOver: true,
    goes: [`${SLOT}0`],
  },
  {
    name: 'TAKE_OVER, but ours comes before it and is served: not touched',
    holds: [CURRENT, shadowing],
    takeOver: true,
    goes: [SLOT],
  },
  { name: 'TAKE_OVER never takes a secret reference', holds: [secret], takeOver: true, goes: [`${SLOT}0`] },
  {
    name: 'all 30 belong to others: nowhere',
    holds: Array(30).fill(FOREIGN),
    goes: /all 30 certificate variables of marathon-lb are in use/,
  },
  { name: '29 belong to others: the last one', holds: Array(29).fill(FOREIGN), goes: [`${SLOT}28`] },
  {
    name: 'all 30 belong to others, one of them with our name, TAKE_OVER: that one',
    holds: [...Array(29).fill(FOREIGN), shadowing],
    takeOver: true,
    goes: [`${SLOT}28`],
  },
];
for (const { name, holds, takeOver = false, goes } of places) {
  test(name, () => {
    const found = chosen(holds, { takeOver });
    if (goes instanceof RegExp) assert.match(String(found), goes);
    else assert.deepEqual(found, goes);
  });
}

test('30 are used already, one of them beyond our own: one more would keep HAProxy from starting', () => {
  const env = { ...holding(...Array(29).fill(FOREIGN)), [`${SLOT}77`]: FOREIGN.pem };
  assert.match(String(chosen([], { env })), /HAProxy takes no more than 30/);
});

test('30 are used, and one of them is ours: it is replaced as ever', () => {
  const env = { ...holding(CURRENT, ...Array(28).fill(FOREIGN)), [`${SLOT}77`]: FOREIGN.pem };
  assert.deepEqual(chosen([], { env }), [SLOT]);
});

test('variables that only begin alike are no certificates', () => {
  const odd = { [`${SLOT}_PATH`]: 'x', [`${SLOT}101`]: 'x', [`${SLOT}007`]: 'x' };
  const env = { ...holding(...Array(29).fill(FOREIGN)), ...odd };
  assert.deepEqual(chosen([], { env }), [`${SLOT}28`]);
});

test('another first variable: its numbered ones are counted from it', () => {
  const env = { MY_CERT: FOREIGN.pem };
  assert.deepEqual(chosen([], { certEnv: 'MY_CERT', env }), ['MY_CERT0']);
});

const notes: readonly { name: string; holds: readonly Value[]; told: readonly RegExp[] }[] = [
  { name: 'ours alone: nothing to note', holds: [CURRENT], told: [] },
  { name: 'a bought one with other names: nothing to note', holds: [FOREIGN, CURRENT], told: [] },
  {
    name: 'a bought one before ours is served for our name: told, with the way out',
    holds: [shadowing, CURRENT],
    told: [/HAPROXY_SSL_CERT holds .*Bought CA.*serves for a\.net before ours; set TAKE_OVER=true/],
  },
  {
    name: 'a wildcard before ours: HAProxy prefers the exact name, wherever it stands',
    holds: [wildcard, CURRENT],
    told: [],
  },
  { name: 'a bought one behind ours does no harm', holds: [CURRENT, shadowing], told: [] },
  {
    name: 'a secret reference: told, with the cure',
    holds: [secret],
    told: [/secret reference \(lb-cert\).*empty string/],
  },
  {
    name: 'an object that is no secret of any known form: told without a word that is not there',
    holds: [{}],
    told: [/secret reference \(of an unknown form\)/],
  },
  {
    name: 'something unreadable: told',
    holds: [broken],
    told: [/HAPROXY_SSL_CERT holds something HAProxy may refuse/],
  },
  {
    name: 'something unreadable behind ours stops HAProxy just the same: told',
    holds: [CURRENT, broken],
    told: [/HAPROXY_SSL_CERT0 holds something HAProxy may refuse/],
  },
];
for (const { name, holds, told } of notes) {
  test(name, () => {
    const where = context(holds);
    const slots = readSlots(where);
    const placement = placeIn(slots, where);
    const found = slotNotes(slots, placement.ok ? placement.slot : undefined);
    assert.equal(found.length, told.length, found.join('\n'));
    for (const [index, pattern] of told.entries()) assert.match(found[index] ?? '', pattern);
  });
}

const closed = [task('lb.1', { alive: false }), task('lb.2', { alive: undefined })];
const inSlot = (...values: Value[]) => ({ loadBalancer: loadBalancer({ env: holding(...values) }) });
const proven = (bundle: CertificateBundle) => wire({}, { expected: bundle.fingerprint });

runRows([
  {
    name: 'a bought certificate in the first variable survives: ours is posted behind it',
    seen: { ...inSlot(FOREIGN), stored: stored({ ledger: empty().ledger }) },
    state: 'installing',
    actions: ['install'],
    slots: [`${SLOT}0`],
  },
  {
    name: 'the first variable is empty and ours is in a numbered one: one PUT for both',
    seen: inSlot(undefined, CURRENT),
    state: 'installing',
    actions: ['install'],
    slots: [SLOT, `${SLOT}0`],
  },
  {
    name: 'a secret reference in the first: ours is behind it, the cure is told',
    seen: { ...inSlot(secret, CURRENT), wire: proven(CURRENT) },
    state: 'live',
    notes: [/never overwritten/],
  },
  {
    name: 'a variable holds what HAProxy would refuse and nothing shows that it runs with it: a redeploy would close all',
    seen: { loadBalancer: loadBalancer({ env: holding(undefined, broken), tasks: closed }), unsettledSince: NOW },
    state: 'not-installable',
    why: /HAPROXY_SSL_CERT0 holds something HAProxy may refuse/,
    cure: /repair or empty HAPROXY_SSL_CERT0/,
    notes: [/is not healthy, and the upgradeStrategy leaves no room/, /HAPROXY_SSL_CERT0/],
  },
  {
    name: 'all are healthy, but only because marathon-lb skips that variable while the first one is empty: left alone',
    seen: inSlot(undefined, broken),
    state: 'not-installable',
    cure: /repair or empty HAPROXY_SSL_CERT0/,
  },
  {
    name: 'the same without health checks: nobody knows, so it is left alone',
    seen: { loadBalancer: loadBalancer({ env: holding(broken), hasHealthChecks: false }) },
    state: 'not-installable',
  },
  {
    name: 'a variable holds what we cannot read, but every marathon-lb is healthy with it: posted',
    seen: inSlot(broken),
    state: 'installing',
    actions: ['install'],
    slots: [`${SLOT}0`],
  },
  {
    name: 'TAKE_OVER: the one that is served for our name is replaced',
    seen: inSlot(shadowing, CURRENT),
    policy: { takeOver: true },
    state: 'installing',
    actions: ['install'],
    slots: [SLOT, `${SLOT}0`],
    why: /somebody else/,
  },
  {
    name: 'all 30 belong to others: said, not posted',
    seen: inSlot(...Array(30).fill(FOREIGN)),
    state: 'not-installable',
    why: /all 30/,
    cure: /empty one of HAPROXY_SSL_CERT, HAPROXY_SSL_CERT0 … HAPROXY_SSL_CERT28/,
  },
] satisfies Row[]);
