/**
 * The sweep of one cluster at its end: all that its tasks printed, what our program's listeners say, what was asked of
 * them during the story, and what Marathon wrote down of its clients.
 */
import { imageOf } from '../marathon-simulator/model.ts';
import type { Simulator } from '../marathon-simulator/simulator.ts';
import { OUR_IMAGE } from './images.ts';
import { assertNoLeaks, keysUnder, type Output, printedIn, secretsOf } from './sweep.ts';

const TIMEOUT_MS = 2_000;
const ADMIN_PAGES = ['/api/status', '/ready', '/'];

/** What the listeners of our running tasks say: to be asked before Marathon is closed. */
export async function pagesOf(marathon: Simulator): Promise<readonly Output[]> {
  const apps = marathon.cluster.apps().filter((app) => imageOf(app)?.startsWith(OUR_IMAGE) && app.args === undefined);
  const tasks = apps.flatMap((app) => app.tasks).filter(({ state }) => state === 'TASK_RUNNING');
  const urls = tasks.flatMap(({ host, ports: [challenge, admin] }) => [
    `http://${host}:${challenge}/.well-known/acme-challenge/ping`,
    ...(admin === undefined ? [] : ADMIN_PAGES.map((page) => `http://${host}:${admin}${page}`)),
  ]);
  const pages = await Promise.all(urls.map((url) => pageAt(url).catch(() => undefined)));
  return pages.filter((page) => page !== undefined);
}

async function pageAt(url: string): Promise<Output> {
  const reply = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  return { from: url, text: `${JSON.stringify([...reply.headers])}\n${await reply.text()}` };
}

/** Throws where something came out. To be called when every task has ended. */
export async function sweepCluster(marathon: Simulator, folder: string, heard: readonly Output[]): Promise<void> {
  const envs = [...marathon.cluster.apps().map(({ env }) => env)];
  const secrets = new Map([...(await keysUnder(folder)), ...envs.flatMap((env) => [...secretsOf(env)])]);
  const record = [
    { from: "Marathon's record of requests", text: JSON.stringify(marathon.requests) },
    { from: "Marathon's complaints about clients", text: JSON.stringify(marathon.violations) },
  ];
  assertNoLeaks([...heard, ...(await printedIn(folder)), ...record], secrets);
}
