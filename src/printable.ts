/**
 * Text from anywhere, made fit for a log, a terminal and a page: what a label, a setting or a server's answer held is
 * quoted to operators, and an escape sequence in it must not paint over the sentence, nor a megabyte of it bury it.
 */

const LINE_BREAKS = /[\t\r\n]+/g;
/** Control and format characters that turn or break lines; halves of a character. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** One line of at most `longest` characters, the last one `…` where something was cut off. */
export function printable(text: string, longest: number): string {
  // Cut first, so that little is searched; one more, to see that there was more.
  const plain = text
    .slice(0, longest + 1)
    .replace(LINE_BREAKS, ' ')
    .replace(UNPRINTABLE, '?');
  if (text.length <= longest) return plain;
  const kept = plain.slice(0, longest - 1);
  return `${kept.isWellFormed() ? kept : kept.slice(0, -1)}…`;
}

/** What commands write themselves: lines, colours (terminal/style.ts), and a line begun anew or erased (progress.ts). */
const OURS = String.raw`^\r(?:\x1b\[2K)?|\x1b\[(?:[012]|3[12369])m|[\n\t]`;
const ALL = new RegExp(`(${OURS})|${UNPRINTABLE.source}`, 'gu');

/** The last door before a terminal: whatever a cluster's names and words hold, none of it steers what is seen. */
export function harmless(output: string): string {
  return output.replace(ALL, (_found, ours?: string) => ours ?? '?');
}
