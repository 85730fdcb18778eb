/** Signals: asked to end in the middle of an order, asked twice, asked to look again. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Cluster, SIDECAR } from '../support/cluster.ts';
import type { Definition } from '../support/definitions.ts';
import {
  countFrom,
  logOf,
  NOTHING,
  ONE_OF_EACH,
  patiently,
  quickCluster,
  sidecarFor,
  untilServed,
} from '../support/episode.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';

const NAMES = ['a.example.com', 'b.example.com'];
/** Nobody else sends it one: the signals come from here, and Marathon knows nothing of them. */
const KILLED = 'Command terminated with signal SIGKILL';
/** What it says when its own deadline ends it, which is below the grace that Marathon gives by default. */
const BY_DEADLINE =
  'not stopped within 2.5 s after SIGTERM: ending at once; the next start goes on where this one was\n';

test('told to end in the middle of an order it ends well, before its deadline; the next task goes on with the same order', async (t) => {
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  const proxy = await startRecordingProxy(t, { target: cluster.pebble.directoryUrl, caPem: cluster.pebble.caPem });
  await cluster.addSidecar(await through(proxy, cluster));
  const release = await held(cluster, proxy);

  const first = await signalled(cluster, 'SIGTERM');
  assert.deepEqual(first, { message: 'Command exited with status 0', said: '' });
  release();

  await untilServed(cluster, NAMES);
  const [second] = cluster.tasks(SIDECAR);
  const started = second && (await logOf(second)).find(({ msg }) => msg === 'order started');
  assert.equal(started?.resumed, true);
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});

/** Our app, whose way to the CA leads through this proxy. */
async function through(proxy: RecordingProxy, { folder }: Cluster): Promise<Definition> {
  const caFile = join(folder, 'proxy-root.pem');
  await writeFile(caFile, proxy.caPem ?? '');
  return sidecarFor(NAMES, { env: { LETSENCRYPT_SERVER_URL: proxy.url, ACME_CA_FILE: caFile } });
}

/** Waits until the first name is about to be validated. The CA never hears of it, before the release or after. */
async function held(cluster: Cluster, proxy: RecordingProxy): Promise<() => void> {
  const gone = Promise.withResolvers<'drop'>();
  let isHeld = false;
  proxy.hooks = {
    onRequest: (_n, { path }) => {
      if (!path.startsWith('/chalZ/')) return undefined;
      isHeld = true;
      return gone.promise;
    },
  };
  await patiently(cluster, 'a challenge to be triggered', () => isHeld);
  return () => {
    proxy.hooks = {};
    gone.resolve('drop');
  };
}

/** Sends the signals to the running task, waits for its end, and tells how it was and what was said of it. */
async function signalled(cluster: Cluster, ...signals: readonly NodeJS.Signals[]) {
  const [task] = cluster.tasks(SIDECAR);
  assert.ok(task?.pid);
  for (const signal of signals) process.kill(task.pid, signal);
  await patiently(cluster, 'the task to end', () => task.endedAt !== undefined);
  return { message: task.message, said: await readFile(task.stderr, 'utf8') };
}

test('while its volume hangs, the first signal ends it by its deadline, a second one at once; with the volume back, all is as before', async (t) => {
  const cluster = await quickCluster(t);
  await cluster.addSidecar(await sidecarFor(NAMES, { env: { NODE_OPTIONS: PIPES_HANG } }));
  const fingerprint = await untilServed(cluster, NAMES);
  const since = countFrom(cluster);
  const volume = await hangingVolume(cluster);

  process.kill(cluster.tasks(SIDECAR)[0]?.pid ?? 0, 'SIGHUP');
  await volume.hangs();
  const one = await signalled(cluster, 'SIGTERM');
  assert.deepEqual(one, { message: KILLED, said: BY_DEADLINE });

  await volume.hangs();
  // They differ, for of two that are alike and come at once, the kernel keeps one.
  const two = await signalled(cluster, 'SIGTERM', 'SIGINT');
  assert.deepEqual(two, { message: KILLED, said: '' });

  await volume.restore();
  assert.equal(await untilServed(cluster, NAMES), fingerprint);
  assert.deepEqual(since(), NOTHING);
  assert.deepEqual(cluster.marathon.violations, []);
});

/**
 * Node's option with which a pipe is opened as on a network file system whose server is away: that takes for ever. A file
 * beside it tells that somebody waits.
 */
const PIPES_HANG = `--import=data:text/javascript,${encodeURIComponent(`
  import { constants, promises, statSync, writeFileSync } from 'node:fs';
  import { syncBuiltinESMExports } from 'node:module';
  const { open } = promises;
  promises.open = (path, flags, mode) => {
    if (!statSync(path, { throwIfNoEntry: false })?.isFIFO()) return open(path, flags, mode);
    writeFileSync(path + '.opened', '');
    return open(path, flags & ~constants.O_NONBLOCK, mode);
  };
  syncBuiltinESMExports();
`)}`;

interface HangingVolume {
  /** Resolves when the program hangs in it; asked again, when the next one does. */
  hangs(): Promise<void>;
  restore(): Promise<void>;
}

/** Who opens the certificate's file waits for ever. */
async function hangingVolume(cluster: Cluster): Promise<HangingVolume> {
  const { folder } = cluster;
  const inside = await readdir(join(folder, 'mesos', 'volumes'), { recursive: true, withFileTypes: true });
  const file = inside.find(({ name }) => name === 'certificate.json');
  const path = join(file?.parentPath ?? '', 'certificate.json');
  await rename(path, `${path}.away`);
  await promisify(execFile)('mkfifo', [path]);
  return {
    hangs: () => patiently(cluster, 'it to hang', () => rm(`${path}.opened`).then(() => true)).then(() => undefined),
    restore: () => rename(`${path}.away`, path),
  };
}

/** How often Marathon was asked for an app by our program: each look of it asks for two, and reads its folder meanwhile. */
function asked({ marathon }: Cluster): number {
  return marathon.requests.filter(({ path, operator }) => path.startsWith('/v2/apps/') && !operator).length;
}

function untilAsked(cluster: Cluster, before: number): Promise<unknown> {
  return patiently(cluster, 'a look at Marathon', () => asked(cluster) >= before + 2);
}

test('SIGHUP has it look at once, and nothing else happens', async (t) => {
  const cluster = await quickCluster(t);
  await cluster.addSidecar(await sidecarFor(NAMES));
  await untilServed(cluster, NAMES);
  const since = countFrom(cluster);
  const before = asked(cluster);
  const [task] = cluster.tasks(SIDECAR);
  process.kill(task?.pid ?? 0, 'SIGHUP');
  await untilAsked(cluster, before);
  assert.equal(task?.state, 'TASK_RUNNING');
  assert.deepEqual(since(), NOTHING);
  assert.deepEqual(cluster.marathon.violations, []);
});
