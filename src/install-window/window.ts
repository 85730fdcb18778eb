/**
 * The hours in which the load balancer may be redeployed, as an operator writes them: `Sat,Sun 01:00-06:00`.
 *
 * Pure, and strict: what is mistaken is told with what would be right, as the end of a sentence that begins with the
 * variable's name.
 */
import { printable } from '../printable.ts';
import { type Offset, offsetOf } from './zone.ts';

/** Minutes since midnight, and past 24:00 where they end on the day after; on the weekdays (0 is Sunday) they begin on. */
export interface Hours {
  readonly days: readonly number[];
  readonly from: number;
  readonly until: number;
}

export interface InstallWindow {
  /** As it was set. */
  readonly text: string;
  readonly zone: string;
  readonly offset: Offset;
  readonly hours: readonly Hours[];
}

const EXAMPLE =
  "'02:00-05:00' or 'Mon-Fri 02:00-04:00; Sat,Sun 01:00-06:00 Europe/Berlin' (the time zone once, at the end; UTC without one)";
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const DAY_MINUTES = 24 * 60;
const LONGEST_QUOTE = 100;
const quoted = (text: string): string => `'${printable(text, LONGEST_QUOTE)}'`;

export function installWindow(text: string): InstallWindow {
  const { parts, zone } = withoutZone(tidied(text));
  if (zone.split(/[-,]/).every(isDay))
    throw new Error(`has ${quoted(zone)} after the hours; days stand before them, such as ${EXAMPLE}`);
  const offset = offsetOf(zone);
  if (offset === undefined) {
    throw new Error(
      `names the time zone ${quoted(zone)}, which is not known; write UTC, or a name of the IANA list such as Europe/Berlin (abbreviations mean several)`,
    );
  }
  return { text: text.trim(), zone, offset, hours: parts.flatMap(hoursOf) };
}

/** Blanks around commas and hyphens, and the long hyphens that word processors make, are no mistakes. */
function tidied(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/[–—]/g, '-')
    .replace(/ ?([,;]) ?/g, '$1')
    .replace(/ - ?|- /g, '-');
}

/** The last word is a time zone if it has no colon, as hours have; a final `;` is no part. */
function withoutZone(text: string): { parts: readonly string[]; zone: string } {
  const [, rest = text, zone = 'UTC'] = /^(.*[\s;])([^\s;:]+)$/s.exec(text) ?? [];
  return { parts: rest.replace(/;$/, '').split(';'), zone: zone.toUpperCase() === 'UTC' ? 'UTC' : zone };
}

function hoursOf(part: string): readonly Hours[] {
  const words = part.trim().split(/\s+/);
  const [days, hours] = words.length === 1 ? [undefined, words[0]] : words;
  if (hours === undefined || words.length > 2 || days?.includes(':'))
    throw new Error(`must be hours such as ${EXAMPLE}, not ${quoted(part)}`);
  const on = days === undefined ? EVERY_DAY : daysOf(days);
  return hours.split(',').map((one) => ({ days: on, ...spanOf(one) }));
}

/** `Mon-Fri`, `Sat,Sun`, and `Fri-Mon` over the end of the week. */
function daysOf(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const [first = -1, last = first, ...more] = part.split('-').map((word) => dayOf(word, part));
    if (more.length > 0) throw notADay(part);
    const count = ((last - first + 7) % 7) + 1;
    return Array.from({ length: count }, (_, n) => (first + n) % 7);
  });
}

function isDay(word: string): boolean {
  return numberOf(word) >= 0;
}

function numberOf(word: string): number {
  const name = word.toLowerCase();
  return DAYS.findIndex((day) => day === name || day.slice(0, 3) === name);
}

function dayOf(word: string, part: string): number {
  const found = numberOf(word);
  if (found < 0) throw notADay(part);
  return found;
}

function notADay(found: string): Error {
  return new Error(`has ${quoted(found)} where days such as Mon-Fri or Sat,Sun stand; write hours such as ${EXAMPLE}`);
}

function spanOf(text: string): { from: number; until: number } {
  const [, fromHour, fromMinute, untilHour, untilMinute] =
    /^(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)$/.exec(text)?.map(Number) ?? [];
  const from = minuteOf(fromHour, fromMinute);
  const until = minuteOf(untilHour, untilMinute);
  if (from === undefined || from === DAY_MINUTES || until === undefined)
    throw new Error(`has ${quoted(text)} where hours from 00:00 to 24:00 stand, such as ${EXAMPLE}`);
  if (from === until) throw new Error(`has ${quoted(text)}, which ends when it begins; a whole day is 00:00-24:00`);
  return { from, until: until < from ? until + DAY_MINUTES : until };
}

function minuteOf(hour = Number.NaN, minute = Number.NaN): number | undefined {
  const minutes = hour * 60 + minute;
  return minute < 60 && minutes <= DAY_MINUTES ? minutes : undefined;
}
