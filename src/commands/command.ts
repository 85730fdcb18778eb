/**
 * What a command is to the command line: a function from what it was given to an exit code.
 *
 * A command is a file of this folder, loaded only when it is asked for: `--help` and `config` need no HTTP client, no
 * server and no forge, and the keeper listens the sooner the less is loaded before.
 */
import type { Environment } from '../config.ts';

/** What is there to work with: the process's environment, its ending and its two streams. */
export interface Context {
  readonly env: Environment;
  /** Aborts when the process is asked to end. */
  readonly signal: AbortSignal;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly terminal: Terminal;
}

/** Where the output goes: progress is for people, and so are colours, unless NO_COLOR is set. */
export interface Terminal {
  /** Standard output is a terminal. */
  readonly out: boolean;
  /** Standard error is a terminal. */
  readonly err: boolean;
  /** Its width in characters. */
  readonly columns: number;
}

/** What stood behind the command's name. */
export interface Given {
  readonly operands: readonly string[];
  /** JSON was asked for. */
  readonly json: boolean;
  /** By name without dashes. */
  readonly options: Readonly<Record<string, string | undefined>>;
}

/** Resolves to the exit code: 0 done, 1 not done (the reason was told), 2 a mistake in settings or arguments. */
export type Run = (context: Context, given: Given) => Promise<number>;

/** A row of the table of commands, from which arguments are understood, --help is made, and shells complete. */
export interface Command {
  readonly summary: string;
  /** What --help says of it besides, line by line. */
  readonly more?: readonly string[];
  /** What stands behind its name, as --help shows it, how many of it, and which there are if they are known. */
  readonly operands?: {
    readonly usage: string;
    readonly least: number;
    readonly most: number;
    readonly choices?: () => readonly string[];
  };
  /** Options with a value, besides those that all commands have: the value's name and what it means. */
  readonly options?: Readonly<Record<string, CommandOption>>;
  readonly load: () => Promise<Run>;
}

export interface CommandOption {
  readonly value: string;
  readonly summary: string;
}

export type Commands = Readonly<Record<string, Command>>;
