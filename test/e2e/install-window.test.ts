/**
 * The install window, from the setting to the wire: a renewed certificate waits for it, and a name without one does not.
 *
 * The program's own loop runs in this process, on a state folder that holds the certificate; Marathon is the simulator, the
 * load balancer a real HAProxy. The hours are drawn around the clock of the moment.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadBalancerExecutor } from '../marathon-simulator/load-balancer/executor.ts';
import { issue } from '../support/certificates.ts';
import { shipped } from '../support/definitions.ts';
import { LOAD_BALANCER_IMAGE, OUR_IMAGE } from '../support/images.ts';
import { startProgram, withCertificate } from '../support/in-process.ts';
import { sighted } from '../support/sighting.ts';
import { simulated, WEB } from '../support/simulated.ts';
import { until } from '../support/until.ts';

const [NAME, LATER] = ['www.example.com', 'shop.example.com'];
const HOUR_MS = 3_600_000;
const old = issue({ domains: [NAME], keyType: 'ec256', notBefore: new Date(Date.now() - 1_400 * HOUR_MS) });
const renewed = issue({ domains: [NAME], keyType: 'ec256' });
const withLater = issue({ domains: [NAME, LATER], keyType: 'ec256' });

/** Two hours, of which the first ends so many hours from now; over midnight if need be. */
function hours(fromNow: number): string {
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString().slice(11, 16);
  return `${at((fromNow - 1) * HOUR_MS)}-${at((fromNow + 1) * HOUR_MS)}`;
}

test('a renewed certificate waits for the install window, and is installed in it; a label with one name more does not wait', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'window-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const images = { [LOAD_BALANCER_IMAGE]: loadBalancerExecutor(), [OUR_IMAGE]: WEB };
  const marathon = await simulated(t, 64, { images, agentCount: 1, secondMs: 50 });
  const upgradeStrategy = { minimumHealthCapacity: 0, maximumOverCapacity: 0 };
  const fields = { instances: 1, upgradeStrategy, acceptedResourceRoles: ['*'] };
  await marathon.deployed(
    await marathon.add(await shipped('marathon-lb', { fields, env: { HAPROXY_SSL_CERT: old.pem } })),
  );
  const ours = await shipped('letsencrypt-dcos', { fields: { instances: 0 }, labels: { HAPROXY_0_VHOST: NAME } });
  await marathon.deployed(await marathon.add(ours));

  const puts = (): number => marathon.requests.filter(({ operator, method }) => !operator && method !== 'GET').length;
  const served = async (name: string): Promise<string | undefined> => {
    const running = marathon.tasksOf('/marathon-lb').filter(({ state }) => state === 'TASK_RUNNING');
    const [seen] = await sighted(
      running.map(({ host }) => ({ host, port: 443 })),
      [name],
      old.rootPem,
    );
    return seen?.fingerprint;
  };
  const stateDir = join(folder, 'state');
  const start = (window: string) =>
    startProgram(t, '127.41.64.2', { MARATHON_URL: marathon.url, STATE_DIR: stateDir, INSTALL_WINDOW: window });

  await withCertificate(stateDir, renewed.pem);
  const shut = await start(hours(12));
  const waiting = await shut.says({
    state: 'waiting-for-window',
    why: /waits for the install window, \w{3} .* UTC; until then/,
  });
  assert.equal(waiting.installWindow?.awaited, true);
  assert.deepEqual([puts(), await served(NAME)], [0, old.fingerprint]);
  const page = await (await fetch('http://127.41.64.2:31900/')).text();
  assert.match(page, /install the certificate, in the install window/);
  await shut.stop();

  const open = await start(hours(0));
  await open.says({ state: 'live' });
  assert.deepEqual([puts(), await served(NAME)], [1, renewed.fingerprint]);
  await open.stop();

  await withCertificate(stateDir, withLater.pem);
  const edited = await start(hours(12));
  await edited.says({ state: 'waiting-for-window' });
  assert.equal(puts(), 1);
  await marathon.api('PUT', '/v2/apps/letsencrypt-dcos', {
    labels: { ...ours.labels, HAPROXY_0_VHOST: `${NAME},${LATER}` },
  });
  await edited.says({
    state: 'installing',
    why: /it does not wait for the install window, .*, because no valid certificate of ours is served for shop\.example\.com/,
  });
  await edited.saysNow({ state: 'live' });
  await until(async () => (await served(LATER)) === withLater.fingerprint, 'the new name to be served');
  assert.equal(puts(), 2);
  assert.deepEqual(marathon.violations, []);
});
