/** Restarts: with the state folder, with certbot's in its place, without one as the first program's definition has it, and lost. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { layOutAccount, layOutLineage } from '../support/certbot.ts';
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
import { said as heard } from '../support/operator.ts';
import { until } from '../support/until.ts';

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
  await until(
    async () => (await said(cluster)).includes('certificate adopted'),
    "it to take it from marathon-lb's environment",
  );
  assert.deepEqual(since(), NOTHING);

  await restart(cluster);
  assert.equal(await untilServed(cluster, names), fingerprint);
  assert.ok(!(await said(cluster)).includes('certificate adopted'), 'it has kept what it adopted');
  assert.deepEqual(since(), NOTHING);

  await edit(cluster, { instances: 0 });
  const from = await asCertbots(join(cluster.folder, 'mesos', 'volumes'));
  await edit(cluster, { instances: 1 });
  assert.equal(await untilServed(cluster, names), fingerprint);
  const isTold = (note: string): boolean => /^certbot's certificate a\.example\.com was imported/.test(note);
  await until(async () => (await heard(cluster)).notes.some(isTold), 'the status to tell of it');
  assert.deepEqual(since(), NOTHING);
  assert.ok((await readdir(from)).includes('live'), "certbot's files stay");
  assert.deepEqual(cluster.marathon.violations, []);
});

/** What the program keeps, as if certbot had: the folder that the program before it leaves behind. */
async function asCertbots(volumes: string): Promise<string> {
  const inside = await readdir(volumes, { recursive: true, withFileTypes: true });
  const [own] = inside.filter(({ name }) => name === 'certificate.json');
  assert.ok(own);
  const folder = own.parentPath;
  const { pem, directory } = JSON.parse(await readFile(join(folder, 'certificate.json'), 'utf8'));
  const [chainPem = '', keyPem = ''] = pem.split(/(?=-----BEGIN PRIVATE KEY)/);
  await emptied(volumes);
  await layOutLineage(folder, 'a.example.com', { chainPem, keyPem }, { server: directory });
  await layOutAccount(folder, directory, { uri: new URL('/my-account/1', directory).href });
  return folder;
}

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
  await until(async () => (await said(cluster)).includes('certificate adopted'), 'it to be adopted');
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
