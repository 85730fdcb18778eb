/** Names that fail, and HTTPS for the others all the same: with a preflight that sees it coming, and by the CA's own refusal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster } from '../support/cluster.ts';
import { SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  edit,
  ONE_OF_EACH,
  patiently,
  proof,
  quickCluster,
  restart,
  type Status,
  sidecarFor,
  statusOf,
  untilServed,
} from '../support/episode.ts';

const GOOD = ['a.example.com', 'b.example.com'];
const DEAD = 'dead.example.com';
const BLOCKED = 'blocked.example.com';

type Certificate = NonNullable<Status['plan']>['certificate'];

/** Waits until it says that it is live without some names, and the good ones are served. Gives what it says. */
async function untilDegraded(cluster: Cluster, why: RegExp): Promise<Certificate> {
  return patiently(cluster, `degraded: ${why}`, async () => {
    const [task, ...others] = cluster.tasks(SIDECAR);
    if (task === undefined || others.length > 0) return undefined;
    const said = (await statusOf(task)).plan?.certificate;
    if (said?.state !== 'degraded' || !why.test(said.why)) return undefined;
    const served = proof(await cluster.look(GOOD), GOOD.length * cluster.publicHosts.length);
    return served === undefined ? undefined : said;
  });
}

/** What the log says of the state, in a row. */
async function states(cluster: Cluster): Promise<readonly unknown[]> {
  const changes = (await cluster.log()).filter(({ msg }) => msg === 'state changed');
  return changes.map(({ to }) => to);
}

test('names that fail', { concurrency: 2 }, async (t) => {
  await Promise.all([
    t.test(
      'a name that leads nowhere is seen before the CA is asked; mended, it is had with one order more',
      async (t) => {
        const cluster = await quickCluster(t);
        await cluster.pebble.resolve(DEAD, '169.254.7.7');
        const since = countFrom(cluster);
        await cluster.addSidecar(await sidecarFor([...GOOD, DEAD]));

        const said = await untilDegraded(cluster, /^live without dead\.example\.com: /);
        assert.match(said.why, /dead\.example\.com: leads to 169\.254\.7\.7/);
        assert.match(said.cure ?? '', /Let the record lead to the load balancer's public address/);
        assert.deepEqual(said.held?.domains, GOOD);
        assert.deepEqual(since(), ONE_OF_EACH, 'the CA never heard of the third name');

        const sinceMended = countFrom(cluster);
        await cluster.pebble.resolve(DEAD, cluster.publicHosts[0] ?? '');
        await restart(cluster); // the next preflight is five minutes away
        await untilServed(cluster, [...GOOD, DEAD]);
        assert.deepEqual(sinceMended(), ONE_OF_EACH);
        assert.deepEqual(cluster.marathon.violations, []);
      },
    ),

    t.test(
      'the CA refuses one name by policy and one by validation: the others are served after three orders',
      async (t) => {
        const cluster = await quickCluster(t, { pebble: { blocked: [BLOCKED] } });
        await cluster.pebble.forget(DEAD);
        const since = countFrom(cluster);
        const env = { ...cluster.caEnv, PREFLIGHT: 'off', KEY_TYPE: 'ec256' };
        await cluster.addSidecar(await sidecarFor([...GOOD, DEAD, BLOCKED], { env }));

        const said = await untilDegraded(
          cluster,
          /^live without dead\.example\.com, blocked\.example\.com: .*next try/,
        );
        assert.match(said.why, /ACME: dead\.example\.com: .*\(and 1 more\)/);
        const both = { orders: 2, issued: 1, deployments: 1, puts: 1 };
        assert.deepEqual(since(), { ...both, newOrders: 3 });
        const before = await states(cluster);
        assert.equal(before.filter((state) => state === 'degraded').length, 1, before.join(' '));

        const sinceMended = countFrom(cluster);
        await cluster.pebble.resolve(DEAD, cluster.publicHosts[0] ?? '');
        const labels = (await sidecarFor([...GOOD, DEAD])).labels as Record<string, string>;
        await edit(cluster, { labels, env: { ...env, KEY_TYPE: 'ec384' } }); // with other settings it is tried at once
        await untilServed(cluster, [...GOOD, DEAD]);
        assert.deepEqual(sinceMended(), ONE_OF_EACH);
        assert.deepEqual(cluster.marathon.violations, []);
      },
    ),
  ]);
});
