/** --help: the commands with what they take, the exit codes, the settings; made from the tables, so that nothing is missing. */
import { SETTINGS } from '../config.ts';
import { VERSION } from '../version.ts';
import type { Commands } from './command.ts';

/** The same for all commands, now and later: scripts go by them. */
const EXIT_CODES = [
  'Exit codes:',
  '  0  done. status: it is live, or the folder has a good certificate. doctor: nothing is wrong',
  '  1  not done, and the reason was told. status: not live. doctor: something is wrong',
  '  2  mistaken settings or arguments',
  '  3  status: no instance answers',
];

/** All there is to know for a start; settings are told by name, their meaning stands in the README. */
export function help(commands: Commands): string {
  const settings = SETTINGS.map(({ name, default: fallback }) => `  ${name.padEnd(32)} ${fallback}`.trimEnd());
  return [
    `letsencrypt-dcos ${VERSION}: keeps the certificates of marathon-lb alive.`,
    '',
    'Usage: letsencrypt-dcos [command] [--json]',
    '',
    ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`),
    '',
    '      --json     for scripts, where something is shown',
    '  -h, --help     this text; behind a command, more about it',
    '  -v, --version  the release',
    '',
    ...EXIT_CODES,
    '',
    'Colours on a terminal only, and never where NO_COLOR is set.',
    '',
    'Settings, from the environment, and their defaults:',
    '',
    ...settings,
    '',
  ].join('\n');
}

export function helpOn(commands: Commands, name: string): string {
  const { summary, operands, options = {}, more = [] } = commands[name] ?? { summary: '' };
  const usage = [name, operands?.usage, ...Object.entries(options).map(([of, { value }]) => `[--${of} ${value}]`)];
  return [
    `Usage: letsencrypt-dcos ${usage.filter((part) => part !== undefined).join(' ')} [--json]`,
    '',
    `  ${summary}`,
    '',
    ...Object.entries(options).map(([of, { value, summary }]) => `  --${`${of} ${value}`.padEnd(16)} ${summary}`),
    ...(Object.keys(options).length > 0 ? [''] : []),
    ...more,
    ...(more.length > 0 ? [''] : []),
    ...EXIT_CODES,
    '',
  ].join('\n');
}
