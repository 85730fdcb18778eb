/**
 * Run by namespace.test.ts in a network namespace of its own: tasks in containers of a kind, with nothing but Marathon's
 * environment. Exits 1 with the reason when something is not as it would be under Docker.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespaceExecutor } from '../../marathon-simulator/namespace.ts';
import { startSimulator } from '../../marathon-simulator/simulator.ts';

const AGENT = '10.64.7.2';

/** What a program finds in its container: environment, files, names, and whether it may write. */
const PROGRAM = `
  const fs = require('node:fs');
  const may = (path) => { try { fs.writeFileSync(path, 'x'); return true; } catch { return false; } };
  const answer = async (request, response) => {
    const marathon = await fetch(process.env.MARATHON_URL + '/v2/info').then((r) => r.status, (e) => String(e.cause ?? e));
    response.end(JSON.stringify({
      env: process.env, marathon, uid: process.getuid(), pidFile: may('/mnt/mesos/sandbox/here'),
      root: may('/anywhere'), state: may('/etc/letsencrypt/state'), tmp: may('/tmp/x'),
    }));
  };
  if (process.getuid() === 0) fs.mkdirSync('/etc/letsencrypt', { recursive: true });
  require('node:http').createServer(answer).listen('PORT_80' in process.env ? 80 : 8080, '0.0.0.0');
`;

/** Within a user namespace there may be no other user to become. */
const [, , users] = (await readFile('/proc/self/uid_map', 'utf8')).trim().split(/\s+/);
const uid = Number(users) > 1000 ? 1000 : 0;

const workDir = await mkdtemp(join(tmpdir(), 'namespace-'));
const argv = [process.execPath, '-e', PROGRAM];
const names = { 'master.mesos': '10.64.7.1' };
const marathon = await startSimulator({
  host: '10.64.7.1',
  port: 8080,
  agents: [{ host: AGENT }],
  secondMs: 20,
  workDir,
  images: {
    plain: namespaceExecutor({ argv, names }),
    careful: namespaceExecutor({ argv, names, readOnlyRoot: true, ...(uid ? { uid } : {}) }),
  },
});

const definition = (image: string, containerPort: number, more = {}) => ({
  id: `/${image}`,
  cpus: 0.05,
  mem: 128,
  instances: 1,
  container: {
    type: 'DOCKER',
    docker: { image, network: 'BRIDGE', portMappings: [{ containerPort, hostPort: 0, servicePort: 10_000 }] },
    ...more,
  },
  env: { MARATHON_URL: 'http://master.mesos:8080' },
  healthChecks: [{ protocol: 'HTTP', path: '/', portIndex: 0, intervalSeconds: 5, timeoutSeconds: 5 }],
});

async function found(appId: string) {
  const [task] = marathon.tasksOf(appId).slice(-1);
  return (await fetch(`http://${AGENT}:${task?.ports[0]}/`)).json() as Promise<Record<string, unknown>>;
}

try {
  await marathon.deployed(await marathon.add(definition('plain', 80)), 60_000);
  const plain = await found('/plain');
  assert.equal(plain.marathon, 200, 'master.mesos leads to Marathon');
  assert.deepEqual([plain.uid, plain.root, plain.state, plain.pidFile], [0, true, true, true]);
  const env = plain.env as Record<string, string>;
  const beyond = Object.keys(env).filter((name) => !/^(MESOS_|MARATHON_|PORT|HOST$)/.test(name));
  assert.deepEqual(beyond, [], 'nothing beyond what Marathon and Mesos give');
  await assert.rejects(readFile('/anywhere'), 'what it wrote stays in its container');

  const volumes = [{ containerPath: '/etc/letsencrypt', hostPath: '/var/lib/state', mode: 'RW' }];
  await marathon.deployed(await marathon.add(definition('careful', 8080, { volumes })), 60_000);
  const careful = await found('/careful');
  assert.deepEqual([careful.marathon, careful.uid, careful.root, careful.tmp], [200, uid, false, true]);

  const [first] = marathon.tasksOf('/plain');
  process.kill(first?.pid ?? 0, 'SIGKILL');
  await marathon.until(() => marathon.tasksOf('/plain')[1]?.alive === true, 'the next container', 60_000);
} catch (error) {
  for (const task of [...marathon.tasksOf('/plain'), ...marathon.tasksOf('/careful')]) {
    const stderr = await readFile(task.stderr, 'utf8').catch(() => '');
    process.stderr.write(`${task.id} ${task.state} ${task.message} ${stderr}\n`);
  }
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
} finally {
  await marathon.close();
  await rm(workDir, { recursive: true, force: true });
}
