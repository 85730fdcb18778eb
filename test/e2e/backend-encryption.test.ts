/**
 * The third test app as it is shipped: posted, healthy by HTTPS, and behind the load balancer with nothing but TLS in between.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../support/cluster.ts';
import { shipped } from '../support/definitions.ts';
import { overHttps } from '../support/load-balancer.ts';
import { QUICK } from '../support/operator.ts';
import { until } from '../support/until.ts';
import { tapWire, tlsRecords, type WireTap } from '../support/wire-tap.ts';

const NAME = 'ssl-test-3.example.com';
const LISTENS_BEHIND = 20_443;

test('an operator posts the app with re-encryption: visitors are served, and between the agents there is TLS only', async (t) => {
  const taps: Promise<WireTap>[] = [];
  const cluster = await startCluster(t, {
    publicAgents: 1,
    simulator: QUICK,
    images: {
      // The tap takes the app's port; the app listens behind it.
      taskEnv: ({ host, ports: [port = 0] }) => {
        taps.push(tapWire(t, { host, port, target: { host, port: LISTENS_BEHIND } }));
        return { HTTP_PORT: String(LISTENS_BEHIND) };
      },
    },
  });
  await cluster.deploy(await shipped('letsencrypt-dcos-test-3'));
  const at = cluster.publicHosts[0] ?? '';
  const body = await until(async () => {
    const answer = await overHttps({ at, host: NAME }, NAME);
    return answer.status === 200 && answer.body;
  }, 'the app to be served');
  assert.match(body, /^\* The load balancer came to this app by TLSv1\.3 \/ TLS_\w+$/m);

  const [tap] = await Promise.all(taps);
  const heard = tap?.sent().filter((bytes) => tlsRecords(bytes).includes('application_data')) ?? [];
  assert.ok(heard.length >= 2, "the health check's, and the load balancer's own");
  assert.deepEqual(cluster.marathon.violations, []);
});
