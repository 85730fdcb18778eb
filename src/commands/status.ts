/**
 * `status`: how it stands, asked of a running instance, or read from a state folder.
 *
 * Without an option the instance is looked for: on this machine, which is right inside the container, else where Marathon
 * shows our app's task, which is right on a laptop. Only looks, wherever.
 */
import { parseConfig } from '../config.ts';
import { askInstance, findInstance, type Instance, NobodyAnswers } from '../instance/find.ts';
import { mask } from '../mask.ts';
import { authOf, readCaFiles } from '../parts.ts';
import { showingProgress } from '../terminal/progress.ts';
import { styleOf } from '../terminal/style.ts';
import type { Context, Given } from './command.ts';
import { isLive, statusAsText } from './status-text.ts';

const NOT_LIVE = 1;
const MISTAKEN = 2;
const NOBODY = 3;

export async function status(context: Context, given: Given): Promise<number> {
  const { url, state } = given.options;
  if (url !== undefined && state !== undefined) {
    context.err('--url and --state are two places to look: give one of them.\n');
    return MISTAKEN;
  }
  return state === undefined ? ofInstance(context, given, url) : ofFolder(context, given, state);
}

async function ofInstance(context: Context, { json }: Given, url: string | undefined): Promise<number> {
  const { out, err, signal } = context;
  const ask = url === undefined ? () => find(context) : () => askInstance(url, signal);
  const found = await showingProgress(context, () => 'looking for a running instance', ask).catch((error: Error) => {
    signal.throwIfAborted();
    if (error.name === 'ConfigError') throw error;
    return error;
  });
  if (found instanceof Error) {
    err(mask(nobody(found))); // an address may hold a password
    return NOBODY;
  }
  const { told, at } = found;
  out(json ? asJson(found.json) : statusAsText(told, at, { now: new Date(), style: styleOf(context) }));
  return isLive(told) ? 0 : NOT_LIVE;
}

async function find({ env, signal }: Context): Promise<Instance> {
  const config = parseConfig(env);
  const { adminPort, listenAddress, appId } = config;
  const caPem = (await readCaFiles(config)).marathon;
  const app = async (inTime: AbortSignal) => {
    const { MarathonClient } = await import('../marathon/client.ts');
    return new MarathonClient({ ...config.marathon, auth: authOf(config), caPem }).app(appId, inTime);
  };
  return findInstance({ adminPort, listenAddress, appId, app }, signal);
}

function nobody(error: Error): string {
  if (!(error instanceof NobodyAnswers)) {
    const cure = 'Name the admin port of a running task, http://HOST:PORT; without --url it is looked for.';
    return `No instance answers: ${error.message}\n${cure}\n`;
  }
  const cure =
    'Name one by --url http://HOST:PORT (its admin port), set MARATHON_URL, or look into its folder by --state.';
  return `No instance answers:\n${error.tried.map((sentence) => `  ${sentence}\n`).join('')}${cure}\n`;
}

async function ofFolder(context: Context, { json }: Given, folder: string): Promise<number> {
  const [{ lookIntoFolder }, { folderAsText, isWell }] = await Promise.all([
    import('./folder-facts.ts'),
    import('./folder-text.ts'),
  ]);
  const now = new Date();
  const facts = await lookIntoFolder(folder, now);
  context.out(json ? asJson(facts) : folderAsText(facts, { now, style: styleOf(context) }));
  return isWell(facts, now) ? 0 : NOT_LIVE;
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
