/**
 * `npm run demo`: the main job on this machine, told as it happens.
 *
 * Everything listens on loopback, everything that it starts ends with it, and its only files are in a folder of its own.
 */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { KEY_TYPES, type KeyType } from '../../src/certificates/spec.ts';
import { type Cluster, SIDECAR } from '../support/cluster.ts';
import { Stack } from './disposer.ts';
import { bringUp, inWords, type StoryOptions, untilServed } from './story.ts';
import { forPeople, forPrograms, type Teller } from './teller.ts';

const HELP = `npm run demo -- [options]

A small Marathon cluster on this machine: a CA (Pebble), a load balancer of two HAProxys, two test apps, and this
program, which gets them a certificate. Stays up until Ctrl-C.

  --once          end when the certificate was seen on the wire: 0, or 1 and the reason
  --json          a line of JSON per event instead of words; the last one is the result
  --names N       how many names the certificate has, 1 to 100 (2)
  --key-type T    ${KEY_TYPES.join(', ')} (rsa4096)
  --log FILE      keep the program's log there
  --help          this
`;

interface Arguments {
  readonly once: boolean;
  readonly json: boolean;
  readonly names: number;
  readonly keyType: KeyType | undefined;
  readonly log: string | undefined;
}

/** Undefined: help was asked for. Throws with a sentence. */
function argumentsOf(argv: string[]): Arguments | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      names: { type: 'string', default: '2' },
      'key-type': { type: 'string' },
      log: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const names = Number(values.names);
  if (!Number.isInteger(names) || names < 1 || names > 100)
    throw new Error(`--names is 1 to 100, not '${values.names}'`);
  const keyType = KEY_TYPES.find((type) => type === values['key-type']);
  if (keyType === undefined && values['key-type'] !== undefined)
    throw new Error(`--key-type is one of ${KEY_TYPES.join(', ')}, not '${values['key-type']}'`);
  return { once: values.once, json: values.json, names, keyType, log: values.log };
}

async function main(argv: string[]): Promise<number> {
  const given = argumentsOf(argv);
  if (given === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  process.stdout.on('error', () => stopping.abort()); // the reader has gone (`| head`)
  const teller = (given.json ? forPrograms : forPeople)((text) => void process.stdout.write(text));
  const stack = new Stack();
  const watchdog = killOnExit(stopping.signal);
  try {
    return await perform(given, { teller, stack, signal: stopping.signal });
  } finally {
    for (const error of await stack.dispose()) process.stderr.write(`while stopping: ${error.message}\n`);
    clearTimeout(watchdog.timer);
  }
}

/** Stopping takes a second or two; if it hangs all the same, the processes' own guards end them when we exit. */
function killOnExit(signal: AbortSignal): { timer: NodeJS.Timeout | undefined } {
  const watchdog: { timer: NodeJS.Timeout | undefined } = { timer: undefined };
  signal.addEventListener('abort', () => {
    watchdog.timer = setTimeout(() => process.exit(1), 15_000);
  });
  return watchdog;
}

interface Stage {
  readonly teller: Teller;
  readonly stack: Stack;
  readonly signal: AbortSignal;
}

async function perform(given: Arguments, { teller, stack, signal }: Stage): Promise<number> {
  const names = Array.from({ length: given.names }, (_, index) => `ssl-test-${index + 1}.example.com`);
  const options: StoryOptions = { names, keyType: given.keyType, teller, signal };
  let cluster: Cluster | undefined;
  try {
    cluster = await orStopped(bringUp(stack, options), signal);
    const served = await untilServed(cluster, options);
    if (!given.once) await showAround(cluster, names, teller);
    teller.end(inWords(served), { ...served });
    if (!given.once) await staysUp(signal);
    return 0;
  } catch (error) {
    const why = signal.aborted ? 'it was stopped' : (error as Error).message;
    teller.end(`Not served: ${why}`, { result: 'failed', why });
    return 1;
  } finally {
    if (cluster !== undefined && given.log !== undefined) await keepLog(cluster, given.log);
  }
}

/** What is being waited for is taken down by the disposer, and its complaint about that is of no interest. */
async function orStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  const stopped = once(signal, 'abort').then(() => signal.throwIfAborted());
  return Promise.race([promise, stopped as Promise<never>]);
}

async function showAround(cluster: Cluster, names: readonly string[], teller: Teller): Promise<void> {
  const [task] = cluster.tasks(SIDECAR);
  const page = `http://${task?.host}:${task?.ports[1]}/`;
  const status = `${page}api/status`;
  const port = cluster.httpsPort;
  const name = names[0] ?? '';
  const curl =
    `curl --cacert ${cluster.rootFile} --resolve ${name}:${port}:${cluster.publicHosts[0]} ` +
    `https://${name}${port === 443 ? '' : `:${port}`}/`;
  teller.tell(`Status:  ${page}`, { event: 'status', url: status });
  teller.tell(`Try:     ${curl}`, { event: 'try', command: curl });
  teller.tell('Stays up until Ctrl-C.', { event: 'up' });
}

async function staysUp(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const keepsAlive = setInterval(() => undefined, 60_000);
  await once(signal, 'abort');
  clearInterval(keepsAlive);
}

/** What all its tasks wrote, in the order of their starts. */
async function keepLog(cluster: Cluster, file: string): Promise<void> {
  const files = cluster.marathon.tasksOf(SIDECAR).map(({ stdout }) => stdout);
  const texts = await Promise.all(files.map((name) => readFile(name, 'utf8').catch(() => '')));
  await writeFile(file, texts.join(''));
}

const code = await main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`${error.message}\n\n${HELP}`);
  return 2;
});
// By exit: what was given up half-way may still be waiting for something. After what was written has gone out.
process.stdout.write('', () => process.exit(code));
