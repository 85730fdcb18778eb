/**
 * Finds a running instance and asks it how things stand: at the address that was named, else on this very machine (inside
 * the container, by `dcos task exec`), else where Marathon shows our app's task (from a laptop).
 *
 * Only reads, in bounded time and size; whatever else may answer on such a port is recognised as none of ours.
 */
import http from 'node:http';
import https from 'node:https';
import { type App, hostPort } from '../marathon/app.ts';
import { leaderOf } from '../marathon/leader.ts';
import { bodyOf, responseTo } from '../response.ts';
import { readTold, type Told } from './told.ts';

export interface Instance {
  /** Where it answered. */
  readonly at: string;
  readonly told: Told;
  /** As it came, for scripts. */
  readonly json: unknown;
}

/** Where to look, and what to ask Marathon with. */
export interface Whereabouts {
  readonly adminPort: number;
  readonly listenAddress: string;
  readonly appId: string;
  readonly app: (signal: AbortSignal) => Promise<App>;
}

/** Nobody of ours answered: a sentence for each place that was tried. */
export class NobodyAnswers extends Error {
  override readonly name = 'NobodyAnswers';
  readonly tried: readonly string[];

  constructor(tried: readonly string[]) {
    super(tried.join('; '));
    this.tried = tried;
  }
}

/** Here, whoever listens may have to read first what answers, in the same share of a CPU; where nobody does, it is told at once. */
const TIMEOUT_MS = { here: 10_000, there: 5_000 };
/** A hundred names with long reasons are a few hundred KiB. */
const MAX_BYTES = 4 * 1024 * 1024;

/** On this machine, else by Marathon. Throws NobodyAnswers. */
export async function findInstance(where: Whereabouts, signal: AbortSignal): Promise<Instance> {
  const tried: string[] = [];
  const note = (error: unknown): undefined => {
    signal.throwIfAborted();
    tried.push((error as Error).message);
  };
  const here = await askInstance(localUrl(where), signal, TIMEOUT_MS.here).catch(note);
  if (here !== undefined) return here;
  const there = await throughMarathon(where, signal).catch(note);
  if (there !== undefined) return there;
  throw new NobodyAnswers(tried);
}

function localUrl({ listenAddress, adminPort }: Whereabouts): string {
  const everywhere = listenAddress === '0.0.0.0' || listenAddress === '::';
  const host = everywhere ? '127.0.0.1' : listenAddress;
  return `http://${host.includes(':') ? `[${host}]` : host}:${adminPort}`;
}

async function throughMarathon({ app: ask, appId, adminPort }: Whereabouts, signal: AbortSignal): Promise<Instance> {
  const app = await ask(signal);
  const task = leaderOf(app) ?? app.tasks.find(({ state }) => state === 'TASK_RUNNING');
  if (task === undefined) {
    const { lastTaskFailure: last } = app;
    const words = last && `; the last one ended at ${last.at.toISOString()} with ${last.state} ${last.message}`;
    throw new Error(`Marathon: no task of ${appId} is running${words ?? ''}`);
  }
  const port = hostPort(app, task, adminPort);
  if (port === undefined) {
    throw new Error(
      `Marathon shows no host port of ${task.id} for ADMIN_PORT ${adminPort}: ask inside the container, by dcos task exec`,
    );
  }
  return askInstance(`http://${task.host}:${port}`, signal, TIMEOUT_MS.there);
}

/** Throws a sentence when nobody answers there, or not one of ours. */
export async function askInstance(base: string, signal: AbortSignal, timeoutMs = TIMEOUT_MS.there): Promise<Instance> {
  const url = URL.parse(`${base.replace(/\/+$/, '')}/api/status`);
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error(`'${base}' is no address like http://HOST:PORT`);
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const body = await read(url, inTime).catch((error: NodeJS.ErrnoException) => {
    signal.throwIfAborted();
    const reason = inTime.aborted ? `no answer within ${timeoutMs / 1_000} s` : (error.code ?? error.message);
    throw new Error(`${url.origin} does not answer: ${reason}`);
  });
  const told = readTold(body);
  if (told === undefined) throw new Error(`something else than letsencrypt-dcos answers at ${url.origin}`);
  return { at: url.origin, told, json: body };
}

/** Undefined where it is no JSON. */
async function read(url: URL, signal: AbortSignal): Promise<unknown> {
  const headers = { Accept: 'application/json' };
  const client = url.protocol === 'https:' ? https : http;
  const response = await responseTo(client.get(url, { agent: false, signal, headers }), signal);
  const body = await bodyOf(response, MAX_BYTES);
  try {
    return JSON.parse(body?.toString() ?? '') as unknown;
  } catch {
    return undefined;
  }
}
