/** Marks and times of the status page, in its markup; the words themselves are in words.ts. */
import { absolute, INSTANT, relative, type Tone } from '../words.ts';
import { type Html, html } from './html.ts';

const MARKS: Readonly<Record<Tone, string>> = { good: '✓', busy: '…', warn: '!', bad: '✕', plain: '–' };

/** A word with a colour, and a sign for those who do not see it. */
export function badge(tone: Tone, word: string): Html {
  return html`<span class="badge ${tone}"><span aria-hidden="true">${MARKS[tone]}</span> ${word}</span>`;
}

export function time(at: Date, now: Date): Html {
  const iso = Number.isNaN(at.getTime()) ? undefined : at.toISOString();
  if (iso === undefined) return html`an unknown time`;
  return html`<time datetime="${iso}">${absolute(at, now)}</time> <span class="ago">(${relative(at, now)})</span>`;
}

/** Instants as our sentences write them, and links. */
const SPECIAL = new RegExp(`(${INSTANT.source}|https?://[^\\s"'<>]+[^\\s"'<>.,;:)\\]])`);

/** A sentence of the plan, with its times made readable and its links to follow. */
export function sentence(text: string, now: Date): Html {
  const parts = text.split(SPECIAL).map((part, index) => {
    if (index % 2 === 0) return part;
    if (!part.startsWith('http')) return time(new Date(part), now);
    return html`<a href="${part}" rel="noreferrer noopener">${part}</a>`;
  });
  return html`${parts}`;
}
