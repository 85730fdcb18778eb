/**
 * The planner's table: who acts, what is kept, what is reported. Ordering, installing and slots have tables of their own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewAt } from '../../src/certificates/renewal.ts';
import { plan } from '../../src/plan/plan.ts';
import {
  ago,
  ahead,
  CURRENT,
  certificate,
  DAY,
  DUE,
  deploying,
  empty,
  FOREIGN,
  HOUR,
  holding,
  inFlight,
  ledger,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  observation,
  ourApp,
  policy,
  remembering,
  routes,
  SECOND,
  STAGING,
  stored,
  task,
  vhost,
  wire,
} from '../support/observation.ts';
import { kinds, type Row, runRows } from '../support/plan-table.ts';

const unseen = { ok: false, problem: 'Marathon: GET /v2/apps: no answer within 10 s' } as const;

runRows([
  { name: 'all is well: nothing to do', state: 'live', why: /served by 10\.0\.0\.1:443, 10\.0\.0\.2:443/, notes: [] },
  {
    name: 'the volume was lost, marathon-lb still has it: kept, nothing ordered',
    seen: { stored: empty() },
    state: 'live',
    actions: ['adopt'],
  },
  {
    name: 'the volume was lost and came back read-only: used all the same, kept nowhere',
    seen: { stored: empty({ writable: false, problems: ['/etc/letsencrypt: read-only'] }) },
    state: 'live',
    notes: [/read-only/],
  },
  {
    name: 'another instance renewed: its certificate is kept, ours is not put back',
    seen: {
      loadBalancer: loadBalancer({ env: holding(certificate({ notBefore: new Date(NOW.getTime() - DAY) })) }),
      wire: undefined,
    },
    state: 'unproven',
    actions: ['adopt'],
    looks: ['wire'],
  },
  {
    name: 'the label went to and fro: the older one in marathon-lb has both names, the newer in hand only one, so it stays',
    seen: {
      stored: stored({
        bundle: certificate({ domains: ['a.net', 'shop.net'], notBefore: new Date(NOW.getTime() - HOUR) }),
        ledger: remembering(CURRENT),
      }),
      wire: undefined,
    },
    state: 'unproven',
    actions: ['adopt'],
    looks: ['wire'],
  },
  {
    name: 'an order is under way: it is waited for, and nothing else is begun',
    seen: {
      order: {
        startedAt: NOW,
        domains: NAMES,
        progress: { step: 'validating', validated: 1, total: 2 },
      },
      stored: empty(),
    },
    state: 'ordering',
    why: /validating, 1 of 2 names/,
  },
  {
    name: 'an order waits at the CA and marathon-lb has what it is to renew: both',
    seen: {
      loadBalancer: loadBalancer({ env: holding(DUE) }),
      routes: routes(),
      stored: empty({ order: inFlight(), wasEmpty: false }),
    },
    state: 'ordering',
    actions: ['adopt', 'issue'],
  },

  {
    name: 'the folder was lost and the label lost a name: Marathon is asked what it was before',
    seen: {
      loadBalancer: loadBalancer({ env: holding(CURRENT) }),
      self: ourApp({ labels: vhost('a.net') }),
      stored: empty(),
    },
    state: 'blind',
    looks: ['past'],
  },
  {
    name: 'the name was ours: the certificate is, too',
    seen: {
      loadBalancer: loadBalancer({ env: holding(CURRENT) }),
      self: ourApp({ labels: vhost('a.net') }),
      stored: empty(),
      pastNames: ['a.net', 'b.net'],
    },
    state: 'live',
    actions: ['adopt'],
  },
  {
    name: "the name never was ours: the certificate is somebody else's",
    seen: {
      loadBalancer: loadBalancer({ env: holding(CURRENT) }),
      self: ourApp({ labels: vhost('a.net') }),
      stored: empty(),
      pastNames: ['a.net'],
      routes: routes(),
    },
    state: 'ordering',
    actions: ['issue'],
    notes: [/TAKE_OVER/],
  },
  {
    name: 'PAUSE: what would be done is said, and not done',
    seen: { loadBalancer: loadBalancer({ env: {} }) },
    policy: { pause: true },
    state: 'installing',
  },
  {
    name: 'PAUSE: nobody hurries',
    seen: { loadBalancer: loadBalancer({ env: {} }) },
    policy: { pause: true },
    state: 'installing',
    againIn: 5 * MINUTE,
  },
  { name: 'PAUSE: what is well is still told', policy: { pause: true }, state: 'live' },

  {
    name: 'another task of ours leads: this one watches',
    seen: { self: ourApp({ tasks: [task('us.0', { startedAt: new Date(0) }), task('us.1')] }), stored: empty() },
    state: 'following',
    why: /task us\.0 .* leads/,
  },
  {
    name: 'whoever holds an order finishes it, though another one leads by now',
    seen: {
      self: ourApp({ tasks: [task('us.0', { startedAt: new Date(0) }), task('us.1')] }),
      order: { startedAt: NOW, domains: NAMES, progress: undefined },
    },
    state: 'ordering',
    why: /starting/,
  },
  {
    name: 'just started, not healthy yet by our own check: nobody leads, soon looked at again',
    seen: { self: ourApp({ tasks: [task('us.1', { alive: undefined, startedAt: ago(4 * SECOND) })] }) },
    state: 'following',
    why: /no task of \/letsencrypt-dcos is running, current and healthy yet/,
    cure: /why its health check fails/,
    againIn: SECOND,
  },
  {
    name: 'started by hand, without a task id: we act',
    seen: { loadBalancer: loadBalancer({ env: {} }), self: ourApp({ tasks: [] }) },
    policy: { taskId: undefined },
    state: 'installing',
    actions: ['install'],
  },

  {
    name: 'Marathon does not answer: blind',
    seen: { self: unseen, loadBalancer: unseen },
    state: 'blind',
    why: /GET/,
  },
  { name: 'our own app cannot be read: blind', seen: { self: unseen }, state: 'blind', why: /no answer/ },
  {
    name: 'marathon-lb does not exist, or we may not see it: blind, in the words of Marathon',
    seen: { loadBalancer: { ok: false, problem: 'Marathon: GET /v2/apps/marathon-lb: 404' }, stored: empty() },
    state: 'blind',
    why: /404/,
    againIn: 10 * SECOND,
  },
  {
    name: 'blind with a certificate due: it is still told which one is live until when',
    seen: { loadBalancer: unseen, stored: stored({ bundle: DUE }) },
    state: 'blind',
  },

  {
    name: 'no label at all: nothing to keep',
    seen: { self: ourApp({ labels: {} }) },
    state: 'no-names',
    cure: /HAPROXY_0_VHOST of \/letsencrypt-dcos/,
  },
  {
    name: 'the label still has the placeholder: nothing to keep, and no complaint',
    seen: { self: ourApp({ labels: vhost('edit-me.invalid') }) },
    state: 'no-names',
    notes: [],
  },
  {
    name: 'DOMAINS has nothing fit for a certificate: told by that name',
    policy: { domains: '10.0.0.1' },
    state: 'no-names',
    why: /^DOMAINS has no name for a certificate$/,
    cure: /into DOMAINS$/,
    notes: [/10\.0\.0\.1: is an IP address/],
  },
  {
    name: 'one of the names is junk: named with its reason, the others are kept',
    seen: { self: ourApp({ labels: vhost(...NAMES, '*.b.net', 'nodot') }) },
    state: 'live',
    notes: [/\*\.b\.net: is a wildcard/, /nodot: has no dot/],
  },
  { name: 'DOMAINS replaces the labels', policy: { domains: 'a.net' }, state: 'live', why: /for a\.net;/ },

  {
    name: 'a state folder with a problem: told in the notes',
    seen: { stored: stored({ problems: ['/etc/letsencrypt is ephemeral'] }) },
    state: 'live',
    notes: [/ephemeral/],
  },
] satisfies Row[]);

test('the next look is at the renewal when that comes first', () => {
  const bundle = certificate({ notBefore: new Date(NOW.getTime() - 60 * DAY + 2 * HOUR) });
  const due = renewAt(bundle);
  const seen = observation({
    at: new Date(due.getTime() - MINUTE),
    stored: stored({ bundle }),
    loadBalancer: loadBalancer({ env: holding(bundle) }),
  });
  const asked = wire({}, { at: seen.at, expected: bundle.fingerprint });
  const planned = plan({ ...seen, wire: asked }, policy());
  assert.equal(planned.certificate.state, 'live', planned.certificate.why);
  assert.deepEqual(planned.checkAgainAt, due);
});

test('what is told says who leads, what is held and where it belongs', () => {
  const { leader, certificate: told, paused } = plan(observation(), policy());
  assert.deepEqual(leader, { taskId: 'us.1', isUs: true });
  assert.equal(paused, false);
  assert.equal(told.bundle?.fingerprint, CURRENT.fingerprint);
  assert.equal(told.slot, 'HAPROXY_SSL_CERT');
  assert.deepEqual(told.renewAt, renewAt(CURRENT));
  assert.deepEqual(told.domains, NAMES);
});

test('notes are the same from pass to pass, whatever else goes on: a new one is news', () => {
  const passes = [
    observation(),
    observation({ at: ahead(5 * MINUTE) }),
    observation({ loadBalancer: deploying({ env: holding(FOREIGN, CURRENT) }), unsettledSince: NOW }),
    observation({ loadBalancer: loadBalancer({ env: holding(FOREIGN, CURRENT) }), at: ahead(HOUR) }),
  ];
  const self = ourApp({ labels: vhost(...NAMES, 'nodot') });
  const notes = passes.map((seen) => plan({ ...seen, self }, policy()).notes);
  assert.deepEqual(
    notes,
    passes.map(() => notes[0]),
  );
});

test('a certificate of another directory is not adopted when it is known to be from staging', () => {
  const staging = certificate({ issuerName: '(STAGING) Test CA' });
  const seen = { stored: empty(), loadBalancer: loadBalancer({ env: holding(staging) }) };
  assert.deepEqual(plan(observation(seen), policy()).looks, ['routes']);
  const there = plan(observation({ ...seen, wire: undefined }), policy({ directoryUrl: STAGING }));
  assert.deepEqual(kinds(there), ['adopt']);
});

test('an older certificate of ours, still in marathon-lb, is not adopted over a newer one that ends sooner', () => {
  const longLived = certificate({ notBefore: new Date(NOW.getTime() - 20 * DAY), notAfter: ahead(365 * DAY) });
  const known = ledger({ installed: [longLived.fingerprint, CURRENT.fingerprint] });
  const seen = observation({
    stored: stored({ previous: longLived, ledger: known }),
    loadBalancer: loadBalancer({ env: holding(longLived) }),
  });
  const planned = plan(seen, policy());
  assert.deepEqual(kinds(planned), ['install']);
  assert.equal(planned.certificate.bundle?.fingerprint, CURRENT.fingerprint);
});
