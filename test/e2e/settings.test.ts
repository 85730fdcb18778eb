/**
 * Settings that most clusters leave alone, each where it decides how the story ends: a Marathon under a private CA, a
 * public address to be looked at, a certificate variable of one's own, a load balancer with other ports inside.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { issue, selfSigned } from '../support/certificates.ts';
import { type Cluster, LOAD_BALANCER, SIDECAR, startCluster } from '../support/cluster.ts';
import type { Edits } from '../support/definitions.ts';
import { servedFingerprint, startHaproxy } from '../support/haproxy.ts';
import { assertDoneOnce, keeper, QUICK, shown, step, untilSaid, untilServed, updateEnv } from '../support/operator.ts';

const NAME = 'www.example.com';
const BOUGHT_NAME = 'shop.example.com';

async function post(cluster: Cluster, env: Readonly<Record<string, string>>): Promise<void> {
  await cluster.addSidecar(await keeper('letsencrypt-dcos', { env, labels: { HAPROXY_0_VHOST: NAME } }));
}

/** A Marathon that speaks TLS under a CA that no system knows; the root is what an operator would mount as a file. */
async function privateMarathon(t: TestContext, loadBalancerEdits: Edits) {
  const host = '127.0.0.1';
  const { chainPem, keyPem, rootPem } = issue({ domains: [host], issuerName: 'Company CA' });
  const simulator = { ...QUICK, host, tls: { key: keyPem, cert: chainPem + rootPem } };
  const cluster = await startCluster(t, { simulator, loadBalancers: 1, loadBalancerEdits });
  const marathonCa = join(cluster.folder, 'company-root.pem');
  await writeFile(marathonCa, rootPem);
  return { cluster, marathonCa };
}

async function aPrivateCluster(t: TestContext): Promise<void> {
  const bought = issue({ domains: [BOUGHT_NAME], issuerName: 'Shop CA' });
  const { cluster, marathonCa } = await privateMarathon(t, { env: { HAPROXY_SSL_CERT: bought.pem } });
  const elsewhere = await startHaproxy(t, selfSigned('somebody.example.org').pem);
  const away = `${elsewhere.host}:${elsewhere.port}`;

  await step(t, 'without MARATHON_CA_FILE it does not talk to that Marathon, and says why', async () => {
    await post(cluster, {
      LETSENCRYPT_SERVER_URL: '', // as `caEnv` has it; the other name is read where this one is blank
      LETSENCRYPT_URL: cluster.pebble.directoryUrl,
      MARATHON_LB_CERT_ENV: 'HAPROXY_SSL_CERT1',
      SERVED_CHECK: away,
    });
    await untilSaid(cluster, { state: 'blind', why: /self-signed certificate in .*MARATHON_CA_FILE/ });
    assert.equal(cluster.pebble.counts().total, 0, 'the CA hears nothing of it');
  });

  await step(t, 'with it all goes on, but SERVED_CHECK leads to somebody else: said, with the address', async () => {
    await updateEnv(cluster, SIDECAR, { MARATHON_CA_FILE: marathonCa });
    await untilServed(cluster, [NAME]);
    await untilSaid(cluster, {
      state: 'not-served',
      why: new RegExp(`^${away} serves .* for ${NAME}; expected `),
      cure: /SERVED_CHECK must name one/,
    });
  });

  await step(t, "SERVED_CHECK is the load balancer's address: live, and nothing was done twice", async () => {
    await updateEnv(cluster, SIDECAR, { SERVED_CHECK: `${addressOf(cluster)}:443` });
    await untilSaid(cluster, { state: 'live' });
    assertDoneOnce(cluster);
  });

  await step(t, 'ours is in the variable that MARATHON_LB_CERT_ENV names; the bought one is where it was', async () => {
    const { env } = await shown(cluster, LOAD_BALANCER);
    assert.deepEqual(Object.keys(env).sort(), ['HAPROXY_SSL_CERT', 'HAPROXY_SSL_CERT1']);
    assert.equal(env.HAPROXY_SSL_CERT, bought.pem);
    assert.equal(await servedFingerprint({ host: addressOf(cluster), port: 443 }, BOUGHT_NAME), bought.fingerprint);
  });
}

/** Its instance is on one of two agents, and on the other one after each deployment. */
function addressOf(cluster: Cluster): string {
  return cluster.tasks(LOAD_BALANCER)[0]?.host ?? 'no load balancer';
}

/** What an operator does whose containers may not bind low ports: other binds in the templates, and mappings to them. */
const UNPRIVILEGED: Edits = {
  env: {
    HAPROXY_HTTP_FRONTEND_HEAD:
      '\nfrontend marathon_http_in\n  bind *:8080\n  mode http\n  http-request set-header Host %[req.hdr(host),field(1,:)]\n',
    HAPROXY_HTTPS_FRONTEND_HEAD: '\nfrontend marathon_https_in\n  bind *:8443 ssl {sslCerts}\n  mode http\n',
  },
  fields: {
    networks: [{ mode: 'container/bridge' }],
    portDefinitions: undefined,
    requirePorts: undefined,
    container: {
      type: 'DOCKER',
      docker: { image: 'mesosphere/marathon-lb:v1.15.0' },
      portMappings: [
        { containerPort: 8080, hostPort: 80, servicePort: 0 },
        { containerPort: 8443, hostPort: 443, servicePort: 0 },
        { containerPort: 9090, hostPort: 0, servicePort: 0 },
      ],
    },
  },
};

async function otherPortsInside(t: TestContext): Promise<void> {
  const cluster = await startCluster(t, { simulator: QUICK, loadBalancers: 1, loadBalancerEdits: UNPRIVILEGED });
  await post(cluster, { MARATHON_LB_HTTP_PORT: '8080', MARATHON_LB_HTTPS_PORT: '8443' });
  await untilServed(cluster, [NAME]);
  await untilSaid(cluster, { state: 'live' });
  assertDoneOnce(cluster);
}

test('settings', { concurrency: 2 }, async (t) => {
  await Promise.all([
    t.test('a Marathon under a private CA, an address to look at, a variable of our own', aPrivateCluster),
    t.test(
      "a load balancer that has ports 8080 and 8443 inside, and 80 and 443 on its agent's address",
      otherPortsInside,
    ),
  ]);
});
