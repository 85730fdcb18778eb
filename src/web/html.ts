/**
 * HTML with escaping by construction: what is put into the template is text, and is escaped and masked, unless it came
 * out of this template itself.
 *
 * There is no way to say "this string is HTML already". Attributes are always written in double quotes.
 */
import { maskForOperator } from '../mask.ts';

/** Finished markup; only `html` makes it. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static of(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
    return new Html(strings.reduce((text, string, index) => text + render(parts[index - 1]) + string));
  }

  toString(): string {
    return this.#text;
  }
}

/** Nothing (undefined, null, false) is nothing; a list is one after the other. */
export type Part = Html | string | number | undefined | null | false | readonly Part[];

export const html = Html.of;

function render(part: Part): string {
  if (part === undefined || part === null || part === false) return '';
  if (part instanceof Html) return part.toString();
  if (typeof part === 'object') return part.map(render).join('');
  return escaped(maskForOperator(String(part)));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What no parser takes, or what turns the direction of the text around it, is shown as what it is: a mistake. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (one) => ENTITIES[one] ?? '')
    .replace(/(?![\t\n\r])[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
