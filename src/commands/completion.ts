/**
 * `completion`: scripts for the shells, made from the table of commands. They hold words only and run nothing of ours, so
 * that a Tab costs nothing.
 */
import type { CommandOption, Commands, Run } from './command.ts';

const EVERYWHERE: Readonly<Record<string, string>> = {
  '--json': 'for scripts, where something is shown',
  '--help': 'more about the command',
};

/** What a shell has to know of one command. */
interface Words {
  readonly name: string;
  readonly summary: string;
  readonly choices: readonly string[];
  readonly options: Readonly<Record<string, CommandOption>>;
}

export function completionOf(commands: Commands): Run {
  return async ({ out }, { operands: [shell] }) => {
    const all = Object.entries(commands).map(([name, { summary, operands, options = {} }]): Words => {
      return { name, summary, choices: operands?.choices?.() ?? [], options };
    });
    out({ bash, zsh, fish }[shell as 'bash' | 'zsh' | 'fish'](all));
    return 0;
  };
}

/** What completes as a path, in zsh's words and in fish's. */
const PATHS = {
  DIR: { zsh: '_files -/', fish: "-a '(__fish_complete_directories)'" },
  FILE: { zsh: '_files', fish: "-a '(__fish_complete_path)'" },
};

function pathOf(value: string, shell: 'zsh' | 'fish'): string {
  return value === 'DIR' || value === 'FILE' ? PATHS[value][shell] : '';
}

/** Options whose value is a folder or a file complete as such; a bash without the package bash-completion has no more than this. */
function bash(all: readonly Words[]): string {
  const folders = optionsThatTake('DIR', all);
  const files = optionsThatTake('FILE', all);
  const cases = all.map(({ name, choices, options }) => {
    const words = [...choices, ...Object.keys(options).map((option) => `--${option}`), ...Object.keys(EVERYWHERE)];
    return `    ${name}) words='${words.join(' ')}' ;;`;
  });
  return `# bash completion for letsencrypt-dcos
_letsencrypt_dcos() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words word command=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) command="$word"; break ;; esac
  done
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    ${folders.join('|')}) COMPREPLY=($(compgen -d -- "$current")); return ;;
    ${files.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$command" in
    '') words='${all.map(({ name }) => name).join(' ')} --help --version' ;;
${cases.join('\n')}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _letsencrypt_dcos letsencrypt-dcos
`;
}

/** At least one does, of either kind. */
function optionsThatTake(value: keyof typeof PATHS, all: readonly Words[]): readonly string[] {
  const taking = all.flatMap(({ options }) => Object.keys(options).filter((name) => options[name]?.value === value));
  return [...new Set(taking)].map((name) => `--${name}`);
}

/** A file in $fpath is the function itself, at the first Tab as at all others; a script that is sourced only defines it. */
function zsh(all: readonly Words[]): string {
  const cases = all.map(({ name, choices, options }) => {
    const rows = Object.entries(options).map(([option, { value, summary }]) => {
      return quoted(`--${option}[${bare(summary)}]:${value}:${pathOf(value, 'zsh')}`);
    });
    const everywhere = Object.entries(EVERYWHERE).map(([option, summary]) => quoted(`${option}[${bare(summary)}]`));
    const operands = choices.length === 0 ? [] : [quoted(`1:argument:(${choices.join(' ')})`)];
    return `    ${name}) _arguments ${[...rows, ...everywhere, ...operands].join(' ')} ;;`;
  });
  return `#compdef letsencrypt-dcos
_letsencrypt_dcos() {
  local -a commands
  commands=(
${all.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(':', '\\:')}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [[ "\${funcstack[1]}" == _letsencrypt-dcos ]]; then
  _letsencrypt_dcos
else
  compdef _letsencrypt_dcos letsencrypt-dcos
fi
`;
}

function fish(all: readonly Words[]): string {
  const complete = 'complete -c letsencrypt-dcos';
  const lines = all.flatMap(({ name, summary, choices, options }) => {
    const behind = quoted(`__fish_seen_subcommand_from ${name}`);
    return [
      `${complete} -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...choices.map((choice) => `${complete} -n ${behind} -a ${choice}`),
      ...Object.entries(options).map(([option, { value, summary: meaning }]) => {
        const takes = pathOf(value, 'fish');
        return `${complete} -n ${behind} -l ${option} -x ${takes} -d ${quoted(meaning)}`.replace('  ', ' ');
      }),
    ];
  });
  const everywhere = Object.entries(EVERYWHERE).map(
    ([option, meaning]) => `${complete} -l ${option.slice(2)} -d ${quoted(meaning)}`,
  );
  return `# fish completion for letsencrypt-dcos\n${[`${complete} -f`, ...everywhere, ...lines].join('\n')}\n`;
}

/** For a shell: within single quotes nothing means anything; all three understand a quote told this way. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What zsh's _arguments would take for its own. */
function bare(text: string): string {
  return text.replace(/[[\]:]/g, ' ');
}
