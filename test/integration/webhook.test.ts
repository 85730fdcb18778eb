/** Alerts on their way to real servers: taken, slow, sick, redirecting, dead, untrusted; over restarts; beside the loop. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Alerter } from '../../src/alerts/alerter.ts';
import { judge, type Memory } from '../../src/alerts/judgement.ts';
import { MemoryFile } from '../../src/alerts/memory-file.ts';
import type { Alert } from '../../src/alerts/sentences.ts';
import { post, WebhookError, type WebhookOptions } from '../../src/alerts/webhook.ts';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { alerterOf } from '../../src/parts.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { type Canned, startCannedMarathon as startServer } from '../support/canned-marathon.ts';
import { selfSigned } from '../support/certificates.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { observation, policy } from '../support/observation.ts';
import { until } from '../support/until.ts';

const HEALTHY = plan(observation(), policy());
const saying = (state: 'live' | 'stuck'): Plan => ({ ...HEALTHY, certificate: { ...HEALTHY.certificate, state } });
const [STUCK] = judge({}, saying('stuck')).due as [Alert];
const SECRET = '/services/T000/B000/open-sesame';
const BACKOFF_MS = { first: 20, longest: 80 };

function options(url: string, differing: Partial<WebhookOptions> = {}): WebhookOptions {
  const from = { app: '/letsencrypt-dcos', task: 'us.1' };
  return { url: url + SECRET, format: 'json', timeoutMs: 2_000, proxyEnv: {}, ...from, ...differing };
}

interface Started {
  readonly alerter: Alerter;
  readonly log: string[];
  readonly folder: string;
  stop(): Promise<void>;
}

/** An alerter of a process; a second one with the same folder is the process after a restart. */
async function start(t: TestContext, to: WebhookOptions, folder?: string): Promise<Started> {
  const dir = folder ?? (await mkdtemp(join(tmpdir(), 'alerts-')));
  const log: string[] = [];
  const alerter = new Alerter({
    send: (alert, signal) => post(alert, to, signal),
    file: new MemoryFile(dir),
    log: createLog({ level: 'debug', write: (line) => void log.push(line) }),
    backoffMs: BACKOFF_MS,
  });
  const abort = new AbortController();
  const ended = alerter.run(abort.signal);
  const stop = async (): Promise<void> => {
    abort.abort();
    await ended;
  };
  t.after(async () => {
    await stop();
    await rm(dir, { recursive: true, force: true });
  });
  return { alerter, log, folder: dir, stop };
}

interface Heard {
  readonly alert: string;
  readonly status: string;
}
const heard = ({ asked }: { asked: readonly { body: string }[] }): readonly string[] =>
  asked.map(({ body }) => JSON.parse(body) as Heard).map(({ alert, status }) => `${alert} ${status}`);

test('an alert is posted once as JSON, and its end once', async (t) => {
  const server = await startServer(t, [{ body: 'ok' }]);
  const { alerter, log, folder } = await start(t, options(server.url));
  for (let pass = 0; pass < 3; pass += 1) alerter.note(saying('stuck'));
  await until(() => alerter.figures.sent === 1, 'the alert');
  alerter.note(saying('stuck'));
  alerter.note(saying('live'));
  await until(() => alerter.figures.sent === 2, 'its end');
  assert.deepEqual(heard(server), ['stuck firing', 'stuck resolved']);
  assert.deepEqual([server.asked[0]?.method, server.asked[0]?.path], ['POST', SECRET]);
  assert.match(server.asked[0]?.headers['content-type'] ?? '', /^application\/json/);
  await until(
    async () => !(await readFile(join(folder, 'alerts.json'), 'utf8')).includes('stuck'),
    'it to be forgotten',
  );
  assert.ok(!log.join('').includes('open-sesame'), log.join(''));
});

const failures: readonly { name: string; canned: Canned; says: RegExp }[] = [
  {
    name: 'a server that is sick',
    canned: { status: 500, body: 'open-sesame' },
    says: /: HTTP 500: it is tried again by itself/,
  },
  {
    name: 'a redirect',
    canned: { status: 307, headers: { location: '/elsewhere?open-sesame' } },
    says: /HTTP 307, a redirect, which is not followed: set the address/,
  },
  {
    name: 'a webhook that is gone',
    canned: { status: 404 },
    says: /HTTP 404: the webhook is gone, or its URL is mistaken/,
  },
  {
    name: 'a server that does not answer',
    canned: { fault: 'silence' },
    says: /: no answer within 1 s; it is tried again by itself/,
  },
  { name: 'a connection that breaks', canned: { fault: 'reset' }, says: /ECONNRESET|socket hang up/ },
];

for (const { name, canned, says } of failures)
  test(`${name} is told without the URL, and the alert is tried again until it is taken`, async (t) => {
    const server = await startServer(t, [canned, canned, { body: 'ok' }]);
    const timeoutMs = canned.fault === 'silence' ? 1_000 : 10_000;
    const { alerter, log } = await start(t, options(server.url, { timeoutMs }));
    alerter.note(saying('stuck'));
    await until(() => alerter.figures.sent === 1, 'the alert');
    assert.deepEqual(
      server.asked.map(({ path }) => path),
      [SECRET, SECRET, SECRET],
    );
    await until(() => alerter.figures.waiting === 0, 'nothing to wait');
    assert.deepEqual(alerter.figures, { sent: 1, failed: 2, waiting: 0 });
    const lines = log.map((line) => JSON.parse(line) as { level: string; err?: string }).filter(({ err }) => err);
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['warn', 'debug'],
    );
    assert.match(lines[0]?.err ?? '', /^WebhookError: WEBHOOK_URL at 127\.0\.0\.1:\d+: /);
    assert.match(lines[0]?.err ?? '', says);
    assert.ok(!log.join('').includes('open-sesame'), log.join(''));
  });

test('a port on which nobody listens is told, and tried again', async (t) => {
  const { alerter, log } = await start(t, options(`http://127.0.0.1:${await freePort('127.0.0.1')}`));
  alerter.note(saying('stuck'));
  await until(() => alerter.figures.failed >= 3, 'three tries');
  assert.match(log.join(''), /ECONNREFUSED/);
  assert.equal(alerter.figures.waiting, 1);
});

test('what is over before it was taken is not told any more', async (t) => {
  const server = await startServer(t, [{ status: 503 }]);
  const { alerter } = await start(t, options(server.url));
  alerter.note(saying('stuck'));
  await until(() => alerter.figures.failed >= 1, 'a try');
  alerter.note(saying('live'));
  await until(() => alerter.figures.waiting === 0, 'nothing to wait');
  assert.equal(alerter.figures.sent, 0);
});

test('a server that hangs holds nobody up: plans are taken at once, and stopping does not wait for it', async (t) => {
  const server = await startServer(t, [{ fault: 'silence' }]);
  const { alerter, stop } = await start(t, options(server.url, { timeoutMs: 60_000 }));
  alerter.note(saying('stuck'));
  await until(() => server.asked.length === 1, 'the request');
  const before = performance.now();
  for (let pass = 0; pass < 1_000; pass += 1) alerter.note(saying('stuck'));
  await stop();
  assert.ok(performance.now() - before < 30_000, 'half of the time that the request has');
  assert.equal(server.asked.length, 1);
});

test('a restart neither repeats what was told nor forgets to end it', async (t) => {
  const server = await startServer(t, [{ body: 'ok' }]);
  const first = await start(t, options(server.url));
  first.alerter.note(saying('stuck'));
  await until(() => first.alerter.figures.sent === 1, 'the alert');
  await first.stop();
  const file = await stat(join(first.folder, 'alerts.json'));
  assert.equal(file.mode & 0o777, 0o600);
  const second = await start(t, options(server.url), first.folder);
  second.alerter.note(saying('stuck'));
  second.alerter.note(saying('live'));
  await until(() => second.alerter.figures.sent === 1, 'its end');
  assert.deepEqual(heard(server), ['stuck firing', 'stuck resolved']);
  await until(async () => (await readdir(first.folder)).join() === 'alerts.json', 'nothing beside it');
});

test('without a folder that can be written, alerts are told all the same, once', async (t) => {
  const server = await startServer(t, [{ body: 'ok' }]);
  const { alerter } = await start(t, options(server.url), '/nowhere/at/all');
  alerter.note(saying('stuck'));
  await until(() => alerter.figures.sent === 1, 'the alert');
  alerter.note(saying('stuck'));
  alerter.note(saying('live'));
  await until(() => alerter.figures.sent === 2, 'its end');
  assert.deepEqual(heard(server), ['stuck firing', 'stuck resolved']);
});

test('a follower tells nothing; once it leads, it goes by what the one before it told', async (t) => {
  const server = await startServer(t, [{ body: 'ok' }]);
  const { alerter, folder } = await start(t, options(server.url));
  alerter.note({ ...saying('stuck'), leader: { taskId: 'us.2', isUs: false } });
  const told: Memory = { stuck: { since: HEALTHY.at, told: true } };
  await new MemoryFile(folder).save(told);
  alerter.note(saying('live'));
  await until(() => alerter.figures.sent === 1, 'the end of what the other one told');
  assert.deepEqual(heard(server), ['stuck resolved']);
});

for (const text of [
  '',
  '{',
  '[]',
  'null',
  '{"formatVersion":2,"alerts":{}}',
  '{"formatVersion":1,"alerts":{"stuck":{"since":"x","told":true}}}',
])
  test(`a file of alerts that holds '${text}' counts as none`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'alerts-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'alerts.json'), text);
    assert.deepEqual((await new MemoryFile(folder).load()) ?? {}, {});
  });

test('a certificate that nobody vouches for is refused: nothing is posted', async (t) => {
  const { pem, keyPem } = selfSigned('localhost');
  const server = await startServer(t, [{ body: 'ok' }], { chainPem: pem, keyPem });
  await assert.rejects(post(STUCK, options(server.url), AbortSignal.timeout(5_000)), (error: Error) => {
    assert.ok(error instanceof WebhookError);
    assert.match(
      error.message,
      /^WEBHOOK_URL at localhost:\d+: DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate; a private root has to stand in .* NODE_EXTRA_CA_CERTS names$/,
    );
    return true;
  });
  assert.equal(server.asked.length, 0);
});

test('a Retry-After is heeded', async (t) => {
  const server = await startServer(t, [{ status: 429, headers: { 'retry-after': '120' } }]);
  await assert.rejects(
    post(STUCK, options(server.url), AbortSignal.timeout(5_000)),
    (error: Error) => error instanceof WebhookError && error.retryAfterMs === 120_000,
  );
});

test('as set up by the settings, it goes through the proxy, in the form that Slack reads', async (t) => {
  const proxy = await startForwardProxy(t, { resolve: () => '127.0.0.1' });
  const port = await freePort('127.0.0.1');
  const log: string[] = [];
  const config = parseConfig({
    WEBHOOK_URL: `https://hooks.slack.com:${port}${SECRET}`,
    HTTPS_PROXY: proxy.url,
    STATE_DIR: '/nowhere',
  });
  assert.equal(config.webhook?.format, 'slack');
  const alerter = alerterOf(config, createLog({ level: 'debug', write: (line) => void log.push(line) }));
  assert.ok(alerter);
  const abort = new AbortController();
  const ended = alerter.run(abort.signal);
  t.after(async () => {
    abort.abort();
    await ended;
  });
  alerter.note(saying('stuck'));
  await until(() => alerter.figures.failed === 1, 'a try');
  assert.deepEqual(proxy.hosts, [`hooks.slack.com:${port}`]);
  assert.ok(!log.join('').includes('open-sesame'), log.join(''));
  assert.equal(alerterOf(parseConfig({}), createLog({ level: 'silent' })), undefined);
});
