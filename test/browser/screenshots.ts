/**
 * `npm run screenshots`: the pictures of the status page in docs/screenshots, from the worlds that the tests look at, so that
 * they show what the page is now. Names and certificates in them are made up.
 */
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PAGE_HEADERS, pageOf } from '../../src/web/page.ts';
import { startBrowser } from '../support/browser.ts';
import { NOW, statusIn, type WorldName } from '../support/page-worlds.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'screenshots');

const SHOTS: readonly {
  name: string;
  world: WorldName;
  colorScheme: 'light' | 'dark';
  width: number;
  height: number;
}[] = [
  { name: 'status-live', world: 'live', colorScheme: 'light', width: 1_180, height: 980 },
  { name: 'status-degraded-dark', world: 'degraded', colorScheme: 'dark', width: 1_180, height: 1_020 },
  { name: 'status-not-served', world: 'not-served', colorScheme: 'light', width: 1_180, height: 1_020 },
  { name: 'status-waiting-for-window', world: 'waiting-for-window', colorScheme: 'light', width: 1_180, height: 860 },
  { name: 'status-narrow', world: 'degraded', colorScheme: 'light', width: 400, height: 900 },
];

const server = createServer(({ url = '' }, response) =>
  response.writeHead(200, PAGE_HEADERS).end(pageOf(statusIn(url.slice(1) as WorldName), { now: NOW, mayAct: true })),
);
await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
const { port } = server.address() as AddressInfo;
const browser = await startBrowser();
await mkdir(FOLDER, { recursive: true });
for (const { name, world, colorScheme, width, height } of SHOTS) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height } });
  await page.goto(`http://127.0.0.1:${port}/${world}`);
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  process.stdout.write(`docs/screenshots/${name}.png\n`);
}
await browser.close();
server.close();
server.closeAllConnections();
