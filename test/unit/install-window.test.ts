/** The install window's arithmetic: what an operator writes, and when it is open by the clock on the wall. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isOpen, nextOpening, openingAsText } from '../../src/install-window/opening.ts';
import { installWindow } from '../../src/install-window/window.ts';

// 2026-11-22 is a Sunday. Berlin sets its clocks on 29 March (02:00 to 03:00) and 25 October (03:00 to 02:00) of 2026.
const rows: readonly { name: string; window: string; at: string; opens: string; closes: string; says: string }[] = [
  {
    name: 'daily hours, before them: today',
    ...{ window: '02:00-05:00', at: '2026-11-22T01:30:00Z' },
    ...{ opens: '2026-11-22T02:00:00Z', closes: '2026-11-22T05:00:00Z', says: 'Sun 22 Nov 02:00–05:00 UTC' },
  },
  {
    name: 'in them: now',
    ...{ window: '02:00-05:00', at: '2026-11-22T02:00:00Z' },
    ...{ opens: '2026-11-22T02:00:00Z', closes: '2026-11-22T05:00:00Z', says: 'Sun 22 Nov 02:00–05:00 UTC' },
  },
  {
    name: 'in their last second: now',
    ...{ window: '02:00-05:00', at: '2026-11-22T04:59:59Z' },
    ...{ opens: '2026-11-22T04:59:59Z', closes: '2026-11-22T05:00:00Z', says: 'Sun 22 Nov 04:59–05:00 UTC' },
  },
  {
    name: 'at their end: tomorrow',
    ...{ window: '02:00-05:00', at: '2026-11-22T05:00:00Z' },
    ...{ opens: '2026-11-23T02:00:00Z', closes: '2026-11-23T05:00:00Z', says: 'Mon 23 Nov 02:00–05:00 UTC' },
  },
  {
    name: 'weekends, on a Monday: Saturday',
    ...{ window: 'Sat,Sun 01:00-06:00', at: '2026-11-23T12:00:00Z' },
    ...{ opens: '2026-11-28T01:00:00Z', closes: '2026-11-28T06:00:00Z', says: 'Sat 28 Nov 01:00–06:00 UTC' },
  },
  {
    name: 'several hours with other days: the first that comes',
    ...{ window: 'Mon-Fri 22:30-23:00; sat, sunday 1:00 – 6:00,13:00-14:00', at: '2026-11-22T06:00:00Z' },
    ...{ opens: '2026-11-22T13:00:00Z', closes: '2026-11-22T14:00:00Z', says: 'Sun 22 Nov 13:00–14:00 UTC' },
  },
  {
    name: 'over midnight, on the day after: open, for it began the day before',
    ...{ window: 'Sat 22:00-04:00', at: '2026-11-22T03:00:00Z' },
    ...{ opens: '2026-11-22T03:00:00Z', closes: '2026-11-22T04:00:00Z', says: 'Sun 22 Nov 03:00–04:00 UTC' },
  },
  {
    name: 'over midnight, told with both days',
    ...{ window: 'Fri 22:00-04:00', at: '2026-11-22T03:00:00Z' },
    opens: '2026-11-27T22:00:00Z',
    ...{ closes: '2026-11-28T04:00:00Z', says: 'Fri 27 Nov 22:00 – Sat 28 Nov 04:00 UTC' },
  },
  {
    name: 'days over the end of the week, whole ones, are one window',
    ...{ window: 'Fri-Mon 00:00-24:00', at: '2026-11-24T00:00:00Z' },
    opens: '2026-11-27T00:00:00Z',
    ...{ closes: '2026-12-01T00:00:00Z', says: 'Fri 27 Nov 00:00 – Mon 30 Nov 24:00 UTC' },
  },
  {
    name: 'until midnight is told as 24:00',
    ...{ window: '23:00-00:00', at: '2026-11-22T12:00:00Z' },
    ...{ opens: '2026-11-22T23:00:00Z', closes: '2026-11-23T00:00:00Z', says: 'Sun 22 Nov 23:00–24:00 UTC' },
  },
  {
    name: 'another time zone, in winter',
    ...{ window: '02:00-05:00 Europe/Berlin', at: '2026-11-22T00:30:00Z' },
    ...{ opens: '2026-11-22T01:00:00Z', closes: '2026-11-22T04:00:00Z', says: 'Sun 22 Nov 02:00–05:00 Europe/Berlin' },
  },
  {
    name: 'and in summer',
    ...{ window: '02:00-05:00 europe/berlin', at: '2026-07-01T23:30:00Z' },
    ...{ opens: '2026-07-02T00:00:00Z', closes: '2026-07-02T03:00:00Z', says: 'Thu 02 Jul 02:00–05:00 europe/berlin' },
  },
  {
    name: 'a zone whose day is another one than in UTC',
    ...{ window: 'Mon 06:00-07:00 Pacific/Auckland', at: '2026-11-22T12:00:00Z' },
    opens: '2026-11-22T17:00:00Z',
    ...{ closes: '2026-11-22T18:00:00Z', says: 'Mon 23 Nov 06:00–07:00 Pacific/Auckland' },
  },
  {
    name: 'an hour that the clock skips in spring: the day after',
    ...{ window: '02:00-03:00 Europe/Berlin', at: '2026-03-29T00:00:00Z' },
    ...{ opens: '2026-03-30T00:00:00Z', closes: '2026-03-30T01:00:00Z', says: 'Mon 30 Mar 02:00–03:00 Europe/Berlin' },
  },
  {
    name: 'the same of Sundays only: a week later',
    ...{ window: 'Sun 02:00-03:00 Europe/Berlin', at: '2026-03-29T00:00:00Z' },
    ...{ opens: '2026-04-05T00:00:00Z', closes: '2026-04-05T01:00:00Z', says: 'Sun 05 Apr 02:00–03:00 Europe/Berlin' },
  },
  {
    name: 'of hours that begin in the skipped one, what is left of them',
    ...{ window: '02:30-04:00 Europe/Berlin', at: '2026-03-28T12:00:00Z' },
    ...{ opens: '2026-03-29T01:00:00Z', closes: '2026-03-29T02:00:00Z', says: 'Sun 29 Mar 03:00–04:00 Europe/Berlin' },
  },
  {
    name: 'hours that end where the clock jumps are told as they were written',
    ...{ window: '01:00-02:00 Europe/Berlin', at: '2026-03-28T12:00:00Z' },
    ...{ opens: '2026-03-29T00:00:00Z', closes: '2026-03-29T01:00:00Z', says: 'Sun 29 Mar 01:00–02:00 Europe/Berlin' },
  },
  {
    name: 'over midnight into the night of spring: an hour shorter',
    ...{ window: 'Sat 22:00-04:00 Europe/Berlin', at: '2026-03-28T12:00:00Z' },
    opens: '2026-03-28T21:00:00Z',
    ...{ closes: '2026-03-29T02:00:00Z', says: 'Sat 28 Mar 22:00 – Sun 29 Mar 04:00 Europe/Berlin' },
  },
  {
    name: 'an hour that comes twice in autumn is open both times: two hours',
    ...{ window: '02:00-03:00 Europe/Berlin', at: '2026-10-24T12:00:00Z' },
    ...{ opens: '2026-10-25T00:00:00Z', closes: '2026-10-25T02:00:00Z', says: 'Sun 25 Oct 02:00–03:00 Europe/Berlin' },
  },
  {
    name: 'half of it: the second time after a gap',
    ...{ window: '01:00-02:30 Europe/Berlin', at: '2026-10-25T00:30:00Z' },
    ...{ opens: '2026-10-25T01:00:00Z', closes: '2026-10-25T01:30:00Z', says: 'Sun 25 Oct 02:00–02:30 Europe/Berlin' },
  },
  {
    name: 'clocks that are set by half an hour',
    ...{ window: '01:45-02:15 Australia/Lord_Howe', at: '2026-10-03T12:00:00Z' },
    opens: '2026-10-03T15:15:00Z',
    ...{ closes: '2026-10-03T15:30:00Z', says: 'Sun 04 Oct 01:45–02:00 Australia/Lord_Howe' },
  },
];
for (const { name, window: text, at, opens, closes, says } of rows) {
  test(`INSTALL_WINDOW: ${name}`, () => {
    const window = installWindow(text);
    const opening = nextOpening(window, new Date(at));
    assert.deepEqual([opening.opens, opening.closes], [new Date(opens), new Date(closes)]);
    assert.equal(openingAsText(window, opening), says);
  });
}

test('INSTALL_WINDOW: whole days, all of them, are open and stay open', () => {
  const at = new Date('2026-11-22T12:00:00Z');
  for (const text of ['00:00-24:00', '22:00-12:00; 11:59-22:00', 'Mon-Sun 00:00-24:00 Europe/Berlin'])
    assert.deepEqual(nextOpening(installWindow(text), at), { opens: at, closes: undefined }, text);
});

const HOURS = /where hours from 00:00 to 24:00 stand, such as '02:00-05:00'/;
const DAYS = /where days such as Mon-Fri or Sat,Sun stand/;
const ZONE = /names the time zone .* not known; write UTC, or a name of the IANA list such as Europe\/Berlin/;
const WHOLE = /^must be hours such as '02:00-05:00' or .* not '/;
const mistakes: readonly (readonly [string, RegExp])[] = [
  ['at night', ZONE],
  ['nightly', HOURS],
  ['02:00', HOURS],
  ['02-05', HOURS],
  ['25:00-26:00', HOURS],
  ['02:60-03:00', HOURS],
  ['24:00-02:00', HOURS],
  ['02:00-24:01', HOURS],
  ['-02:00-03:00', HOURS],
  ['02:00-05:00-06:00', HOURS],
  ['2am-5am UTC', HOURS],
  ['02:00-02:00', /'02:00-02:00', which ends when it begins; a whole day is 00:00-24:00/],
  ['Foo 02:00-05:00', DAYS],
  ['Mon-Fri-Sun 02:00-05:00', DAYS],
  ['Mon- 02:00-05:00', /Mon-02:00-05:00/],
  ['02:00-05:00 Sat,Sun', /'Sat,Sun' after the hours; days stand before them, such as/],
  ['02:00-05:00 Mon - Fri', /'Mon-Fri' after the hours/],
  [`02:00-05:00${' '.repeat(100_000)}${'x'.repeat(100_000)} nowhere`, ZONE],
  ['Mon 02:00-05:00 CET', ZONE],
  ['02:00-05:00 Mars/Olympus', ZONE],
  ['02:00-05:00 +02:00', WHOLE],
  ['02:00-05:00 Europe/Berlin; Sat 01:00-02:00', WHOLE],
  ['02:00-05:00;;03:00-04:00', HOURS],
  [';', HOURS],
  ['UTC', HOURS],
  ['Europe/Berlin', HOURS],
  [`${'9'.repeat(200)}`, /'9{99}…'|'9{1,100}…?'/],
];
for (const [text, says] of mistakes) {
  test(`INSTALL_WINDOW: ${text.slice(0, 50)} is told as a mistake`, () => {
    assert.throws(() => installWindow(text), { message: says });
  });
}

const DAY_NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Casablanca',
];
const clock = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
const part = fc.record({
  days: fc.subarray(DAY_NAMES, { minLength: 1 }),
  from: clock,
  until: clock,
});
type Part = typeof part extends fc.Arbitrary<infer T> ? T : never;
const two = (n: number): string => String(n).padStart(2, '0');
const time = ([hour, minute]: [number, number]): string => `${two(hour)}:${two(minute)}`;

/** By the words of Intl, and without any of the arithmetic: what the clock shows, and whether that is in the hours. */
function isShown(parts: readonly Part[], zone: string, at: Date): boolean {
  const shown = new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  }).format(at);
  const [day = '', now = ''] = shown.split(/,? /);
  const yesterday = DAY_NAMES[(DAY_NAMES.indexOf(day) + 6) % 7] ?? '';
  return parts.some(({ days, from, until }) => {
    const [begins, ends] = [time(from), time(until)];
    if (begins < ends) return days.includes(day) && now >= begins && now < ends;
    return (days.includes(day) && now >= begins) || (days.includes(yesterday) && now < ends);
  });
}

test('whatever the window, the zone and the moment: the next opening is in the window, not before, and none is passed over', () => {
  const moments = fc.date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true });
  const parts = fc
    .array(part, { minLength: 1, maxLength: 3 })
    .filter((all) => all.every(({ from, until }) => time(from) !== time(until)));
  const property = fc.property(
    parts,
    fc.constantFrom(...ZONES),
    moments,
    fc.double({ min: 0, max: 1, noNaN: true }),
    (all, zone, at, share) => {
      const text = `${all.map(({ days, from, until }) => `${days.join(',')} ${time(from)}-${time(until)}`).join('; ')} ${zone}`;
      const window = installWindow(text);
      const { opens, closes } = nextOpening(window, at);
      assert.ok(opens >= at && (closes === undefined || closes > opens), text);
      assert.ok(isShown(all, zone, opens) && isOpen(window, opens), `${text}: shut at ${opens.toISOString()}`);
      const between = new Date(at.getTime() + (opens.getTime() - at.getTime()) * share * 0.999_999);
      assert.equal(isShown(all, zone, between), opens.getTime() === at.getTime(), `${text}: ${between.toISOString()}`);
      assert.ok(closes === undefined || !isShown(all, zone, closes), `${text}: open at ${closes?.toISOString()}`);
    },
  );
  fc.assert(property, { numRuns: 300, seed: 1 });
});
