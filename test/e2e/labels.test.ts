/** The labels of a certificate that lives: a name comes, a name goes, somebody pastes junk. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  edit,
  NOTHING,
  ONE_OF_EACH,
  quickCluster,
  sidecarFor,
  statusOf,
  untilServed,
  visitors,
} from '../support/episode.ts';

test('a name is added to the label, another one taken out: visitors of the old names notice nothing', async (t) => {
  const names = ['a.example.com', 'b.example.com'];
  const more = [...names, 'c.example.com'];
  const cluster = await quickCluster(t);
  const definition = await sidecarFor(names);
  const labelled = (list: readonly string[]) => ({
    labels: { ...definition.labels, HAPROXY_0_VHOST: list.join(',') },
  });
  await cluster.addSidecar(definition);
  const first = await untilServed(cluster, names);
  const crowd = visitors(cluster, names);

  const sinceMore = countFrom(cluster);
  await edit(cluster, labelled(more));
  const second = await untilServed(cluster, more, first);
  assert.deepEqual(sinceMore(), ONE_OF_EACH);

  const sinceLess = countFrom(cluster);
  const fewer = ['a.example.com', 'c.example.com'];
  await edit(cluster, labelled(fewer));
  assert.equal(await untilServed(cluster, fewer), second, 'a certificate with a name too many is good enough');
  const [task] = cluster.tasks(SIDECAR);
  assert.deepEqual(task && (await statusOf(task)).plan?.certificate.domains, fewer);
  assert.deepEqual(sinceLess(), NOTHING);

  assert.deepEqual(await crowd.leave(), []);
  assert.deepEqual(cluster.marathon.violations, []);
});

test('a label with junk in it: the good names are served, each bad one is told with its reason', async (t) => {
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  const label = ' Good.example.com, *.example.com,10.0.0.7,good.example.com,,not_ours.example.com , fine.example.com,';
  const good = ['good.example.com', 'fine.example.com'];

  await cluster.addSidecar(await sidecarFor([], { labels: { HAPROXY_0_VHOST: label } }));
  await untilServed(cluster, good);

  assert.deepEqual(since(), ONE_OF_EACH);
  const [task] = cluster.tasks(SIDECAR);
  const status = task && (await statusOf(task)).plan;
  assert.deepEqual(status?.certificate.domains, good);
  assert.deepEqual(status?.certificate.refused, [
    { name: '*.example.com', reason: 'is a wildcard, which needs a DNS challenge; list the names one by one' },
    { name: '10.0.0.7', reason: 'is an IP address; a certificate needs a host name' },
    { name: 'not_ours.example.com', reason: 'has the character "_", which no host name may have' },
  ]);
  assert.deepEqual(cluster.marathon.violations, []);
});
