/**
 * How something is shown where it is shown: with colours and at a width on a terminal, plainly in a pipe or a file.
 *
 * A colour never stands alone: each mark has a shape and a word beside it. NO_COLOR as no-color.org has it. Signs beyond
 * ASCII only where the locale says UTF-8 (POSIX: LC_ALL before LC_CTYPE before LANG), which in a container it often does not.
 */
import { INSTANT, relative, type Tone } from '../words.ts';

export interface Style {
  /** Infinity where nobody looks at it in a window: then lines are whole, for grep. */
  readonly columns: number;
  readonly isUnicode: boolean;
  paint(text: string, colour: Tone | 'bold' | 'dim'): string;
  /** One character. */
  mark(tone: Tone): string;
}

const COLOURS: Readonly<Record<Tone | 'bold' | 'dim', string>> = {
  good: '32',
  busy: '36',
  warn: '33',
  bad: '31',
  plain: '39',
  bold: '1',
  dim: '2',
};
const MARKS: Readonly<Record<Tone, readonly [unicode: string, ascii: string]>> = {
  good: ['✓', '+'],
  busy: ['…', '~'],
  warn: ['!', '!'],
  bad: ['✗', 'x'],
  plain: ['?', '?'],
};
/** Below it, nothing can be laid out; a terminal that is narrower breaks the lines itself. */
const NARROWEST = 20;

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: { readonly out: boolean; readonly columns: number };
}

export function styleOf({ env, terminal }: Surroundings): Style {
  const isPainted = terminal.out && !env.NO_COLOR && env.TERM !== 'dumb';
  const isUnicode = /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
  return {
    columns: terminal.out ? Math.max(terminal.columns, NARROWEST) : Number.POSITIVE_INFINITY,
    isUnicode,
    paint: (text, colour) => (isPainted && text !== '' ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text),
    mark: (tone) => MARKS[tone][isUnicode ? 0 : 1],
  };
}

/** "2026-11-22 18:26 UTC (in 3 days)" */
export function timeAsText(at: Date, now: Date): string {
  if (Number.isNaN(at.getTime())) return 'an unknown time';
  return `${at.toISOString().replace('T', ' ').slice(0, 16)} UTC (${relative(at, now)})`;
}

/** A sentence of ours with its instants as people write them. */
export function sentence(text: string, now: Date): string {
  return text.replaceAll(new RegExp(INSTANT, 'g'), (instant) => timeAsText(new Date(instant), now));
}
