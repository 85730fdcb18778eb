/** The status page in a real Chromium: as people meet it, with and without a script, on a telephone, by keyboard and by ear. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, type TestContext, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { createLog } from '../../src/log.ts';
import type { Status } from '../../src/status.ts';
import { listenAdmin } from '../../src/web/admin.ts';
import { axeFindings, open, startBrowser } from '../support/browser.ts';
import { startProgram } from '../support/one-program.ts';
import { statusIn, WORLD_NAMES, type WorldName } from '../support/page-worlds.ts';
import { until } from '../support/until.ts';

const TOKEN = 'correct-horse-battery-staple';

let browser: Browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser.close());

interface Site {
  readonly url: string;
  show(status: Status): void;
  close(): Promise<void>;
}

/** The admin listener, which shows what it is told to. */
async function startSite(t: TestContext, world: WorldName): Promise<Site> {
  let status = statusIn(world);
  const listener = await listenAdmin({
    ...{ host: '127.0.0.1', port: 0, status: () => status, isReady: () => true, metrics: () => [] },
    log: createLog({ level: 'silent' }),
    asks: { token: TOKEN, log: createLog({ level: 'silent' }), ask: async () => undefined },
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= listener.close();
    return closed;
  };
  t.after(close);
  return {
    url: `http://127.0.0.1:${listener.port}/`,
    show: (other) => {
      status = other;
    },
    close,
  };
}

const looks = [
  { world: 'live', colorScheme: 'light', width: 1_240 },
  { world: 'degraded', colorScheme: 'dark', width: 1_240 },
  { world: 'not-served', colorScheme: 'light', width: 360 },
  { world: 'waiting-for-window', colorScheme: 'dark', width: 360 },
] as const;
for (const { world, colorScheme, width } of looks) {
  test(`${world}, ${colorScheme}, ${width} wide: axe finds nothing, the console says nothing, nothing comes from elsewhere`, async (t) => {
    const { url } = await startSite(t, world);
    const { page, complaints, strange } = await open(t, browser, url, {
      colorScheme,
      viewport: { width, height: 800 },
    });
    assert.match(await page.title(), new RegExp(`^${world} · /letsencrypt-dcos$`));
    assert.deepEqual(await axeFindings(page), []);
    assert.deepEqual([complaints, strange], [[], []]);
  });
}

test('on a telephone no world is wider than the screen, whatever the names and the sentences', async (t) => {
  const site = await startSite(t, 'live');
  const { page } = await open(t, browser, site.url, { viewport: { width: 320, height: 640 } });
  for (const world of WORLD_NAMES) {
    const status = statusIn(world, { taskId: 'x'.repeat(200), warnings: [`https://${'y'.repeat(300)}`] });
    const certificate = status.plan && { ...status.plan.certificate, why: 'z'.repeat(300) };
    site.show({ ...status, plan: certificate && status.plan && { ...status.plan, certificate } });
    await page.reload();
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 320, world);
  }
});

test('without a script everything is there', async (t) => {
  const { url } = await startSite(t, 'degraded');
  const { page } = await open(t, browser, url, { javaScriptEnabled: false });
  const headings = await page.getByRole('heading', { level: 2 }).allTextContents();
  assert.deepEqual(headings, [
    ...['Certificate', 'What comes next', 'Names (5)', 'Load balancers', "The CA's limits"],
    ...['Deployments', 'Timeline', 'Actions'],
  ]);
  await page.getByLabel('ADMIN_TOKEN').fill(TOKEN);
  await page.getByRole('button', { name: 'Renew' }).click();
  assert.match(page.url(), /\/#timeline$/);
});

test('it keeps itself fresh; what is being typed stays, and who listens hears of another state only', async (t) => {
  const site = await startSite(t, 'deploying');
  const { page, complaints } = await open(t, browser, site.url);
  await page.clock.install();
  await page.reload();
  const status = page.getByRole('status');
  await page.evaluate(`
    globalThis.heard = 0;
    new MutationObserver(() => heard++).observe(document.querySelector('[role=status]'), { childList: true, subtree: true });
  `);
  const heard = () => page.evaluate<number>('heard');
  await page.getByLabel('ADMIN_TOKEN').fill('half a tok');

  site.show(statusIn('deploying', { version: '2.0.1' }));
  await page.clock.runFor(5_000);
  await page.getByText('letsencrypt-dcos 2.0.1, started').waitFor();
  assert.equal(await heard(), 0);

  site.show(statusIn('live'));
  await page.clock.runFor(5_000);
  await status.getByText('Live: every load balancer serves the certificate').waitFor();
  assert.ok((await heard()) > 0);
  assert.match(await page.title(), /^live/);
  assert.equal(await page.getByLabel('ADMIN_TOKEN').inputValue(), 'half a tok');
  assert.equal(await page.evaluate('document.activeElement.id'), 'token');
  assert.deepEqual(complaints, []);

  await site.close();
  await page.clock.runFor(5_000);
  await page.getByText('not up to date').waitFor();
});

test('by keyboard: past the header in one step, to each button in a few, and one sees where one is', async (t) => {
  const { url } = await startSite(t, 'live');
  const { page } = await open(t, browser, url);
  const stops: string[] = [];
  for (let presses = 0; presses < 6; presses += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate<string>(`
      const at = document.activeElement;
      (at.textContent || at.id) + ' ' + getComputedStyle(at).outlineStyle;
    `);
    stops.push(stop);
  }
  const expected = ['Skip to the status', 'token', 'Retry now', 'Renew', 'Status as JSON', 'Metrics'];
  assert.deepEqual(
    stops,
    expected.map((name) => `${name} solid`),
  );
});

test("another site's form is refused, though it had the token", async (t) => {
  const { url } = await startSite(t, 'live');
  const form = `<form method="post" action="${url}actions/renew"><input name="token" value="${TOKEN}"><button>Win a prize</button></form>`;
  const other = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(form));
  await new Promise<void>((ready) => other.listen(0, '127.0.0.1', ready));
  t.after(() => other.close());
  const { page } = await open(t, browser, `http://localhost:${(other.address() as AddressInfo).port}/`);
  await page.getByRole('button').click();
  await page.getByText('Not from another site').waitFor();
});

test('the whole program: a wrong token is told, the right one is believed, and the timeline says what was pressed', async (t) => {
  const program = await startProgram(t, {
    ...{ directoryUrl: 'http://127.0.0.1:9/directory', domains: ['a.example'] },
    env: { ADMIN_TOKEN: TOKEN },
  });
  await until(async () => (await program.told())?.certificate.state === 'backing-off', 'the CA to be found away');
  const { page, complaints } = await open(t, browser, `${program.url}/`);
  const press = async (token: string): Promise<void> => {
    await page.getByLabel('ADMIN_TOKEN').fill(token);
    await page.getByRole('button', { name: 'Retry now' }).click();
  };
  await press('not the token at all');
  await page.getByText('The token is not right').waitFor();
  await page.getByRole('link', { name: 'Back to the status' }).click();
  assert.equal(complaints.length, 1, 'the browser notes the 403, and nothing else');
  await press(TOKEN);
  await page.locator('#timeline').getByText('an operator pressed "Retry now"').waitFor();
  await page.locator('#standing').getByText('backing-off').waitFor();
  await until(async () => {
    await page.reload();
    return (await page.locator('#timeline').getByText('ordering', { exact: false }).count()) > 0;
  }, 'the order to be tried again');
});
