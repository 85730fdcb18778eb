/**
 * The definition that is shipped for old Marathons, on the generations that it is for.
 *
 * They know neither `networks` nor persistent volumes nor, in 0.15, health checks made by Mesos. Whether it went well is
 * asked of the wire, the CA and Marathon.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Profile } from '../marathon-simulator/profiles.ts';
import { startCluster } from '../support/cluster.ts';
import type { Edits } from '../support/definitions.ts';
import { assertWellBehaved, keeper, QUICK, redeployments, untilSaid, untilServed } from '../support/operator.ts';

const NAME = 'www.example.com';

/** What the operator of a 0.15 writes into the load balancer's definition: a check that Marathon itself makes. */
const BY_MARATHON: Edits = {
  fields: {
    healthChecks: [
      {
        protocol: 'HTTP',
        path: '/_haproxy_health_check',
        portIndex: 2,
        gracePeriodSeconds: 60,
        intervalSeconds: 1,
        timeoutSeconds: 2,
        maxConsecutiveFailures: 5,
      },
    ],
  },
};

const GENERATIONS: readonly { profile: Profile; loadBalancerEdits: Edits }[] = [
  { profile: '0.15', loadBalancerEdits: BY_MARATHON },
  { profile: '1.4', loadBalancerEdits: {} },
  { profile: '1.5.0', loadBalancerEdits: {} },
];

test('the definition for old Marathons', { concurrency: 2 }, async (t) => {
  const stories = GENERATIONS.map(({ profile, loadBalancerEdits }) =>
    t.test(`Marathon ${profile}: one order, one deployment, served`, async (t) => {
      const cluster = await startCluster(t, { simulator: { ...QUICK, profile }, loadBalancerEdits });
      const labels = { HAPROXY_0_VHOST: NAME };
      await cluster.addSidecar(await keeper('letsencrypt-dcos-marathon-1.4', { labels }));
      await untilServed(cluster, [NAME]);
      await untilSaid(cluster, { state: 'live' });
      assert.equal(cluster.pebble.orders(), 1);
      assert.equal(redeployments(cluster).length, 1);
      assertWellBehaved(cluster);
    }),
  );
  await Promise.all(stories);
});
