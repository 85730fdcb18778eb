/**
 * What the clock on the wall shows in a time zone, by the database that comes with Node's Intl.
 *
 * An offset is what has to be added to an instant so that its UTC fields read as that clock.
 */
const MINUTE = 60_000;

/** Of an instant in milliseconds, to milliseconds. */
export type Offset = (at: number) => number;

/** Undefined: there is no such zone. Of the others Intl knows too, CST or IST are read as one of several that are meant. */
export function offsetOf(zone: string): Offset | undefined {
  if (zone === 'UTC') return () => 0;
  if (!zone.includes('/')) return undefined;
  try {
    return offsetBy(formatFor(zone));
  } catch {
    return undefined;
  }
}

function formatFor(timeZone: string): Intl.DateTimeFormat {
  const field = 'numeric';
  return new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23' },
    ...{ year: field, month: field, day: field, hour: field, minute: field },
  });
}

function offsetBy(format: Intl.DateTimeFormat): Offset {
  return (at) => {
    const minute = Math.floor(at / MINUTE) * MINUTE;
    const parts = new Map(format.formatToParts(minute).map(({ type, value }) => [type, Number(value)]));
    const [year = 0, month = 1, ...rest] = (['year', 'month', 'day', 'hour', 'minute'] as const).map((type) =>
      parts.get(type),
    );
    return Date.UTC(year, month - 1, ...rest.map((value) => value ?? 0)) - minute;
  };
}
