/**
 * The deployment that cannot end: marathon-lb's fixed ports, no second public agent, and a strategy that starts the new
 * task before it kills the old one. It is diagnosed from the launch queue, never forced and never cancelled.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { startCannedMarathon as startServer } from '../support/canned-marathon.ts';
import { LOAD_BALANCER, SIDECAR, startCluster } from '../support/cluster.ts';
import { readExposition } from '../support/exposition.ts';
import {
  assertWellBehaved,
  changes,
  keeper,
  look,
  QUICK,
  redeployments,
  said,
  step,
  untilSaid,
  untilServed,
  update,
} from '../support/operator.ts';
import { until } from '../support/until.ts';

const NAME = 'www.example.com';
const START_FIRST = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
const KILL_FIRST = { minimumHealthCapacity: 0, maximumOverCapacity: 0 };

test('a deployment of marathon-lb that waits for a second agent', async (t) => {
  const cluster = await startCluster(t, {
    simulator: QUICK,
    loadBalancers: 1,
    loadBalancerEdits: { fields: { upgradeStrategy: START_FIRST } },
  });
  const { marathon } = cluster;
  const [running] = cluster.tasks(LOAD_BALANCER);
  const other = cluster.publicHosts.find((host) => host !== running?.host) ?? '';
  await cluster.pebble.resolveAll(running?.host ?? '');
  // Somebody else's web server on the second agent.
  const neighbour = createServer();
  await new Promise<void>((listening) => neighbour.listen(443, other, listening));
  t.after(async () => void neighbour.close());

  const webhook = await startServer(t, [{ body: 'ok' }]);
  const told = (): readonly string[] =>
    webhook.asked
      .map(({ body }) => JSON.parse(body) as Readonly<Record<string, string>>)
      .map(({ alert, status }) => `${alert} ${status}`);

  const never = (): void => {
    const forced = marathon.requests.filter(
      ({ operator, method, url }) => !operator && (method === 'DELETE' || url.includes('force')),
    );
    assert.deepEqual(forced, []);
  };

  await step(t, 'past DEPLOYMENT_TIMEOUT: stuck, with the reason from the queue and the cure', async () => {
    const env = { DEPLOYMENT_TIMEOUT: '2', WEBHOOK_URL: `${webhook.url}/open-sesame-hook` };
    await cluster.addSidecar(await keeper('letsencrypt-dcos', { env, labels: { HAPROXY_0_VHOST: NAME } }));
    await untilSaid(cluster, {
      state: 'stuck',
      why: /deployment [-0-9a-f]+ of \/marathon-lb has not ended: no second agent has its ports free \(\d+ offers declined for ports\)/,
      cure: /set upgradeStrategy\.minimumHealthCapacity of \/marathon-lb to 0, .* or add a public agent/,
    });
    const loud = (await cluster.log()).find(({ msg, to }) => msg === 'state changed' && to === 'stuck');
    assert.equal(loud?.level, 'warn');
  });

  await step(t, 'whoever is to know is told, by webhook and by metrics', async () => {
    await until(() => webhook.asked.length > 0, 'the alert');
    const alert = JSON.parse(webhook.asked[0]?.body ?? '') as Readonly<Record<string, string>>;
    assert.deepEqual([alert.alert, alert.app, alert.names], ['stuck', SIDECAR, [NAME]]);
    assert.match(alert.cure ?? '', /minimumHealthCapacity/);
    const [task] = cluster.tasks(SIDECAR);
    const scrape = async () => {
      const scraped = readExposition(await (await fetch(`http://${task?.host}:${task?.ports[1]}/metrics`)).text());
      return (name: string, label = '') =>
        scraped
          .get(`letsencrypt_dcos_${name}`)
          ?.samples.find(({ labels }) => label === '' || Object.values(labels).includes(label))?.value;
    };
    await until(async () => (await scrape())('alerts_sent_total') === 1, 'the alert to count as sent');
    const shown = await scrape();
    const facts = [shown('certificate_state', 'stuck'), shown('orders_total'), shown('deployments_total', 'install')];
    assert.deepEqual([...facts, shown('loop_alive')], [1, 1, 1, 1]);
  });

  await step(t, 'nothing is forced, repeated or ordered, and the old task serves on', async () => {
    assert.equal((await said(cluster)).state, 'stuck');
    assert.equal(changes(cluster).length, 1);
    assert.equal(cluster.pebble.orders(), 1);
    assert.deepEqual(
      cluster.tasks(LOAD_BALANCER).map(({ id }) => id),
      [running?.id],
    );
    assert.notEqual((await look(cluster, [NAME]))[0]?.fingerprint, undefined);
    never();
  });

  await step(t, 'an agent with free ports is added: it ends by itself, and the certificate is live', async () => {
    await new Promise<unknown>((closed) => neighbour.close(closed));
    await marathon.until(() => redeployments(cluster)[0]?.state === 'succeeded', 'the deployment to end', 40_000);
    await untilServed(cluster, [NAME]);
    await cluster.pebble.resolveAll(other);
    await untilSaid(cluster, { state: 'live' });
    await until(() => told().length === 2, 'the end to be told');
    assert.equal(changes(cluster).length, 1);
    assert.equal(cluster.pebble.orders(), 1);
  });

  await step(t, 'stuck again with the next certificate; this time the operator changes the strategy', async () => {
    const [now] = cluster.tasks(LOAD_BALANCER);
    const free = cluster.publicHosts.find((host) => host !== now?.host) ?? '';
    const again = createServer();
    await new Promise<void>((listening) => again.listen(443, free, listening));
    t.after(async () => void again.close());
    const vhosts = `${NAME},more.example.com`;
    const { body } = await marathon.api('GET', `/v2/apps${SIDECAR}`);
    const { labels } = (body as { app: { labels: object } }).app;
    await update(cluster, SIDECAR, { labels: { ...labels, HAPROXY_0_VHOST: vhosts } });
    await untilSaid(cluster, { state: 'stuck', why: /no second agent has its ports free/ });
    await update(cluster, LOAD_BALANCER, { upgradeStrategy: KILL_FIRST }, { force: true });
    await untilServed(cluster, vhosts.split(','));
    await untilSaid(cluster, { state: 'live' });
    assert.equal(changes(cluster).length, 2);
    assert.equal(cluster.pebble.orders(), 2);
    never();
    const twice = ['stuck firing', 'stuck resolved', 'stuck firing', 'stuck resolved'];
    await until(() => told().length >= twice.length, 'the end to be told');
    assert.deepEqual(told(), twice);
  });
  assertWellBehaved(cluster);
});
