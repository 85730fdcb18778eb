/**
 * The commands: run, once, plan, config and the test app, each with its line of --help made from the same table.
 *
 * A command resolves to the exit code: 0 done, 1 not done (the reason was told), 2 a mistake in settings or arguments.
 */
import { parseArgs } from 'node:util';
import { ConfigError, type Environment, effectiveSettings, parseConfig, SETTINGS } from './config.ts';
import { createLog, describeError, mask } from './log.ts';
import type { Plan } from './plan/plan.ts';
import { become } from './privileges.ts';
import { planAsJson, planAsText } from './status.ts';
import { VERSION } from './version.ts';

export interface Context {
  readonly env: Environment;
  /** Aborts when the process is asked to end. */
  readonly signal: AbortSignal;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

interface Command {
  readonly summary: string;
  readonly run: (context: Context, json: boolean) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  run: { summary: 'keep the certificate alive, for years (the default)', run: keep },
  once: { summary: 'one pass to the end: exit code 0 when the certificate was seen on the wire', run: onePass },
  plan: { summary: 'show what would be done and why; changes nothing (--json for scripts)', run: preview },
  config: { summary: 'show the effective settings, secrets masked (--json for scripts)', run: showConfig },
  'test-app': { summary: 'serve the test application, which shows its own URL as curl sees it', run: testApp },
};

/** Understands the arguments and carries the command out. */
export async function main(args: readonly string[], context: Context): Promise<number> {
  const parsed = understand(args);
  if (typeof parsed === 'string') {
    context.err(`${parsed}\n\n${help()}`);
    return 2;
  }
  if (parsed.help) context.out(help());
  else if (parsed.version) context.out(`${VERSION}\n`);
  else return attempt(parsed.command, context, parsed.json);
  return 0;
}

async function attempt(command: Command, context: Context, json: boolean): Promise<number> {
  try {
    return await command.run(context, json);
  } catch (error) {
    if (context.signal.aborted) return 1;
    const isConfig = error instanceof ConfigError;
    context.err(mask(isConfig ? `${error.problems.join('\n')}\n` : `${describeError(error)}\n`));
    return isConfig ? 2 : 1;
  }
}

interface Understood {
  readonly command: Command;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** What was asked for, or what is wrong with it. */
function understand(args: readonly string[]): Understood | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    const [name = 'run', ...rest] = positionals;
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) return `There is no command '${name}'.`;
    if (rest.length > 0) return `'${name}' takes no argument, not '${rest.join(' ')}'.`;
    return { command, json: values.json ?? false, help: values.help ?? false, version: values.version ?? false };
  } catch (error) {
    return (error as Error).message;
  }
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
} as const;

/** All there is to know for a start; settings are told by name, their meaning stands in the README. */
function help(): string {
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  const settings = SETTINGS.map(({ name, default: fallback }) => `  ${name.padEnd(32)} ${fallback}`.trimEnd());
  return [
    `letsencrypt-dcos ${VERSION}: keeps the certificates of marathon-lb alive.`,
    '',
    'Usage: letsencrypt-dcos [command] [--json]',
    '',
    ...commands,
    '',
    '  -h, --help     this text',
    '  -v, --version  the release',
    '',
    'Exit codes: 0 done, 1 not done, 2 mistaken settings or arguments.',
    '',
    'Settings, from the environment, and their defaults:',
    '',
    ...settings,
    '',
  ].join('\n');
}

async function keep({ env, signal }: Context): Promise<number> {
  const { service } = await prepare(env);
  await service.run(signal);
  return 0;
}

/** States in which we, or Marathon for us, are at work; the others end the command when they last, or promise to. */
const WORKING = new Set<Plan['certificate']['state']>(['ordering', 'installing', 'deploying']);
const PATIENCE_MS = 60_000;
/** Without Marathon one more look, and that is it: a wrong address does not mend itself. */
const BLIND_PATIENCE_MS = 15_000;

async function onePass({ env, signal, out }: Context): Promise<number> {
  const finished = new AbortController();
  let last: Plan | undefined;
  let idleSince: number | undefined;
  const { service } = await prepare(env, (planned) => {
    last = planned;
    const { state } = planned.certificate;
    idleSince = WORKING.has(state) ? undefined : (idleSince ?? Date.now());
    const patienceMs = state === 'blind' ? BLIND_PATIENCE_MS : PATIENCE_MS;
    const isInVain = idleSince !== undefined && planned.checkAgainAt.getTime() - idleSince > patienceMs;
    if (state === 'live' || isInVain || planned.paused) finished.abort();
  });
  await service.run(AbortSignal.any([signal, finished.signal]));
  if (last !== undefined) out(planAsText(last));
  return last?.certificate.state === 'live' ? 0 : 1;
}

async function preview({ env, signal, out }: Context, json: boolean): Promise<number> {
  const { service } = await prepare({ ...env, LOG_LEVEL: 'silent' });
  const planned = await service.preview(signal);
  out(json ? `${JSON.stringify(planAsJson(planned), null, 2)}\n` : planAsText(planned));
  return 0;
}

/** What only `run` and its kin load: `--help` and `config` need neither servers nor clients. */
async function prepare(env: Environment, onPlan?: (planned: Plan) => void) {
  const config = parseConfig(env);
  const log = createLog({ level: config.logLevel });
  for (const warning of config.warnings) log.warn({ warning }, 'odd setting');
  const { Service } = await import('./service.ts');
  return { service: await Service.create(config, log, onPlan) };
}

/** The settings are shown even where they are wrong, for that is when they are looked at. */
async function showConfig({ env, out }: Context, json: boolean): Promise<number> {
  const settings = effectiveSettings(env);
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  out(json ? `${JSON.stringify(settings, null, 2)}\n` : lines.join(''));
  parseConfig(env);
  return 0;
}

async function testApp({ env, signal }: Context): Promise<number> {
  const { listenTestApp } = await import('./web/test-app.ts');
  const { listenAddress: host, httpPort: port, runAs } = parseConfig(env);
  const listener = await listenTestApp({ host, port, env });
  become(runAs);
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await listener.close();
  return 0;
}
