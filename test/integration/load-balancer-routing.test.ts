/**
 * Who answers a challenge, through the simulator's load balancer: the tables that were taken from a real marathon-lb
 * 1.15 on HAProxy 2.6, asked again with real requests.
 */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import {
  addressesOf,
  app,
  HandMadeCluster,
  overHttp,
  overHttps,
  startBackend,
  startLoadBalancer,
} from '../support/load-balancer.ts';

const TOKEN = '/.well-known/acme-challenge/token';
/** crypt(3) of "secret". */
const HASH = '$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA';
const AUTH = `realm:operator:${HASH}`;

const newAddress = addressesOf('127.41.0');

/** The sidecar and a cluster of apps as an operator would have them; `own` are the sidecar's labels. */
async function startCluster(t: TestContext, own: Readonly<Record<string, string>>, env = {}): Promise<string> {
  const names = ['sidecar', 'test-1', 'test-2', 'unlisted-redirect', 'unlisted-plain', 'auth', 'api', 'path-redirect'];
  const ports = new Map<string, number>();
  for (const name of names) ports.set(name, await startBackend(t, name));
  const one = (name: string, id: string, labels: Record<string, string>, servicePort: number) =>
    app({ id, own: labels, servicePort, ports: [ports.get(name) ?? 0] });
  const cluster = new HandMadeCluster(
    one('test-1', '/letsencrypt-dcos-test-1', { VHOST: 'test-1', REDIRECT_TO_HTTPS: 'true' }, 10_001),
    one('test-2', '/letsencrypt-dcos-test-2', { VHOST: 'test-2' }, 10_002),
    one('unlisted-redirect', '/shop', { VHOST: 'shop,www.shop', REDIRECT_TO_HTTPS: 'true' }, 10_003),
    one('unlisted-plain', '/plain', { VHOST: 'plain' }, 10_004),
    one('auth', '/aaa/auth', { VHOST: 'auth', AUTH }, 10_005),
    one('api', '/api', { VHOST: 'api', PATH: '/' }, 10_006),
    one('path-redirect', '/blog', { VHOST: 'blog', PATH: '/', REDIRECT_TO_HTTPS: 'true' }, 10_007),
    one('sidecar', '/letsencrypt-dcos', own, 10_000),
  );
  const { host } = await startLoadBalancer(t, { host: newAddress(), cluster, env });
  return host;
}

interface Row {
  readonly name: string;
  readonly host: string;
  readonly http: string;
  readonly https: string;
  readonly path?: string;
}

async function ask(t: TestContext, at: string, rows: readonly Row[]): Promise<void> {
  for (const { name, host, http, https, path = TOKEN } of rows) {
    await t.test(name, async () => {
      assert.equal((await overHttp({ at, host, path })).who, http, 'port 80');
      assert.equal((await overHttp({ at, host: `${host}:80`, path })).who, http, 'port 80, Host with the port');
      assert.equal((await overHttps({ at, host, path }, host)).who, https, 'port 443');
    });
  }
}

const ORIGINAL = { VHOST: 'test-1,test-2,auth,api', PATH: '/.well-known/acme-challenge' };

test("with the seeds' labels, listed names without a redirect reach the sidecar on port 80", async (t) => {
  const at = await startCluster(t, ORIGINAL);
  await ask(t, at, [
    { name: 'listed, its app redirects', host: 'test-1', http: `301 https://test-1${TOKEN}`, https: 'sidecar' },
    { name: 'listed, a plain app', host: 'test-2', http: 'sidecar', https: 'sidecar' },
    {
      name: 'not listed, its app redirects',
      host: 'shop',
      http: `301 https://shop${TOKEN}`,
      https: 'unlisted-redirect',
    },
    { name: 'not listed, a plain app', host: 'plain', http: 'unlisted-plain', https: 'unlisted-plain' },
    { name: 'listed, its app wants basic auth', host: 'auth', http: '401', https: '401' },
    { name: 'no app has this host', host: 'nobody', http: '503', https: '503' },
    { name: 'listed, another app with a path sorts before the sidecar', host: 'api', http: 'api', https: 'api' },
    {
      name: 'an ordinary path is the business of the app',
      host: 'test-2',
      path: '/x',
      http: 'test-2',
      https: 'test-2',
    },
    {
      name: 'the path is a prefix, and nothing more',
      host: 'test-2',
      path: `${ORIGINAL.PATH}XYZ`,
      http: 'sidecar',
      https: 'sidecar',
    },
  ]);
});

test('a weight of 1000 brings the sidecar before the app with a path that sorts first', async (t) => {
  const at = await startCluster(t, { ...ORIGINAL, BACKEND_WEIGHT: '1000' });
  await ask(t, at, [{ name: 'listed, another app has path /', host: 'api', http: 'sidecar', https: 'sidecar' }]);
});

const CATCH_ALL = {
  ENABLED: 'true',
  PATH: '/.well-known/acme-challenge/',
  BACKEND_WEIGHT: '1000',
  HTTP_FRONTEND_ACL_WITH_PATH:
    '  acl path_{backend} path_beg {path}\n  http-request set-var(txn.acme_host) req.hdr(host) if path_{backend}\n  http-request set-header Host acme-challenge.invalid if path_{backend}\n  http-request allow if path_{backend}\n  use_backend {backend} if path_{backend}\n',
  HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH:
    '  http-request set-var(txn.acme_host) req.hdr(host) if path_{backend}\n  http-request set-header Host acme-challenge.invalid if path_{backend}\n  http-request allow if path_{backend}\n  use_backend {backend} if path_{backend}\n',
  HTTPS_FRONTEND_ACL_WITH_PATH: '  http-request allow if path_{backend}\n  use_backend {backend} if path_{backend}\n',
  BACKEND_HTTP_OPTIONS:
    '  option forwardfor\n  http-request set-header X-Forwarded-Port %[dst_port]\n  http-request add-header X-Forwarded-Proto https if { ssl_fc }\n  http-request set-header Host %[var(txn.acme_host)] if { var(txn.acme_host) -m found }\n',
};

for (const VHOST of ['letsencrypt-dcos.invalid', 'test-1,test-2']) {
  test(`with the catch-all labels and VHOST ${VHOST}, every challenge reaches the sidecar in one hop`, async (t) => {
    const at = await startCluster(t, { ...CATCH_ALL, VHOST });
    const sidecar = { http: 'sidecar', https: 'sidecar' };
    await ask(t, at, [
      { name: 'its app redirects', host: 'test-1', ...sidecar },
      { name: 'a plain app', host: 'test-2', ...sidecar },
      { name: 'a redirecting app that nobody listed', host: 'shop', ...sidecar },
      { name: 'its www alias', host: 'www.shop', ...sidecar },
      { name: 'a plain app that nobody listed', host: 'plain', ...sidecar },
      { name: 'behind basic auth', host: 'auth', ...sidecar },
      { name: 'an app with a path of its own, and an id that sorts first', host: 'api', ...sidecar },
      { name: 'an app with a path that redirects', host: 'blog', ...sidecar },
      { name: 'a host that no app has', host: 'nobody', ...sidecar },
      {
        name: 'other paths: the redirect stands',
        host: 'test-1',
        path: '/x',
        http: '301 https://test-1/x',
        https: 'test-1',
      },
      { name: 'other paths: basic auth stands', host: 'auth', path: '/x', http: '401', https: '401' },
      { name: 'other paths: the app with a path has them', host: 'api', path: '/x', http: 'api', https: 'api' },
      { name: 'other paths: no app, no answer', host: 'nobody', path: '/x', http: '503', https: '503' },
    ]);

    const seen = await overHttp({ at, host: 'test-1:80', path: TOKEN });
    assert.equal(seen.headers['x-seen-host'], 'test-1', 'the sidecar sees the real Host');
  });
}

suite('labels, one by one', () => {
  /** One app and its labels beside a plain one; undefined: the load balancer left it out. */
  async function startOne(t: TestContext, own: Readonly<Record<string, string>>, args?: readonly string[]) {
    const cluster = new HandMadeCluster(
      app({ id: '/one', own, ports: [await startBackend(t, 'one')] }),
      app({ id: '/other', own: { VHOST: 'other', ENABLED: 'true' }, ports: [await startBackend(t, 'other')] }),
    );
    const { host } = await startLoadBalancer(t, { host: newAddress(), cluster, ...(args && { args }) });
    assert.equal((await overHttp({ at: host, host: 'other' })).who, 'other', 'the other app is never touched');
    return host;
  }
  const isLeftOut = async (at: string, host = 'one') => (await overHttp({ at, host })).who === '503';

  test('HTTP compares the host without regard to case, HTTPS wants the SNI as the label has it', async (t) => {
    const at = await startOne(t, { VHOST: 'One.Example' });
    assert.equal((await overHttp({ at, host: 'ONE.example' })).who, 'one');
    assert.equal((await overHttps({ at, host: 'one.example' }, 'one.example')).who, 'one');
    assert.equal((await overHttps({ at, host: 'one.example' }, undefined)).who, '503', 'no SNI');
    assert.equal((await overHttp({ at, host: 'one.example.' })).who, '503', 'a final dot');
  });

  test('blanks around the names and a comma too many do no harm', async (t) => {
    const at = await startOne(t, { VHOST: ' one , two ,' });
    for (const host of ['one', 'two']) {
      assert.equal((await overHttp({ at, host })).who, 'one');
      assert.equal((await overHttps({ at, host }, host)).who, 'one');
    }
  });

  const leftOut: { name: string; own: Readonly<Record<string, string>> }[] = [
    { name: 'a line break in the label', own: { VHOST: 'one,\ntwo' } },
    { name: 'USE_HSTS, whose rspadd HAProxy 2.1 dropped', own: { VHOST: 'one', USE_HSTS: 'true' } },
    {
      name: 'TLS to the server without saying how to verify it',
      own: {
        VHOST: 'one',
        BACKEND_SERVER_OPTIONS:
          '  server {serverName} {host_ipv4}:{port} id {serverId}{cookieOptions}{healthCheckOptions}{otherOptions} ssl\n',
      },
    },
    {
      name: 'a CA file that is not there',
      own: {
        VHOST: 'one',
        BACKEND_SERVER_OPTIONS:
          '  server {serverName} {host_ipv4}:{port} ssl verify required ca-file /nowhere/ca.pem\n',
      },
    },
    {
      name: 'a template with a brace that is not doubled',
      own: { VHOST: 'one', HTTP_FRONTEND_ACL: '  use_backend {backend} if { hdr(host) one }\n' },
    },
    { name: 'a weight that is no number', own: { VHOST: 'one', BACKEND_WEIGHT: 'heavy' } },
    { name: 'ENABLED=false', own: { VHOST: 'one', ENABLED: 'false' } },
    { name: 'a group that is not ours', own: { VHOST: 'one', GROUP: 'internal' } },
    { name: 'no VHOST at all', own: {} },
  ];
  for (const { name, own } of leftOut) {
    test(`an app is left out, alone, for ${name}`, async (t) => {
      assert.ok(await isLeftOut(await startOne(t, own)));
    });
  }

  test('HSTS by a line that new HAProxys take keeps the app and sends the header', async (t) => {
    const own = { BACKEND_HSTS_OPTIONS: '  http-response set-header Strict-Transport-Security max-age=31536000\n' };
    const at = await startOne(t, { VHOST: 'one', USE_HSTS: 'true', ...own });
    const answer = await overHttps({ at, host: 'one' }, 'one');
    assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000');
  });

  test('--strict-mode takes only what says ENABLED=true', async (t) => {
    assert.ok(await isLeftOut(await startOne(t, { VHOST: 'one' }, ['sse', '--strict-mode', '--group', 'external'])));
  });

  test('basic auth lets in who knows the password', async (t) => {
    const at = await startOne(t, { VHOST: 'one', AUTH });
    const headers = { authorization: `Basic ${Buffer.from('operator:secret').toString('base64')}` };
    assert.equal((await overHttp({ at, host: 'one', headers })).who, 'one');
    assert.equal((await overHttps({ at, host: 'one', headers }, 'one')).who, 'one');
    assert.equal((await overHttp({ at, host: 'one' })).status, 401);
  });

  test('a template in the environment of the load balancer stands for every app, a label above it', async (t) => {
    const cluster = new HandMadeCluster(
      app({ id: '/one', own: { VHOST: 'one' }, ports: [await startBackend(t, 'one')] }),
    );
    const HEAD = '\nfrontend marathon_http_in\n  bind *:80\n  mode http\n  http-request return status 418\n';
    const { host } = await startLoadBalancer(t, {
      host: newAddress(),
      cluster,
      env: { HAPROXY_HTTP_FRONTEND_HEAD: HEAD },
    });
    assert.equal((await overHttp({ at: host, host: 'one' })).status, 418);
  });
});

test('equal weights go by app id, then by service port', async (t) => {
  const [first, second] = [await startBackend(t, 'first'), await startBackend(t, 'second')];
  const cluster = new HandMadeCluster(
    app({ id: '/b', own: { VHOST: 'x' }, ports: [second] }),
    app({ id: '/a', own: { VHOST: 'x' }, ports: [first] }),
  );
  const { host: at } = await startLoadBalancer(t, { host: newAddress(), cluster });
  assert.equal((await overHttp({ at, host: 'x' })).who, 'first');
  assert.equal((await overHttps({ at, host: 'x' }, 'x')).who, 'first');
});
