/** The daily check by node-cron's own timer: it really fires, is logged, and makes the loop look at Marathon again. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { Service } from '../../src/service.ts';
import { startCannedMarathon } from '../support/canned-marathon.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

/** Without names there is nothing to do, and the loop by itself looks only every quarter of an hour. */
const QUIET_APP = { instances: 1, labels: {}, version: '2026-11-20T08:00:00.000Z', tasks: [] };

/** `until` goes by the wall clock, which stands still here: this ends a test that waits in vain. */
const PATIENCE = { timeout: 60_000 };

test('when CHECK_SCHEDULE comes round, the check is logged and everything is looked at again', PATIENCE, async (t) => {
  const marathon = await startCannedMarathon(t, ({ path }) =>
    path === '/v2/deployments' ? { body: [] } : { body: { app: { ...QUIET_APP, id: path.replace('/v2/apps', '') } } },
  );
  const looks = () => marathon.asked.filter(({ path }) => path === '/v2/apps/letsencrypt-dcos').length;
  const log: string[] = [];
  const checks = () => log.filter((line) => line.includes('daily check')).length;
  setTheClock(t, '2026-11-22T12:29:30Z');
  await startService(t, { MARATHON_URL: marathon.url, CHECK_SCHEDULE: '30 12 * * *' }, log);

  await until(() => log.some((line) => line.includes('no-names')), 'the first look');
  assert.deepEqual([looks(), checks()], [1, 0]);
  t.mock.timers.tick(29_000);
  assert.deepEqual([looks(), checks()], [1, 0], 'not before its time');
  t.mock.timers.tick(1_000);
  await until(() => checks() === 1, 'the check');
  await until(() => looks() === 2, 'the look after it');
});

test('without a schedule it comes once in each day', PATIENCE, async (t) => {
  const marathon = await startCannedMarathon(t, ({ path }) =>
    path === '/v2/deployments' ? { body: [] } : { body: { app: { ...QUIET_APP, id: path.replace('/v2/apps', '') } } },
  );
  const log: string[] = [];
  const checks = () => log.filter((line) => line.includes('daily check')).length;
  setTheClock(t, '2026-11-22T12:29:30Z');
  await startService(t, { MARATHON_URL: marathon.url }, log);

  await until(() => log.some((line) => line.includes('no-names')), 'the first look');
  assert.equal(checks(), 0);
  for (const days of [1, 2, 3]) {
    t.mock.timers.tick(24 * 60 * 60_000);
    assert.equal(checks(), days);
  }
});

async function startService(t: TestContext, settings: Readonly<Record<string, string>>, log: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'daily-check-'));
  const listen = { LISTEN_ADDRESS: '127.0.0.1', STATE_DIR: folder };
  const ports = { HTTP_PORT: String(await freePort('127.0.0.1')), ADMIN_PORT: String(await freePort('127.0.0.1')) };
  const config = parseConfig({ ...listen, ...ports, ...settings });
  const service = await Service.create(config, createLog({ level: 'info', write: (line) => void log.push(line) }));
  const abort = new AbortController();
  const ended = service.run(abort.signal);
  t.after(async () => {
    abort.abort();
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
}

/**
 * The wall clock, and the timers of those who take `setTimeout` where it lies: node-cron does. The loop and this test
 * import theirs, and go on by the machine's time.
 */
function setTheClock(t: TestContext, now: string): void {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: new Date(now) });
}
