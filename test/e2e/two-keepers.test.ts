/**
 * More than one who writes certificates into one load balancer: two keepers with names of their own, two with the same
 * names, and somebody who puts back what was there before. It must end in a served state or in a sentence, never in a
 * war of deployments.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issue } from '../support/certificates.ts';
import { type Cluster, LOAD_BALANCER, startCluster } from '../support/cluster.ts';
import type { Definition } from '../support/definitions.ts';
import {
  assertWellBehaved,
  changes,
  keeper,
  look,
  QUICK,
  redeployments,
  restart,
  said,
  shown,
  step,
  untilSaid,
  untilServed,
  updateEnv,
} from '../support/operator.ts';

function keeperOf(id: string, servicePort: number, names: string): Promise<Definition> {
  return keeper('letsencrypt-dcos-catch-all', { fields: { id }, env: { DOMAINS: names } }).then((definition) => {
    const container = definition.container as { portMappings: readonly Record<string, unknown>[] };
    const [challenge, admin] = container.portMappings;
    const portMappings = [{ ...challenge, servicePort }, admin];
    // The catch-all labels would answer for the other keeper too: each has the labels for its own names.
    const { HAPROXY_GROUP, HAPROXY_0_ENABLED, HAPROXY_1_ENABLED } = definition.labels;
    const labels = {
      HAPROXY_GROUP,
      HAPROXY_0_ENABLED,
      HAPROXY_1_ENABLED,
      HAPROXY_0_VHOST: names,
      HAPROXY_0_PATH: '/.well-known/acme-challenge/',
      HAPROXY_0_BACKEND_WEIGHT: '1000',
    } as Readonly<Record<string, string>>;
    return { ...definition, labels, container: { ...container, portMappings } };
  });
}

async function slots(cluster: Cluster): Promise<readonly string[]> {
  const { env } = await shown(cluster, LOAD_BALANCER);
  return Object.keys(env).filter((name) => name.startsWith('HAPROXY_SSL_CERT') && env[name] !== '');
}

test('several who write into one load balancer', async (t) => {
  const cluster = await startCluster(t, { simulator: QUICK });

  await step(t, 'two keepers with different names: one order and one slot each, both are served by SNI', async () => {
    await cluster.addSidecar(await keeperOf('/keeper-a', 10_001, 'a.example.com'));
    // In the middle of the first one's deployment: the second waits for its end before it asks the CA.
    await cluster.marathon.until(() => redeployments(cluster).length === 1, 'the first to be posted', 40_000);
    await cluster.addSidecar(await keeperOf('/keeper-b', 10_002, 'b.example.com,c.example.com'));
    await untilSaid(cluster, { appId: '/keeper-a', state: 'live' });
    await untilSaid(cluster, { appId: '/keeper-b', state: 'live' });
    const a = await untilServed(cluster, ['a.example.com']);
    const b = await untilServed(cluster, ['b.example.com', 'c.example.com']);
    assert.notEqual(a, b);
    assert.equal(cluster.pebble.orders(), 2);
    assert.deepEqual(await slots(cluster), ['HAPROXY_SSL_CERT', 'HAPROXY_SSL_CERT0']);
    assert.equal(redeployments(cluster).length, 2);
  });

  await step(t, 'and it stays so: they look again and change nothing', async () => {
    for (const appId of ['/keeper-a', '/keeper-b']) {
      await restart(cluster, appId);
      await untilSaid(cluster, { appId, state: 'live' });
    }
    assert.equal(cluster.pebble.orders(), 2);
    assert.equal(redeployments(cluster).length, 2);
  });

  await step(t, 'one more with the names of another: it adopts what is there, and orders nothing', async () => {
    await cluster.addSidecar(await keeperOf('/keeper-b2', 10_003, 'b.example.com,c.example.com'));
    await untilSaid(cluster, { appId: '/keeper-b2', state: 'live' });
    assert.equal(cluster.pebble.orders(), 2);
    assert.equal(redeployments(cluster).length, 2);
    await cluster.marathon.api('DELETE', '/v2/apps/keeper-b2');
    await cluster.marathon.until(() => cluster.tasks('/keeper-b2').length === 0, '/keeper-b2 to be gone', 30_000);
  });

  await step(t, 'a template empties the slot of one again and again: put back once, then said and left', async () => {
    const fingerprints = await look(cluster, ['b.example.com']);
    const { slot = '' } = await said(cluster, '/keeper-b');
    const before = redeployments(cluster).length;

    await updateEnv(cluster, LOAD_BALANCER, { [slot]: '' });
    await untilServed(cluster, ['b.example.com', 'c.example.com']);
    await untilSaid(cluster, { appId: '/keeper-b', state: 'live' });
    assert.deepEqual(await look(cluster, ['b.example.com']), fingerprints, 'the same certificate, without an order');

    await updateEnv(cluster, LOAD_BALANCER, { [slot]: '' });
    await untilSaid(cluster, {
      appId: '/keeper-b',
      state: 'contested',
      why: new RegExp(
        `somebody else replaced our certificate in ${slot} twice within a day; it is not posted again before`,
      ),
      cure: new RegExp(`find who else writes ${slot} of /marathon-lb`),
    });
    const changed = changes(cluster).length;
    await restart(cluster, '/keeper-b');
    await untilSaid(cluster, { appId: '/keeper-b', state: 'contested' });
    assert.equal(changes(cluster).length, changed, 'not posted again, after a restart neither');
    assert.equal(redeployments(cluster).length - before, 3, 'two by the template, one by us');
    assert.equal(cluster.pebble.orders(), 2);
    await untilServed(cluster, ['a.example.com']); // the other one is not drawn into it
  });

  await step(
    t,
    'a bought certificate is put over one of ours: it stays, and ours go to the slots behind it',
    async () => {
      const bought = issue({ domains: ['sold.example.com'], issuerName: 'Expensive CA' });
      const before = redeployments(cluster).length;
      await updateEnv(cluster, LOAD_BALANCER, { HAPROXY_SSL_CERT: bought.pem });
      await untilServed(cluster, ['a.example.com']);
      await untilServed(cluster, ['b.example.com', 'c.example.com']);
      for (const appId of ['/keeper-a', '/keeper-b']) await untilSaid(cluster, { appId, state: 'live' });
      assert.equal(await untilServed(cluster, ['sold.example.com'], bought), bought.fingerprint);
      assert.deepEqual(await slots(cluster), ['HAPROXY_SSL_CERT', 'HAPROXY_SSL_CERT0', 'HAPROXY_SSL_CERT1']);
      assert.equal(redeployments(cluster).length - before, 3, 'one by the buyer, one by each keeper');
      assert.equal(cluster.pebble.orders(), 2);
    },
  );
  await step(
    t,
    'a second one with catch-all labels beside a first: no order, and why only one can have them',
    async () => {
      for (const [id, name] of [
        ['/all-1', 'd.example.com'],
        ['/all-2', 'e.example.com'],
      ] as const) {
        const edits = { fields: { id }, env: { DOMAINS: name, PAUSE: 'true' } };
        await cluster.deploy(
          await keeper('letsencrypt-dcos-catch-all', { ...edits, env: { ...cluster.caEnv, ...edits.env } }),
        );
      }
      await untilSaid(cluster, {
        appId: '/all-2',
        state: 'waiting-for-route',
        why: /^e\.example\.com through marathon-lb at .* HTTP 404/,
        cure: /another letsencrypt-dcos with the catch-all labels, only one on a load balancer can have them/,
      });
      assert.equal(cluster.pebble.orders(), 2);
    },
  );
  assertWellBehaved(cluster);
});
