/**
 * The two label sets that are shipped, against the apps that stand in a challenge's way on a real cluster.
 *
 * As far as marathon-lb can route the challenge there is a certificate; where it cannot, nobody asks the CA, and the
 * sentence names what answered and the label that cures it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOAD_BALANCER, SIDECAR, startCluster } from '../support/cluster.ts';
import { type Definition, shipped } from '../support/definitions.ts';
import {
  assertWellBehaved,
  keeper,
  look,
  QUICK,
  redeployments,
  shown,
  step,
  untilSaid,
  untilServed,
  update,
} from '../support/operator.ts';

/** An app of somebody else's, with the labels that matter here. */
function app(id: string, servicePort: number, labels: Readonly<Record<string, string>>): Promise<Definition> {
  const mapping = { containerPort: 80, hostPort: 0, servicePort, protocol: 'tcp' };
  const container = { type: 'DOCKER', docker: { image: 'mesosphere/letsencrypt-dcos:2' }, portMappings: [mapping] };
  return shipped('letsencrypt-dcos-test-2', { fields: { id, container }, labels });
}

const REDIRECTING = 'shop.example.com';
const WITH_PATH = 'api.example.com';
const PLAIN = 'www.example.com';
const PROTECTED = 'admin.example.com';

test('the labels of the README, and what to do where they do not reach', async (t) => {
  const cluster = await startCluster(t, { simulator: QUICK });
  const redirecting = shipped('letsencrypt-dcos-test-1', { labels: { HAPROXY_0_VHOST: REDIRECTING } });
  const others = await Promise.all([
    redirecting,
    app('/api', 10_003, { HAPROXY_0_VHOST: WITH_PATH, HAPROXY_0_PATH: '/' }),
    app('/www', 10_004, { HAPROXY_0_VHOST: PLAIN }),
    // The hash is that of an empty password: nobody logs in here.
    app('/admin', 10_005, { HAPROXY_0_VHOST: PROTECTED, HAPROXY_0_AUTH: 'realm:user:$1$x$OOEX8ByVBgbPdBTSXuBgh1' }),
  ]);
  await Promise.all(others.map((definition) => cluster.deploy(definition)));
  const relabel = async (labels: Readonly<Record<string, string>>): Promise<void> => {
    const { labels: now } = await shown(cluster, SIDECAR);
    await update(cluster, SIDECAR, { labels: { ...now, ...labels } });
  };

  await step(t, 'without a weight, the app that has the whole path `/` and sorts before us is in the way', async () => {
    const labels = { HAPROXY_0_VHOST: [REDIRECTING, WITH_PATH, PLAIN].join(','), HAPROXY_0_BACKEND_WEIGHT: '0' };
    await cluster.addSidecar(await keeper('letsencrypt-dcos', { labels }));
    await untilSaid(cluster, {
      state: 'waiting-for-route',
      why: /^api\.example\.com through marathon-lb at .*:80: .* HTTP 200/,
      cure: /^another app answers for api\.example\.com: .*HAPROXY_0_BACKEND_WEIGHT=1000/,
    });
    assert.equal(cluster.pebble.orders(), 0);
  });

  await step(t, 'with the weight as shipped: redirecting, with a path of its own, plain: all are served', async () => {
    await relabel({ HAPROXY_0_BACKEND_WEIGHT: '1000' });
    await untilServed(cluster, [REDIRECTING, WITH_PATH, PLAIN]);
    await untilSaid(cluster, { state: 'live' });
    assert.equal(cluster.pebble.orders(), 1);
    assert.equal(redeployments(cluster).length, 1);
  });

  await step(
    t,
    'a name behind basic auth: no order, the sentence says why, and what is there stays served',
    async () => {
      const before = await untilServed(cluster, [PLAIN]);
      await relabel({ HAPROXY_0_VHOST: [REDIRECTING, WITH_PATH, PLAIN, PROTECTED].join(',') });
      await untilSaid(cluster, {
        state: 'waiting-for-route',
        why: /^admin\.example\.com through marathon-lb at .*:80: .* HTTP 401/,
        cure: /asks for a password \(HAPROXY_n_AUTH\).*letsencrypt-dcos-catch-all\.json/,
      });
      assert.equal(cluster.pebble.orders(), 1);
      assert.equal(await untilServed(cluster, [REDIRECTING, WITH_PATH, PLAIN]), before);
    },
  );

  await step(
    t,
    'a redirecting name that is in DOMAINS only: the redirect leads to the app, which is said',
    async () => {
      await update(cluster, SIDECAR, {
        labels: { ...(await shown(cluster, SIDECAR)).labels, HAPROXY_0_VHOST: PLAIN },
        env: { ...(await shown(cluster, SIDECAR)).env, DOMAINS: `${PLAIN},${REDIRECTING},unheard-of.example.com` },
      });
      await untilSaid(cluster, {
        state: 'waiting-for-route',
        why: /^shop\.example\.com through marathon-lb at .*:80: .* HTTP 200/,
        cure: /have it in HAPROXY_0_VHOST of \/letsencrypt-dcos .*letsencrypt-dcos-catch-all\.json/,
      });
      assert.equal(cluster.pebble.orders(), 1);
    },
  );

  await step(t, 'the catch-all definition posted in its place: every one of them is served', async () => {
    const all = [REDIRECTING, WITH_PATH, PLAIN, PROTECTED, 'unheard-of.example.com'];
    const definition = await keeper('letsencrypt-dcos-catch-all', {
      env: { ...cluster.caEnv, DOMAINS: all.join(',') },
    });
    const { id: _, ...fields } = definition;
    await update(cluster, SIDECAR, fields);
    await untilServed(cluster, all);
    await untilSaid(cluster, { state: 'live' });
    assert.equal(cluster.pebble.orders(), 2);
    assert.equal(redeployments(cluster).length, 2);
  });

  assert.equal((await look(cluster, [PLAIN])).length, cluster.tasks(LOAD_BALANCER).length);
  assertWellBehaved(cluster);
});
