/**
 * The test app behind a real HAProxy: what a visitor sees, and what a visitor cannot make it do.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { type TestContext, test } from 'node:test';
import { listenTestApp, vhostsIn } from '../../src/web/test-app.ts';
import type { ConnectTo } from '../../src/web/transcript.ts';
import { issue } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { type RunningHaproxy, startHaproxyWith } from '../support/haproxy-with.ts';
import { connectRaw, rawExchange } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const env = { MARATHON_APP_LABEL_HAPROXY_0_VHOST: 'a.example, B.example' };

interface Visit {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

function visit(url: string, o: { host: string; headers?: Record<string, string>; method?: string }): Promise<Visit> {
  const secure = url.startsWith('https:');
  const options = { method: o.method ?? 'GET', headers: { ...o.headers, Host: o.host }, agent: false };
  return new Promise((resolve, reject) => {
    const request = secure
      ? https.request(url, { ...options, servername: o.host, rejectUnauthorized: false })
      : http.request(url, options);
    request.once('error', reject).once('response', async (response) => {
      const body = (await response.setEncoding('utf8').toArray()).join('');
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    request.end();
  });
}

/** The app alone; its own URL leads to `connectTo`, by default to nobody. Records where it wanted to go. */
async function startApp(
  t: TestContext,
  connectTo?: ConnectTo,
): Promise<{ url: string; port: number; asked: string[] }> {
  const asked: string[] = [];
  const nobody = await freePort();
  const recording: ConnectTo = (host, port) => {
    asked.push(`${host}:${port}`);
    return connectTo ? connectTo(host, port) : Promise.resolve({ address: '127.0.0.1', port: nobody });
  };
  const app = await listenTestApp({ host: '127.0.0.1', port: 0, env, connectTo: recording });
  t.after(() => app.close());
  return { url: `http://127.0.0.1:${app.port}`, port: app.port, asked };
}

async function startBehindHaproxy(t: TestContext): Promise<{ haproxy: RunningHaproxy; app: { url: string } }> {
  let haproxy: RunningHaproxy | undefined;
  const app = await startApp(t, async (_host, port) => ({
    address: '127.0.0.1',
    port: (port === 443 ? haproxy?.httpsPort : haproxy?.httpPort) ?? 0,
  }));
  const { pem } = issue({ domains: ['a.example', 'b.example'], issuerName: 'Small CA' });
  haproxy = await startHaproxyWith(t, {
    certificates: [pem],
    http: ['redirect scheme https code 301 if { hdr(host) -i a.example }', 'default_backend app'],
    https: ['http-request add-header X-Forwarded-Proto https', 'default_backend app'],
    sections: [
      `backend app\n  http-response set-header Strict-Transport-Security max-age=31536000\n  server one 127.0.0.1:${app.port}\n`,
    ],
  });
  return { haproxy, app };
}

test('a visitor over https sees the certificate and the answer that his browser got', async (t) => {
  const { haproxy } = await startBehindHaproxy(t);
  const { status, headers, body } = await visit(`https://127.0.0.1:${haproxy.httpsPort}/any/path`, {
    host: 'a.example',
  });
  assert.equal(status, 200);
  assert.match(headers['content-type'] ?? '', /^text\/plain/);
  for (const line of [
    /^\* {3}Trying 127\.0\.0\.1:\d+\.\.\.$/m,
    /^\* SSL connection using TLSv1\.[23] \/ \w+$/m,
    /^\* {2}subject: CN=a\.example$/m,
    /^\* {2}subjectAltName: DNS:a\.example, DNS:b\.example$/m,
    /^\* {2}issuer: CN=Small CA$/m,
    /^\* {2}SSL certificate verify result: .*curl would stop here/m,
    /^> HEAD \/ HTTP\/1\.1$/m,
    /^> Host: a\.example$/m,
    /^< HTTP\/1\.1 200 OK$/m,
    /^< strict-transport-security: max-age=31536000$/m,
  ]) {
    assert.match(body, line);
  }
});

test('over http, where HAProxy redirects, both steps are shown and there is no endless loop', async (t) => {
  const { app } = await startBehindHaproxy(t);
  const { body } = await visit(app.url, { host: 'a.example' }); // as HAProxy passes it on without the redirect
  const next = "* Issue another request to this URL: 'https://a.example/'";
  const [first, second, ...more] = body.split(`${next}\n`);
  assert.match(first ?? '', /^< HTTP\/1\.1 301 Moved Permanently$/m);
  assert.doesNotMatch(first ?? '', /SSL connection/);
  assert.match(second ?? '', /SSL connection[\s\S]*^< HTTP\/1\.1 200 OK$/m);
  assert.deepEqual(more, []);
});

test('a redirect of its own name is followed, hop by hop', async (t) => {
  let port = 0;
  const front = http.createServer(({ url }, response) => {
    if (url === '/') response.writeHead(301, { Location: '/next' }).end();
    else response.writeHead(204, { 'X-Odd': 'caf\u00e9' }).end();
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  t.after(() => void front.close());
  port = (front.address() as { port: number }).port;
  const app = await startApp(t, async () => ({ address: '127.0.0.1', port }));
  const { body } = await visit(app.url, { host: 'a.example' });
  assert.match(
    body,
    /^< HTTP\/1\.1 301 Moved Permanently$[\s\S]*^\* Issue another request to this URL: 'http:\/\/a\.example\/next'$/m,
  );
  assert.match(body, /^< HTTP\/1\.1 204 No Content$/m);
  assert.match(body, /^[\x20-\x7e\n]*$/);
});

for (const location of [
  'http://169.254.169.254/latest/meta-data',
  'http://a.example:8080/',
  'http://user:pw@a.example/',
  'ftp://a.example/',
  '//other.example/',
]) {
  test(`a redirect to ${location} is shown and not followed`, async (t) => {
    const front = http.createServer((_request, response) => response.writeHead(302, { Location: location }).end());
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    t.after(() => void front.close());
    const { port } = front.address() as { port: number };
    const app = await startApp(t, async () => ({ address: '127.0.0.1', port }));
    const { body } = await visit(app.url, { host: 'a.example' });
    assert.match(body, /^\* Another host or port: .* is not followed from here$/m);
    assert.deepEqual(app.asked, ['a.example:80']);
  });
}

for (const host of [
  'internal.service',
  'marathon.mesos:8080',
  '127.0.0.1',
  '[::1]',
  'a.example:8080',
  'a.example@internal.service',
  'internal.service#a.example',
  'a.example.',
  'x.a.example',
  '-oProxyCommand=id',
  '$(id).a.example',
  '',
]) {
  test(`Host '${host}' makes it fetch nothing`, async (t) => {
    const app = await startApp(t);
    const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const answer = await rawExchange(t, app.port, request);
    assert.match(answer, /^HTTP\/1\.1 (421|400) /);
    assert.equal(host !== '' && answer.includes(host), false);
    assert.deepEqual(app.asked, []);
  });
}

test('nothing else a visitor sends changes what is fetched', async (t) => {
  const app = await startApp(t);
  const headers = { 'X-Forwarded-Host': 'internal.service', 'X-Forwarded-Proto': 'gopher', 'User-Agent': '`id`' };
  const { body } = await visit(`${app.url}/../$(id)?url=http://internal.service/`, { host: 'A.example:80', headers });
  assert.deepEqual(app.asked, ['a.example:80']);
  assert.doesNotMatch(body, /internal|gopher|id/);
});

test("marathon-lb's own word on the scheme counts, not what a visitor put before it", async (t) => {
  for (const [said, port] of [
    ['https', 443],
    ['http, https', 443],
    ['https, http', 80],
  ] as const) {
    const app = await startApp(t);
    await visit(app.url, { host: 'a.example', headers: { 'X-Forwarded-Proto': said } });
    assert.deepEqual(app.asked, [`a.example:${port}`]);
  }
});

test('nobody at its own URL is part of the story', async (t) => {
  const app = await startApp(t);
  const { status, body } = await visit(app.url, { host: 'a.example' });
  assert.equal(status, 200);
  assert.match(body, /^\* ECONNREFUSED$/m);
});

test('HEAD is answered without a fetch: that is its own request coming in', async (t) => {
  const app = await startApp(t);
  assert.equal((await visit(app.url, { host: 'a.example', method: 'HEAD' })).status, 200);
  assert.deepEqual(app.asked, []);
});

test('health is asked by address and answers at once', async (t) => {
  const app = await startApp(t);
  const { status, body } = await visit(`${app.url}/health`, { host: '127.0.0.1' });
  assert.deepEqual([status, body], [200, 'ok']);
});

test('about one fetch a second: the same URL shares the transcript, another is asked to wait', async (t) => {
  const nobody = { address: '127.0.0.1', port: await freePort() };
  const found = Promise.withResolvers<typeof nobody>();
  const app = await startApp(t, () => found.promise);
  const visits = Array.from({ length: 20 }, () => visit(app.url, { host: 'a.example' }));
  await until(() => app.asked.length > 0, 'the fetch');
  const other = await visit(app.url, { host: 'b.example' });
  assert.deepEqual([other.status, other.headers['retry-after']], [429, '1']);
  found.resolve(nobody);
  assert.deepEqual(new Set((await Promise.all(visits)).map(({ status }) => status)), new Set([200]));
  assert.deepEqual(app.asked, ['a.example:80']);
  await until(async () => (await visit(app.url, { host: 'b.example' })).status === 200, 'a second to pass');
  assert.deepEqual(app.asked, ['a.example:80', 'b.example:80']);
});

test('an own URL that never answers ends after five seconds, and closing does not wait for it', async (t) => {
  const front = http.createServer(() => undefined);
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    front.closeAllConnections();
    front.close();
  });
  const { port } = front.address() as { port: number };
  const connectTo: ConnectTo = async () => ({ address: '127.0.0.1', port });
  const app = await startApp(t, connectTo);
  const { body } = await visit(app.url, { host: 'a.example' });
  assert.match(body, /^\* Operation timed out$/m);
  const asked: string[] = [];
  const recording: ConnectTo = (host) => {
    asked.push(host);
    return connectTo(host, 80);
  };
  const closing = await listenTestApp({ host: '127.0.0.1', port: 0, env, connectTo: recording });
  const visitor = await connectRaw(t, closing.port);
  visitor.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
  await until(() => asked.length > 0, 'the fetch');
  await closing.close();
  assert.match(await visitor.ended(), /^\* This app is stopping$/m);
});

test("only names of the task's own HAPROXY_n_VHOST labels count, and only those that are names", () => {
  const names = vhostsIn({
    MARATHON_APP_LABEL_HAPROXY_0_VHOST:
      ' A.example ,b.example,,10.0.0.1,0x7f.1,127.1,*.c.example,::1,a_b.example,test-1',
    MARATHON_APP_LABEL_HAPROXY_12_VHOST: 'd.example',
    MARATHON_APP_LABEL_HAPROXY_X_VHOST: 'e.example',
    HAPROXY_0_VHOST: 'f.example',
  });
  assert.deepEqual([...names], ['a.example', 'b.example', 'a_b.example', 'test-1', 'd.example']);
});
