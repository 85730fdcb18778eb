/** Names whose DNS is not as it should be: told before the CA is asked, and while nothing is due. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  NOTHING,
  ONE_OF_EACH,
  quickCluster,
  sidecarFor,
  statusOf,
  untilServed,
} from '../support/episode.ts';
import { until } from '../support/until.ts';

test('a new name without a record waits with its cure and is ordered once it has one; a record that breaks later is told', async (t) => {
  const [a, b] = ['a.example.com', 'b.example.com'];
  const cluster = await quickCluster(t, { pebble: { defaultAddress: '' } });
  const { pebble, publicHosts } = cluster;
  const [host = ''] = publicHosts;
  const tasks = () => cluster.tasks(SIDECAR);
  const lookAnew = (): void => void process.kill(tasks()[0]?.pid ?? 0, 'SIGHUP');
  const isTold = (name: string, words: RegExp) =>
    until(
      async () => {
        const [task] = tasks();
        const names = (task && (await statusOf(task)).plan?.certificate.names) ?? [];
        const { obstacle } = names.find((one) => one.name === name) ?? {};
        return words.test(`${obstacle?.why} ${obstacle?.cure}`);
      },
      `${name} to be told`,
      30_000,
    );

  await cluster.addSidecar(await sidecarFor([a, b]));
  await isTold(a, /has neither an A nor an AAAA record in DNS Make an A or AAAA record/);
  await isTold(b, /has neither an A nor an AAAA record in DNS Make an A or AAAA record/);
  assert.equal(pebble.counts().newOrder, 0);
  const since = countFrom(cluster);
  await Promise.all([pebble.resolve(a, host), pebble.resolve(b, host)]);
  lookAnew();
  await untilServed(cluster, [a, b]);
  assert.deepEqual(since(), ONE_OF_EACH);

  const later = countFrom(cluster);
  await pebble.tell('clear-a', { host: b });
  lookAnew();
  await isTold(b, /^b\.example\.com: has neither an A nor an AAAA record/);
  assert.deepEqual(later(), NOTHING);
});
