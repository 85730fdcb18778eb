/**
 * The inner hop: from a real HAProxy, with the labels of docs/backend-encryption.md, to the test application over TLS.
 *
 * What is spoken there is read off the wire, not believed.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { main } from '../../src/cli.ts';
import { makeSnakeoil } from '../../src/web/snakeoil.ts';
import { listenTestApp } from '../../src/web/test-app.ts';
import { app, HandMadeCluster, overHttp, overHttps, startLoadBalancer } from '../support/load-balancer.ts';
import { rawExchange } from '../support/raw-http.ts';
import { tapWire, tlsRecords, type WireTap } from '../support/wire-tap.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'backend-encryption.md'), 'utf8');
const LABEL = 'HAPROXY_0_BACKEND_SERVER_OPTIONS';
const [NO_VERIFICATION = '', VERIFICATION = ''] = [...DOCUMENT.matchAll(/```json\n([\s\S]*?)```/g)].map(
  ([, json]) => (JSON.parse(json ?? '') as Record<string, string>)[LABEL],
);
const CA_FILE = '/mnt/mesos/sandbox/backend-ca.pem';

type Tls = { readonly cert: string; readonly key: string };

/** What one app has, and what its visitor got. */
interface Hop {
  readonly tls?: Tls;
  readonly label?: string;
}
interface Visit {
  readonly status: number;
  readonly body: string;
  readonly tap: WireTap;
  readonly port: number;
}

/** The test app on a port of its own, with a tap before it; by the name of a row. */
async function listening(t: TestContext, { tls }: Hop): Promise<{ tap: WireTap; port: number }> {
  const connectTo = async () => ({ address: '127.0.0.1', port: 1 });
  const env = { MARATHON_APP_LABEL_HAPROXY_0_VHOST: NAMES.join(',') };
  const { port, close } = await listenTestApp({ host: '127.0.0.1', port: 0, env, tls, connectTo });
  t.after(close);
  return { tap: await tapWire(t, { host: '127.0.0.1', target: { host: '127.0.0.1', port } }), port };
}

async function snakeoil(): Promise<Tls> {
  const { certPem, keyPem } = await makeSnakeoil(['a.example']);
  return { cert: certPem, key: keyPem };
}

/** The document's commands as they stand, in a folder of their own: a CA, and the app's certificate from it. */
async function documented(t: TestContext): Promise<Required<Hop>> {
  const cwd = await mkdtemp(join(tmpdir(), 'backend-ca-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const commands = [...DOCUMENT.matchAll(/^ {3}\$ (.*)$/gm)].map(([, command]) => command);
  assert.equal(commands.length, 5);
  execFileSync('sh', ['-e', '-c', commands.join('\n')], { cwd, stdio: 'pipe' });
  const pem = readFileSync(join(cwd, 'backend.pem'), 'utf8');
  return { label: VERIFICATION.replace(CA_FILE, join(cwd, 'backend-ca.pem')), tls: { cert: pem, key: pem } };
}

function assertOnlyTls(tap: WireTap): void {
  const heard = tap.sent();
  assert.ok(heard.length > 0);
  for (const bytes of heard) {
    assert.equal(tlsRecords(bytes)[0], 'handshake');
    assert.ok(tlsRecords(bytes).includes('application_data'));
    assertNoHttp(tap);
  }
}

function assertNoHttp(tap: WireTap): void {
  for (const bytes of tap.sent()) assert.doesNotMatch(bytes.toString('latin1'), /HTTP\/1/);
}

const NAMES = [
  ...['plain', 'encrypted', 'no-label', 'label-alone'],
  ...['verified', 'other-ca', 'other-name', 'no-verify', 'no-file'],
] as const;

async function hops(t: TestContext): Promise<Readonly<Record<(typeof NAMES)[number], Hop>>> {
  const [own, { tls, label }] = [await snakeoil(), await documented(t)];
  return {
    plain: {},
    encrypted: { tls: own, label: NO_VERIFICATION },
    'no-label': { tls: own },
    'label-alone': { label: NO_VERIFICATION },
    verified: { tls, label },
    'other-ca': { tls: own, label },
    'other-name': { tls, label: label.replace('verifyhost ssl-test-3.internal', 'verifyhost other.internal') },
    'no-verify': { tls: own, label: NO_VERIFICATION.replace(' verify none', '') },
    'no-file': { tls: own, label: VERIFICATION },
  };
}

test('behind one load balancer, each app with a label of its own', async (t) => {
  const wanted = await hops(t);
  const apps = await Promise.all(NAMES.map((name) => listening(t, wanted[name])));
  const routed = NAMES.map((name, nth) => {
    const { label } = wanted[name];
    const labels = { HAPROXY_0_VHOST: name, ...(label !== undefined && { [LABEL]: label }) };
    return app({ id: `/${name}`, labels, servicePort: 10_000 + nth, ports: [apps[nth]?.tap.port ?? 0] });
  });
  const { host: at } = await startLoadBalancer(t, { host: '127.47.0.1', cluster: new HandMadeCluster(...routed) });
  const visits = NAMES.map(async (host, nth): Promise<[string, Visit]> => {
    const { status, body } = await overHttps({ at, host }, host);
    return [host, { status, body, ...(apps[nth] as { tap: WireTap; port: number }) }];
  });
  const visited = Object.fromEntries(await Promise.all(visits));
  const visit = (name: (typeof NAMES)[number]): Visit => visited[name] as Visit;

  await t.test('without a label the inner hop is HTTP that anybody there can read, and the app says so', () => {
    const { body, tap } = visit('plain');
    assert.match(body, /^\* The load balancer came to this app by plain HTTP$/m);
    assert.match(tap.sent()[0]?.toString('latin1') ?? '', /^GET \/ HTTP\/1\.1\r\nhost: plain/);
    assert.throws(() => tlsRecords(tap.sent()[0] as Buffer), /no TLS record at byte 0: "GET \/ HTTP/);
  });

  await t.test('without verification: TLS, with the certificate that the app made at its start', () => {
    const { status, body, tap } = visit('encrypted');
    assert.equal(status, 200);
    assert.match(body, /^\* The load balancer came to this app by TLSv1\.3 \/ TLS_\w+$/m);
    assertOnlyTls(tap);
  });

  await t.test('an app with a certificate refuses plain HTTP: no answer, and without the label 502', async () => {
    const { status, port } = visit('no-label');
    const request = 'GET /health HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';
    assert.doesNotMatch(await rawExchange(t, port, request), /200 OK|ok$/);
    assert.equal(status, 502);
  });

  await t.test("the label on an app that speaks plain HTTP: 503, as the document's table has it", () => {
    assert.equal(visit('label-alone').status, 503);
    assertNoHttp(visit('label-alone').tap);
  });

  await t.test('with verification: the documented commands and label serve it, over TLS only', () => {
    assert.equal(visit('verified').status, 200);
    assertOnlyTls(visit('verified').tap);
  });

  await t.test(
    'with verification: a certificate of another CA, or for another name, is 503 and gets no request',
    () => {
      for (const { status, tap } of [visit('other-ca'), visit('other-name')]) {
        assert.equal(status, 503);
        assert.ok(tap.sent().length > 0, 'it was tried');
        assertNoHttp(tap);
      }
    },
  );

  await t.test('`ssl` without `verify`, or a CA file that is not there: marathon-lb leaves the app out', async () => {
    const { body } = await overHttp({ at, host: at, path: '/_haproxy_getconfig' }, 9090);
    const backends = [...body.matchAll(/^backend (\S+)_\d+$/gm)].map(([, name]) => name);
    assert.deepEqual(backends.toSorted(), NAMES.filter((name) => !['no-verify', 'no-file'].includes(name)).toSorted());
    assert.deepEqual([visit('no-verify').status, visit('no-file').status], [503, 503]);
  });
});

test('each start makes another certificate, valid for the names of the labels and for the clocks of other machines', async () => {
  const now = new Date('2049-12-31T23:30:00Z');
  const [one, other] = [await makeSnakeoil(['a.example', 'b.example'], now), await makeSnakeoil([])];
  const read = new X509Certificate(one.certPem);
  assert.notEqual(read.fingerprint256, new X509Certificate(other.certPem).fingerprint256);
  assert.equal(read.subjectAltName, 'DNS:a.example, DNS:b.example');
  assert.ok(read.verify(read.publicKey) && read.checkPrivateKey(createPrivateKey(one.keyPem)));
  assert.deepEqual(
    [read.validFromDate, read.validToDate],
    [new Date('2049-12-31T22:30:00Z'), new Date('2059-12-29T23:30:00Z')],
  );
});

test('a file that is no certificate with its key is a mistake of the arguments, told by its name', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'tls-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const { certPem } = await makeSnakeoil([]);
  await writeFile(join(cwd, 'no-key.pem'), certPem);
  for (const [file, why] of [
    ['missing.pem', /ENOENT/],
    ['no-key.pem', /DECODER routines|PEM routines/],
  ] as const) {
    const said: string[] = [];
    const terminal = { out: false, err: false, columns: 80 };
    const context = {
      env: {},
      signal: t.signal,
      out: () => undefined,
      err: (text: string) => said.push(text),
      terminal,
    };
    assert.equal(await main(['test-app', '--tls', join(cwd, file)], context), 2);
    assert.match(said.join(''), why);
    assert.match(said.join(''), new RegExp(`^--tls must be .*, not .${join(cwd, file)}.: `));
  }
});
