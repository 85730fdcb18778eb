/**
 * The command line: the commands with what they take, and their lines of --help made from the same table.
 *
 * What a command does stands in commands/, and is loaded only when it is asked for.
 */
import { parseArgs } from 'node:util';
import type { Command, Commands, Context, Given } from './commands/command.ts';
import { help, helpOn } from './commands/help.ts';
import { unknown } from './commands/nearest.ts';
import { ConfigError } from './config.ts';
import { describeError, mask } from './mask.ts';
import { harmless } from './printable.ts';
import { VERSION } from './version.ts';

const COMMANDS: Commands = {
  run: {
    summary: 'keep the certificate alive, for years (the default)',
    load: async () => (await import('./commands/run.ts')).run,
  },
  once: {
    summary: 'one pass to the end: exit code 0 when the certificate was seen on the wire',
    load: async () => (await import('./commands/once.ts')).once,
  },
  status: {
    summary: 'show how it stands: asks a running instance, or looks into a state folder',
    options: {
      url: { value: 'URL', summary: 'the admin port of the instance to ask, http://HOST:PORT' },
      state: { value: 'DIR', summary: 'look into this state folder instead; nothing is changed in it' },
    },
    more: [
      'Without an option the instance is looked for on this machine (as by dcos task exec), then where Marathon shows',
      'the app MARATHON_APP_ID.',
    ],
    load: async () => (await import('./commands/status.ts')).status,
  },
  doctor: {
    summary: 'look at all that a certificate depends on: a line each, with the cure; changes nothing',
    operands: { usage: '[name…]', least: 0, most: 100 },
    more: [
      'With names only these are looked at: also such as are not in the labels yet, before they are added.',
      'To see the routes and the state folder, run it inside the container (dcos task exec).',
    ],
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  plan: {
    summary: 'show what would be done and why; changes nothing',
    load: async () => (await import('./commands/plan.ts')).plan,
  },
  obtain: {
    summary: 'order a certificate for DOMAINS and write it to files; needs no Marathon',
    options: { out: { value: 'DIR', summary: 'the folder for fullchain.pem, privkey.pem and bundle.pem' } },
    load: async () => (await import('./commands/obtain.ts')).obtain,
  },
  audit: {
    summary: 'grade the TLS and HTTP of a live name as SSL Labs would, and tell what mends it',
    operands: { usage: 'NAME|URL', least: 1, most: 1 },
    options: {
      at: {
        value: 'HOST[:PORT]',
        summary: 'ask there (one load balancer instance, say), and not where the name leads',
      },
      'http-port': { value: 'PORT', summary: 'where plain http answers (80)' },
      ca: { value: 'FILE', summary: 'trust the certificates in this PEM file too, for a CA of your own' },
      'at-least': { value: 'GRADE', summary: 'exit code 1 when the grade is worse: A+, A, A-, B, C, D, E or F' },
    },
    more: ['It looks from outside, needs no Marathon and no setting, and breaks nothing: handshakes and two requests.'],
    load: async () => (await import('./commands/audit.ts')).audit,
  },
  config: {
    summary: 'show the settings in force, secrets masked',
    load: async () => (await import('./commands/config.ts')).config,
  },
  'test-app': {
    summary: 'serve the test application, which shows its own URL as curl sees it',
    options: {
      tls: {
        value: 'HOW',
        summary: 'HTTPS instead of HTTP: snakeoil (made at start), or a PEM file with chain and key',
      },
    },
    load: async () => (await import('./commands/test-app.ts')).testApp,
  },
  completion: {
    summary: 'print a script that lets the shell complete these commands',
    operands: { usage: 'bash|zsh|fish', least: 1, most: 1, choices: () => ['bash', 'zsh', 'fish'] },
    more: [
      'To try it:  source <(letsencrypt-dcos completion bash)',
      'To keep it, write it to where your shell looks:',
      '  bash  /etc/bash_completion.d/letsencrypt-dcos',
      '  zsh   a file _letsencrypt-dcos in a folder of $fpath',
      '  fish  ~/.config/fish/completions/letsencrypt-dcos.fish',
    ],
    load: async () => (await import('./commands/completion.ts')).completionOf(COMMANDS),
  },
  help: {
    summary: 'show this text, or more about a command',
    operands: { usage: '[command]', least: 0, most: 1, choices: () => Object.keys(COMMANDS) },
    load:
      async () =>
      async (context, { operands: [name] }) => {
        context.out(name === undefined ? help(COMMANDS) : helpOn(COMMANDS, name));
        return 0;
      },
  },
};

const EVERYWHERE = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
} as const;

/** Understands the arguments and carries the command out; resolves to the exit code. */
export async function main(args: readonly string[], surroundings: Context): Promise<number> {
  const context = writingHarmless(surroundings);
  const parsed = understand(args);
  if (typeof parsed === 'string') {
    context.err(`${parsed}\nletsencrypt-dcos --help tells what there is.\n`);
    return 2;
  }
  if (parsed.show === 'version') context.out(`${VERSION}\n`);
  else if (parsed.show === 'help')
    context.out(parsed.name === undefined ? help(COMMANDS) : helpOn(COMMANDS, parsed.name));
  else return attempt(parsed.command, context, parsed.given);
  return 0;
}

function writingHarmless(context: Context): Context {
  const { out, err } = context;
  return { ...context, out: (text) => out(harmless(text)), err: (text) => err(harmless(text)) };
}

async function attempt(command: Command, context: Context, given: Given): Promise<number> {
  try {
    const run = await command.load();
    return await run(context, given);
  } catch (error) {
    if (context.signal.aborted) return 1;
    const isConfig = error instanceof ConfigError;
    context.err(mask(isConfig ? `${error.problems.join('\n')}\n` : `${describeError(error)}\n`));
    return isConfig ? 2 : 1;
  }
}

interface Understood {
  readonly command: Command;
  /** Undefined: no command was named. */
  readonly name: string | undefined;
  readonly show: 'help' | 'version' | undefined;
  readonly given: Given;
}

/** What was asked for, or what is wrong with it. */
function understand(args: readonly string[]): Understood | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: allOptions(), allowPositionals: true });
    const [name, ...operands] = positionals;
    const command = Object.hasOwn(COMMANDS, name ?? 'run') ? COMMANDS[name ?? 'run'] : undefined;
    if (command === undefined) return unknown('command', name ?? '', Object.keys(COMMANDS));
    const { help, version, json = false, ...options } = values;
    const show = help ? 'help' : version ? 'version' : undefined;
    const wrong = show === undefined ? misfit(name ?? 'run', command, operands, Object.keys(options)) : undefined;
    return wrong ?? { command, name, show, given: { operands, json: json === true, options: texts(options) } };
  } catch (error) {
    return told(error as Error & { readonly code?: string });
  }
}

/** parseArgs explains how an operand may begin with a dash, which here none does. */
function told({ code, message }: Error & { readonly code?: string }): string {
  const [, typed] = /'(--?[^'\s]*)/.exec(message) ?? [];
  if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || typed === undefined) return message;
  const known = Object.keys(allOptions()).map((name) => `--${name}`);
  return unknown('option', typed, known);
}

/** Those of all commands at once: which of them the command takes is looked at when it is known. */
function allOptions() {
  const own = Object.values(COMMANDS).flatMap(({ options = {} }) => Object.keys(options));
  return { ...Object.fromEntries(own.map((name) => [name, { type: 'string' } as const])), ...EVERYWHERE };
}

function texts(options: Readonly<Record<string, string | boolean | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));
}

/** What the command does not take, or lacks. */
function misfit(name: string, command: Command, operands: readonly string[], options: readonly string[]) {
  const { usage, least, most, choices } = command.operands ?? NO_OPERANDS;
  const stranger = options.find((option) => !Object.hasOwn(command.options ?? {}, option));
  if (stranger !== undefined) return `'${name}' takes no --${stranger}.`;
  if (operands.length < least) return `'${name}' needs ${usage}.`;
  if (operands.length > most) return `'${name}' takes ${usage}, not '${operands.slice(most).join(' ')}'.`;
  const words = choices?.() ?? operands;
  const odd = operands.find((operand) => !words.includes(operand));
  return odd === undefined ? undefined : `'${name}' takes ${usage}. ${unknown('argument', odd, words)}`;
}

const NO_OPERANDS: NonNullable<Command['operands']> = { usage: 'no argument', least: 0, most: 0 };
