/** Restarts: with the state folder, without one as the first program's definition has it, and with a lost volume. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { type Cluster, SIDECAR } from '../support/cluster.ts';
import { original } from '../support/definitions.ts';
import {
  countFrom,
  edit,
  logOf,
  NOTHING,
  ONE_OF_EACH,
  quickCluster,
  restart,
  sidecarFor,
  untilServed,
} from '../support/episode.ts';

/** What the only running task logged. */
async function said(cluster: Cluster): Promise<readonly unknown[]> {
  const [task] = cluster.tasks(SIDECAR);
  return task === undefined ? [] : (await logOf(task)).map(({ msg }) => msg);
}

test('restarted with its volume, and after the volume was lost, it orders nothing and deploys nothing', async (t) => {
  const names = ['a.example.com', 'b.example.com'];
  const cluster = await quickCluster(t);
  await cluster.addSidecar(await sidecarFor(names));
  const fingerprint = await untilServed(cluster, names);
  const since = countFrom(cluster);
  const [first] = cluster.tasks(SIDECAR);

  await restart(cluster);
  assert.equal(await untilServed(cluster, names), fingerprint);
  assert.notEqual(cluster.tasks(SIDECAR)[0]?.id, first?.id, 'another task');
  assert.ok(!(await said(cluster)).includes('certificate adopted'), 'it had it in its folder');
  assert.deepEqual(since(), NOTHING);

  await edit(cluster, { instances: 0 });
  await emptied(join(cluster.folder, 'mesos', 'volumes'));
  await edit(cluster, { instances: 1 });
  assert.equal(await untilServed(cluster, names), fingerprint);
  assert.ok((await said(cluster)).includes('certificate adopted'), "it took it from marathon-lb's environment");
  assert.deepEqual(since(), NOTHING);

  await restart(cluster);
  assert.equal(await untilServed(cluster, names), fingerprint);
  assert.ok(!(await said(cluster)).includes('certificate adopted'), 'it has kept what it adopted');
  assert.deepEqual(since(), NOTHING);
  assert.deepEqual(cluster.marathon.violations, []);
});

/** Every file of every volume, but not the folders that the agents mount. */
async function emptied(volumes: string): Promise<void> {
  const inside = await readdir(volumes, { recursive: true, withFileTypes: true });
  const files = inside.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  assert.ok(
    files.some((file) => file.endsWith('certificate.json')),
    `there was something to lose: ${files}`,
  );
  for (const file of files) await rm(file);
}

test("the first program's own definition, without a volume: a certificate with RSA 4096; a restart orders and deploys nothing", async (t) => {
  const cluster = await quickCluster(t);
  const definition = await original();
  const names = String(definition.labels.HAPROXY_0_VHOST).split(',');
  const since = countFrom(cluster);
  await cluster.addSidecar(definition);
  const fingerprint = await untilServed(cluster, names);
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.equal(await keyServed(cluster, names[0] ?? ''), 'rsa 4096');

  const sinceRestart = countFrom(cluster);
  await restart(cluster);
  assert.equal(await untilServed(cluster, names), fingerprint);
  assert.ok((await said(cluster)).includes('certificate adopted'));
  assert.deepEqual(sinceRestart(), NOTHING);
  assert.deepEqual(cluster.marathon.violations, []);
});

/** Type and size of the key that an instance shows for this name. */
async function keyServed(cluster: Cluster, servername: string): Promise<string> {
  const host = cluster.publicHosts[0] ?? '';
  const socket = connect({ host, port: cluster.httpsPort, servername, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    const key = socket.getPeerX509Certificate()?.publicKey;
    return `${key?.asymmetricKeyType} ${key?.asymmetricKeyDetails?.modulusLength}`;
  } finally {
    socket.destroy();
  }
}
