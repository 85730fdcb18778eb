/** The cluster that stories are told on: what it adds to a task's environment, and that nothing else does. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { SIDECAR, startCluster } from '../support/cluster.ts';
import { original, shipped } from '../support/definitions.ts';

/** The variables that DIFFERENCES.md says a task gets beyond Marathon's. */
async function documented(): Promise<readonly string[]> {
  const page = await readFile(new URL('../marathon-simulator/DIFFERENCES.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''));
}

async function environmentOf(pid: number | undefined): Promise<Map<string, string>> {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8');
  const pairs = text.split('\0').filter((pair) => pair !== '');
  return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** What Marathon's EnvironmentHelper and TaskBuilder, and Mesos, give to every task. */
const GIVEN = /^(MESOS_|MARATHON_APP_|HOST$|PORTS?$|PORT\d|PORT_)/;

test('a task has what Marathon gives it, its own env, and the variables that DIFFERENCES.md lists', async (t) => {
  const cluster = await startCluster(t, { loadBalancers: 0 });
  for (const definition of [await original(), await shipped('letsencrypt-dcos-test-1')]) {
    await cluster.marathon.add(definition);
    await cluster.marathon.until(() => cluster.tasks(definition.id).length === 1, `${definition.id} runs`);
    const environment = await environmentOf(cluster.tasks(definition.id)[0]?.pid);
    const rest = [...environment.keys()].filter((name) => !GIVEN.test(name) && !(name in definition.env));
    const known = await documented();
    assert.deepEqual(
      rest.filter((name) => !known.includes(name)),
      [],
    );
  }
  const [task] = cluster.tasks(SIDECAR);
  const environment = await environmentOf(task?.pid);
  assert.equal(environment.get('MARATHON_URL'), cluster.marathon.url, 'master.mesos leads to the simulator');
  assert.equal(environment.get('LISTEN_ADDRESS'), task?.host);
  assert.equal(environment.get('HTTP_PORT'), String(task?.ports[0]));
});
