/**
 * Marathon says that the deployment is done, and one of two HAProxys serves another certificate all the same: said
 * loudly, looked at again, and never "mended" by one more deployment.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBalancerExecutor } from '../marathon-simulator/load-balancer/executor.ts';
import { issue } from '../support/certificates.ts';
import { LOAD_BALANCER, startCluster } from '../support/cluster.ts';
import {
  assertWellBehaved,
  changes,
  keeper,
  look,
  moreLooks,
  QUICK,
  redeployments,
  said,
  step,
  untilSaid,
  untilServed,
} from '../support/operator.ts';

const NAME = 'www.example.com';

test('one of two HAProxys serves the old certificate', async (t) => {
  const old = issue({ domains: [NAME], issuerName: 'Old CA' });
  let clings: string | undefined;
  const cluster = await startCluster(t, {
    simulator: QUICK,
    images: {
      loadBalancer: loadBalancerExecutor({
        pemFor: ({ host }, env) => (host === clings ? { ...env, HAPROXY_SSL_CERT: old.pem } : env),
      }),
    },
  });
  clings = cluster.publicHosts[1];

  await step(t, 'the deployment is done, and the state is not-served, with the instance and the cure', async () => {
    await cluster.addSidecar(await keeper('letsencrypt-dcos', { labels: { HAPROXY_0_VHOST: NAME } }));
    await untilSaid(cluster, {
      state: 'not-served',
      why: new RegExp(
        `^marathon-lb at ${clings}:443 serves ${old.fingerprint.slice(0, 11)}… .* for ${NAME}; expected `,
      ),
      cure: /restart that marathon-lb task if it still runs with an old environment/,
    });
    assert.deepEqual(
      redeployments(cluster).map(({ state }) => state),
      ['succeeded'],
    );
    const loud = (await cluster.log()).find(({ msg, to }) => msg === 'state changed' && to === 'not-served');
    assert.equal(loud?.level, 'warn');
    const [good, bad] = await look(cluster, [NAME]).then((seen) => seen.toSorted(byHost));
    assert.equal(good?.objection, undefined);
    assert.equal(bad?.fingerprint, old.fingerprint);
  });

  await step(t, 'it is looked at again and again, and nothing is posted', async () => {
    await moreLooks(cluster, 3);
    assert.equal((await said(cluster)).state, 'not-served');
    assert.equal(changes(cluster).length, 1);
    assert.equal(cluster.pebble.orders(), 1);
  });

  await step(t, 'the operator restarts that task: live, still with one change and one order', async () => {
    const task = cluster.tasks(LOAD_BALANCER).find(({ host }) => host === clings);
    clings = undefined;
    await cluster.marathon.api('DELETE', `/v2/apps${LOAD_BALANCER}/tasks/${task?.id}`);
    await untilSaid(cluster, { state: 'live' });
    await untilServed(cluster, [NAME]);
    assert.equal((await look(cluster, [NAME])).length, 2);
    assert.equal(changes(cluster).length, 1);
    assert.equal(cluster.pebble.orders(), 1);
  });
  assertWellBehaved(cluster);
});

function byHost(a: { endpoint: { host: string } }, b: { endpoint: { host: string } }): number {
  return a.endpoint.host.localeCompare(b.endpoint.host);
}
