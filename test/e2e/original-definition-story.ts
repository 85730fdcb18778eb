/**
 * Run by original-definition.test.ts in a network namespace of its own. Tells what it has seen, line by line; exits 1 with
 * the reason when something is not as it should be.
 *
 * All that is added to the definition is the address of the CA and the root it is checked by: the definition names none,
 * and the default is Let's Encrypt.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Stack } from '../demo/disposer.ts';
import type { Launch } from '../marathon-simulator/executor.ts';
import { namespaceExecutor } from '../marathon-simulator/namespace.ts';
import { SIDECAR, startCluster } from '../support/cluster.ts';
import { original } from '../support/definitions.ts';
import { OUR_IMAGE, OUR_PROGRAM } from '../support/images.ts';
import { assertWellBehaved, changes, QUICK, redeployments, restart, untilServed } from '../support/operator.ts';
import { until } from '../support/until.ts';

const PREFIX = '10.64.9';
const NAMES = ['ssl-test-1.mesosphere.com', 'ssl-test-2.mesosphere.com'];

const stack = new Stack();
const tell = (line: string): void => void process.stdout.write(`${line}\n`);

async function story(): Promise<void> {
  const launches: Launch[] = [];
  const binds: string[] = [];
  const container = namespaceExecutor({ argv: OUR_PROGRAM, names: { 'master.mesos': `${PREFIX}.1` }, binds });
  const cluster = await startCluster(stack, {
    prefix: PREFIX,
    simulator: {
      ...QUICK,
      port: 8080,
      images: {
        [OUR_IMAGE]: (launch, view) => {
          launches.push(launch);
          return container(launch, view);
        },
      },
    },
  });
  binds.push(dirname(cluster.pebble.caFile));

  const definition = await original();
  assert.deepEqual(Object.keys(definition.env), ['MARATHON_URL', 'MARATHON_LB_ID', 'LETSENCRYPT_EMAIL']);
  await cluster.addSidecar(definition);
  await untilServed(cluster, NAMES);
  await untilLive(1);
  assert.equal(cluster.pebble.orders(), 1);
  assert.equal(redeployments(cluster).length, 1);
  tell('served after one order and one deployment');

  const [launch] = launches;
  const [task] = cluster.tasks(SIDECAR);
  const environ = await environmentOf(task?.pid);
  assert.deepEqual(environ, launch?.env, 'the process has what Marathon gave it, and nothing else');
  const beyond = Object.keys(environ).filter((name) => !/^(MESOS_|MARATHON_APP_|PORT|HOST$)/.test(name));
  const own = [...Object.keys(definition.env), ...Object.keys(cluster.caEnv)];
  assert.deepEqual(beyond.toSorted(), own.toSorted(), "Marathon's own variables apart, those of the definition");
  tell(`the environment of the task: Marathon's, and ${beyond.join(', ')}`);

  await restart(cluster, SIDECAR);
  await untilLive(2);
  assert.equal(cluster.pebble.orders(), 1);
  assert.equal(changes(cluster).length, 1);
  tell('restarted without its folder: it adopts what marathon-lb has, no order, no deployment');
  assertWellBehaved(cluster);

  /** There is no port for the status: what it logs tells. */
  async function untilLive(times: number): Promise<void> {
    await until(
      async () => (await cluster.log()).filter(({ to }) => to === 'live').length >= times,
      'it to say live',
      40_000,
    );
  }
}

async function environmentOf(pid: number | undefined): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8');
  const pairs = text.split('\0').filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

try {
  await story();
} catch (error) {
  tell(String((error as Error).stack));
  tell(String((error as Error).cause ?? ''));
  process.exitCode = 1;
} finally {
  await stack.dispose();
}
