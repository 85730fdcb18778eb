/**
 * Certificates in marathon-lb that are none of ours: a bought one, and one that Marathon takes from its secret store.
 * They stay where they are, ours goes beside them, and HAProxy chooses by name.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issue } from '../support/certificates.ts';
import { LOAD_BALANCER, SIDECAR, startCluster } from '../support/cluster.ts';
import {
  assertWellBehaved,
  changes,
  keeper,
  look,
  QUICK,
  redeployments,
  said,
  shown,
  step,
  untilSaid,
  untilServed,
  update,
  updateEnv,
} from '../support/operator.ts';

const SOLD = 'sold.example.com';
const OURS = 'ours.example.com';

test('a bought certificate in the first slot', async (t) => {
  const bought = issue({ domains: [SOLD], issuerName: 'Expensive CA' });
  const cluster = await startCluster(t, {
    simulator: { ...QUICK, secrets: { 'marathon-lb/certificate': bought.pem } },
    loadBalancerEdits: { env: { HAPROXY_SSL_CERT: bought.pem, HAPROXY_SYSCTL_PARAMS: 'net.core.somaxconn=65535' } },
  });

  await step(t, 'it survives: ours goes to HAPROXY_SSL_CERT0, and both are served', async () => {
    await cluster.addSidecar(await keeper('letsencrypt-dcos', { labels: { HAPROXY_0_VHOST: OURS } }));
    await untilServed(cluster, [OURS]);
    assert.equal(await untilServed(cluster, [SOLD], { rootPem: bought.rootPem }), bought.fingerprint);
    assert.equal((await untilSaid(cluster, { state: 'live' })).slot, 'HAPROXY_SSL_CERT0');
    const { env } = await shown(cluster, LOAD_BALANCER);
    assert.equal(env.HAPROXY_SSL_CERT, bought.pem);
    assert.equal(env.HAPROXY_SYSCTL_PARAMS, 'net.core.somaxconn=65535');
    assert.equal(cluster.pebble.orders(), 1);
    assert.equal(redeployments(cluster).length, 1);
  });

  await step(
    t,
    'moved into a secret, the reference is carried through when ours is renewed for one more name',
    async () => {
      const { env } = await shown(cluster, LOAD_BALANCER);
      const secrets = { certificate: { source: 'marathon-lb/certificate' } };
      await update(cluster, LOAD_BALANCER, { env: { ...env, HAPROXY_SSL_CERT: { secret: 'certificate' } }, secrets });
      const { labels } = await shown(cluster, SIDECAR);
      await update(cluster, SIDECAR, { labels: { ...labels, HAPROXY_0_VHOST: `${OURS},more.example.com` } });

      await untilServed(cluster, [OURS, 'more.example.com']);
      assert.equal(await untilServed(cluster, [SOLD], { rootPem: bought.rootPem }), bought.fingerprint);
      const after = await shown(cluster, LOAD_BALANCER);
      assert.deepEqual(after.env.HAPROXY_SSL_CERT, { secret: 'certificate' });
      assert.deepEqual(after.secrets, secrets);
      assert.equal(cluster.pebble.orders(), 2);
      assert.equal(changes(cluster).length, 2);
      await untilSaid(cluster, { state: 'live' });
      const { notes } = await said(cluster);
      assert.ok(
        notes.some((note) =>
          /^HAPROXY_SSL_CERT is a secret reference \(certificate\) and is never overwritten/.test(note),
        ),
        notes.join('\n'),
      );
    },
  );

  await step(t, 'not even when we are told to take over', async () => {
    await updateEnv(cluster, SIDECAR, { TAKE_OVER: 'true' });
    await untilSaid(cluster, { state: 'live' });
    assert.equal(changes(cluster).length, 2);
  });
  assertWellBehaved(cluster);
});

test('a bought certificate that has one of our names', async (t) => {
  const bought = issue({ domains: [SOLD, OURS], issuerName: 'Expensive CA' });
  const cluster = await startCluster(t, {
    simulator: QUICK,
    loadBalancers: 1,
    loadBalancerEdits: { env: { HAPROXY_SSL_CERT: bought.pem } },
  });

  await step(t, 'it stays, HAProxy serves it before ours, and the way out is said', async () => {
    await cluster.addSidecar(
      await keeper('letsencrypt-dcos', { labels: { HAPROXY_0_VHOST: `${OURS},new.example.com` } }),
    );
    await untilServed(cluster, ['new.example.com']);
    const { notes } = await untilSaid(cluster, { state: 'not-served', why: /for ours\.example\.com; expected/ });
    assert.ok(notes.some((note) => /HAProxy serves for ours\.example\.com before ours; set TAKE_OVER=true/.test(note)));
    const [seen] = await look(cluster, [OURS], { rootPem: bought.rootPem });
    assert.equal(seen?.fingerprint, bought.fingerprint);
    assert.equal(changes(cluster).length, 1);
  });

  await step(t, 'TAKE_OVER=true replaces it, and leaves no older copy of ours behind it', async () => {
    await updateEnv(cluster, SIDECAR, { TAKE_OVER: 'true' });
    await untilServed(cluster, [OURS, 'new.example.com']);
    await untilSaid(cluster, { state: 'live' });
    assert.equal(cluster.pebble.orders(), 1);
    assert.equal(changes(cluster).length, 2);
  });
  assertWellBehaved(cluster);
});
