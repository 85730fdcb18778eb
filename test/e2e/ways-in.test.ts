/**
 * The ways to Marathon and to the CA: basic auth, a token, a DC/OS service account whose token expires in the middle, and
 * a company's forward proxy before the CA alone.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { SimulatorAuth } from '../marathon-simulator/auth.ts';
import { LOGIN_PATH } from '../marathon-simulator/auth.ts';
import { type Cluster, type ClusterOptions, LOAD_BALANCER, SIDECAR, startCluster } from '../support/cluster.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import {
  assertWellBehaved,
  changes,
  keeper,
  QUICK,
  redeployments,
  untilSaid,
  untilServed,
  updateEnv,
} from '../support/operator.ts';
import type { Disposer } from '../support/pebble.ts';

const NAME = 'www.example.com';

function guarded(t: Disposer, auth: SimulatorAuth, secrets: Readonly<Record<string, string>> = {}): Promise<Cluster> {
  const simulator: ClusterOptions['simulator'] = { ...QUICK, auth, secrets };
  return startCluster(t, { simulator, loadBalancers: 1 });
}

async function post(cluster: Cluster, env: Readonly<Record<string, unknown>>, fields = {}): Promise<void> {
  await cluster.addSidecar(await keeper('letsencrypt-dcos', { env, fields, labels: { HAPROXY_0_VHOST: NAME } }));
}

async function assertServedOnce(cluster: Cluster): Promise<void> {
  await untilServed(cluster, [NAME]);
  await untilSaid(cluster, { state: 'live' });
  assert.equal(cluster.pebble.orders(), 1);
  assert.equal(redeployments(cluster).length, 1);
  assertWellBehaved(cluster);
}

test('ways in', { concurrency: 2 }, async (t) => {
  await Promise.all([
    t.test('basic auth: a wrong password is said, the right one goes on', async (t) => {
      const cluster = await guarded(t, { kind: 'basic', user: 'keeper', password: 'correct horse' });
      await post(cluster, { MARATHON_USER: 'keeper', MARATHON_PASSWORD: 'wrong' });
      await untilSaid(cluster, { state: 'blind', why: /401 Unauthorized; check MARATHON_USER and MARATHON_PASSWORD/ });
      assert.equal(cluster.pebble.counts().total, 0, 'the CA hears nothing of it');
      await updateEnv(cluster, SIDECAR, { MARATHON_PASSWORD: 'correct horse' });
      await assertServedOnce(cluster);
      assert.equal(changes(cluster).length, 1);
    }),

    t.test('user and password in MARATHON_URL: they are sent, and never told', async (t) => {
      const cluster = await guarded(t, { kind: 'basic', user: 'keeper', password: 'battery-staple' });
      const url = new URL(cluster.marathon.url);
      await post(cluster, { MARATHON_URL: `http://keeper:battery-staple@${url.host}` });
      await assertServedOnce(cluster);
      assert.doesNotMatch(JSON.stringify([await cluster.log(), await cluster.ask('/api/status')]), /battery-staple/);
    }),

    t.test('a fixed token', async (t) => {
      const cluster = await guarded(t, { kind: 'token', token: 'open-sesame' });
      await post(cluster, { MARATHON_TOKEN: 'open-sesame' });
      await assertServedOnce(cluster);
      assert.doesNotMatch(JSON.stringify([await cluster.log(), await cluster.ask('/api/status')]), /open-sesame/);
    }),

    t.test('a DC/OS service account: its token expires just before the PUT, and one more login mends it', async (t) => {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
      const secrets: Record<string, string> = {}; // the credential names an address that is not known before the start
      const cluster = await guarded(t, { kind: 'dcos', uid: 'keeper', publicKeyPem }, secrets);
      secrets['letsencrypt-dcos/service-account'] = JSON.stringify({
        scheme: 'RS256',
        uid: 'keeper',
        login_endpoint: `${cluster.marathon.url}${LOGIN_PATH}`,
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      });
      const { faults } = cluster.marathon;
      faults.failNext({ method: 'PUT', path: `/v2/apps${LOAD_BALANCER}`, before: () => faults.expireTokens() });
      const reference = { serviceCredential: { source: 'letsencrypt-dcos/service-account' } };
      await post(cluster, { DCOS_SERVICE_ACCOUNT_CREDENTIAL: { secret: 'serviceCredential' } }, { secrets: reference });
      await assertServedOnce(cluster);
      assert.equal(cluster.marathon.logins(), 2);
      assert.deepEqual(
        changes(cluster).map(({ status }) => status),
        [401, 200],
      );
    }),

    t.test('HTTPS_PROXY: every request to the CA goes through it, none to Marathon does', async (t) => {
      const cluster = await startCluster(t, { simulator: QUICK, loadBalancers: 1 });
      const ca = new URL(cluster.pebble.directoryUrl);
      // The CA has a name that only the proxy can look up: nobody gets there without it.
      const proxy = await startForwardProxy(t, { host: ca.hostname, resolve: () => ca.hostname });
      await post(cluster, {
        HTTPS_PROXY: proxy.url,
        LETSENCRYPT_SERVER_URL: `https://localhost:${ca.port}${ca.pathname}`,
        ACME_CA_FILE: cluster.pebble.caFile,
      });
      await assertServedOnce(cluster);
      assert.deepEqual([...new Set(proxy.hosts)], [`localhost:${ca.port}`]);
    }),
  ]);
});
