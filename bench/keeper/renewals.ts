/**
 * Renewals one after the other in this process, for the slope of its memory: `node --expose-gc bench/keeper/renewals.ts N`.
 *
 * Each is what the keeper does for one: sign in, order, answer the challenge by the real listener, ledger, state folder,
 * reading the bundle back. After each fiftieth, and a full collection, a line of JSON tells what is left.
 */
import { readFile } from 'node:fs/promises';
import { Challenges } from '../../src/acme/challenges.ts';
import { obtain } from '../../src/acme/order.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { parseConfig } from '../../src/config.ts';
import { issue } from '../../src/issue.ts';
import { authorityOptions } from '../../src/parts.ts';
import { Store } from '../../src/store.ts';
import { listenPublic } from '../../src/web/public.ts';

const EVERY = 50;

async function main(wanted: number): Promise<void> {
  const config = parseConfig(process.env);
  const caPem = await readFile(config.acme.caFile ?? '', 'utf8');
  const authority = await openAuthority(authorityOptions(config, caPem));
  const challenges = new Challenges();
  const peers = { answerTo: async () => undefined };
  const { listenAddress: host, httpPort: port, acme } = config;
  const listener = await listenPublic({ host, port, challenges, peers, isAlive: () => true });
  const store = new Store(config.stateDir);
  await store.open();
  const tools = {
    ...{ directoryUrl: acme.directoryUrl, settingsMark: '', store, onUnsaved: (error: Error) => console.error(error) },
    obtain: (...[spec, resume, deps]: Parameters<Parameters<typeof issue>[0]['obtain']>) =>
      obtain(spec, resume, { ...deps, challenges, authority }),
  };
  const domains = ['www.shop.example', 'shop.example'];
  const spec = { domains, commonName: domains[0], keyType: acme.keyType };
  const { signal } = new AbortController();
  for (let renewals = 1; renewals <= wanted; renewals += 1) {
    await issue(tools, { spec, resume: undefined }, { onProgress: () => undefined, signal });
    await store.read();
    if (renewals % EVERY === 0) tell(renewals);
  }
  await listener.close();
}

function tell(renewals: number): void {
  for (let times = 0; times < 3; times += 1) global.gc?.();
  const { heapUsed, rss, external } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ renewals, heapUsed, rss, external })}\n`);
}

await main(Number(process.argv[2]));
process.exit(0);
