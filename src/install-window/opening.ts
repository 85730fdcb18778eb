/**
 * When a window is open, and when it opens next.
 *
 * Pure. What counts is the clock on the wall: an hour that it skips in spring is in no window, and one that it shows twice
 * in autumn is in it twice. So time is cut where the zone's offset changes, and between the cuts it is plain arithmetic.
 */
import type { Hours, InstallWindow } from './window.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Hours of one weekday that the clock skips come a week later; twice in a row no zone skips them. */
const DAYS_AHEAD = 22;

export interface Opening {
  /** The moment that was asked about, if it is open then. */
  readonly opens: Date;
  /** Undefined: it stays open. */
  readonly closes: Date | undefined;
}

interface Span {
  readonly from: number;
  readonly until: number;
}

/** The opening of that moment or, if it is closed then, the next one. */
export function nextOpening(window: InstallWindow, at: Date): Opening {
  const now = at.getTime();
  const ahead = {
    from: Math.floor(now / MINUTE) * MINUTE,
    until: Math.floor(now / MINUTE) * MINUTE + DAYS_AHEAD * DAY,
  };
  const open = cuts(window, ahead).flatMap((span) => openIn(window, span));
  const [next] = merged(open).filter(({ until }) => until > now);
  // With none in three weeks, which no zone has, nothing is held back for ever.
  if (next === undefined) return { opens: at, closes: undefined };
  return {
    opens: new Date(Math.max(next.from, now)),
    closes: next.until < ahead.until ? new Date(next.until) : undefined,
  };
}

export function isOpen(window: InstallWindow, at: Date): boolean {
  return nextOpening(window, at).opens.getTime() === at.getTime();
}

/** Spans in which the zone keeps its offset. */
function cuts({ offset }: InstallWindow, { from, until }: Span): readonly Span[] {
  const spans: Span[] = [];
  let begin = from;
  for (let day = from; day < until; day += DAY) {
    if (offset(day) === offset(day + DAY)) continue;
    const change = changeIn(offset, day, day + DAY);
    spans.push({ from: begin, until: change });
    begin = change;
  }
  return [...spans, { from: begin, until }];
}

/** The first minute with the later offset, by halving. */
function changeIn(offset: InstallWindow['offset'], before: number, after: number): number {
  if (after - before <= MINUTE) return after;
  const middle = before + Math.floor((after - before) / 2 / MINUTE) * MINUTE;
  return offset(middle) === offset(before) ? changeIn(offset, middle, after) : changeIn(offset, before, middle);
}

function openIn({ hours, offset }: InstallWindow, span: Span): readonly Span[] {
  const ahead = offset(span.from);
  // From the day before: its hours may end on this one.
  const first = Math.floor((span.from + ahead) / DAY) - 1;
  const last = Math.floor((span.until + ahead) / DAY);
  const days = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  return days.flatMap((day) =>
    hours
      .filter((one) => one.days.includes(weekdayOf(day)))
      .map((one) => within(span, onDay(one, day * DAY - ahead)))
      .filter(({ from, until }) => from < until),
  );
}

/** Days are counted from 1 January 1970, a Thursday. */
function weekdayOf(day: number): number {
  return (day + 4) % 7;
}

function onDay({ from, until }: Hours, midnight: number): Span {
  return { from: midnight + from * MINUTE, until: midnight + until * MINUTE };
}

function within(span: Span, { from, until }: Span): Span {
  return { from: Math.max(from, span.from), until: Math.min(until, span.until) };
}

/** Those that overlap or touch are one. */
function merged(spans: readonly Span[]): readonly Span[] {
  const sorted = [...spans].sort((one, other) => one.from - other.from);
  const result: Span[] = [];
  for (const span of sorted) {
    const last = result.at(-1);
    if (last === undefined || span.from > last.until) result.push(span);
    else result[result.length - 1] = { from: last.from, until: Math.max(last.until, span.until) };
  }
  return result;
}

/** "Sat 28 Nov 02:00–05:00 UTC", "Fri 27 Nov 22:00 – Sat 28 Nov 04:00 Europe/Berlin". */
export function openingAsText({ zone, offset }: InstallWindow, { opens, closes }: Opening): string {
  const begin = wordsOf(opens.getTime() + offset(opens.getTime()));
  if (closes === undefined) return `from ${begin.day} ${begin.time} ${zone}`;
  // By the offset of its last minute: where the clock is set at its end, that is what the operator wrote.
  const end = closes.getTime() + offset(closes.getTime() - MINUTE);
  const last = wordsOf(end - MINUTE);
  const endTime = end % DAY === 0 ? '24:00' : wordsOf(end).time;
  const until = begin.day === last.day ? `–${endTime}` : ` – ${last.day} ${endTime}`;
  return `${begin.day} ${begin.time}${until} ${zone}`;
}

/** Of one that is open: "open until Sat 28 Nov 05:00 UTC". */
export function closingAsText({ zone, offset }: InstallWindow, { closes }: Opening): string {
  if (closes === undefined) return 'open, and stays open';
  const { day, time } = wordsOf(closes.getTime() + offset(closes.getTime()));
  return `open until ${day} ${time} ${zone}`;
}

/** As if the clock on the wall showed UTC. */
function wordsOf(wall: number): { day: string; time: string } {
  const [weekday, day, month, , time = ''] = new Date(wall).toUTCString().split(/,? /);
  return { day: `${weekday} ${day} ${month}`, time: time.slice(0, 5) };
}
