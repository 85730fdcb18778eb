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
