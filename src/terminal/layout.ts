/**
 * Lines for a window of some width: text broken between words, columns beside each other, headings.
 *
 * Colours are no width. A word that is longer than the line (a fingerprint, an address) stays whole, so that it can be copied.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Style } from './style.ts';

export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** Broken so that no line is wider, as far as words allow. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || widthOf(longer) <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** Where a text hangs on something narrow it needs this much beside it, else it goes below. */
const LEAST_BESIDE = 24;
const INDENT = 4;

/** `lead` and, beside it, a text whose further lines begin where the first one does; where that is too narrow, below it. */
export function hanging(lead: string, text: string, { columns }: Pick<Style, 'columns'>): string {
  const at = widthOf(lead);
  if (text === '') return `${lead.trimEnd()}\n`;
  if (columns - at >= Math.min(LEAST_BESIDE, widthOf(text))) {
    const [first = '', ...rest] = wrapped(text, columns - at);
    return [lead + first, ...rest.map((line) => ' '.repeat(at) + line)].map((line) => `${line.trimEnd()}\n`).join('');
  }
  const below = wrapped(text, columns - INDENT).map((line) => `${' '.repeat(INDENT)}${line}\n`);
  return `${lead.trimEnd()}\n${below.join('')}`;
}

/** Nothing where there is nothing below it. */
export function section(title: string, body: string, { paint }: Pick<Style, 'paint'>): string {
  return body === '' ? '' : `\n${paint(title, 'bold')}\n${body}`;
}
