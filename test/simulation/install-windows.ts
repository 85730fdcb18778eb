/**
 * INSTALL_WINDOW as a run may have it, and the model's own reading of it: what was posted outside is held against this and
 * not against the program's arithmetic.
 */
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SATURDAY = Date.UTC(2026, 10, 7);

export interface Window {
  /** The setting; empty: none. */
  readonly text: string;
  /** It opens each so often… */
  readonly everyMs: number;
  /** …this long after a Saturday's midnight, for so long. */
  readonly openings: readonly { readonly fromMs: number; readonly forMs: number }[];
}

export const ANY_TIME: Window = { text: '', everyMs: 0, openings: [] };

export const WINDOWS: readonly Window[] = [
  { text: '02:00-05:00', everyMs: DAY, openings: [{ fromMs: 2 * HOUR, forMs: 3 * HOUR }] },
  { text: '22:30-01:00', everyMs: DAY, openings: [{ fromMs: 22.5 * HOUR, forMs: 2.5 * HOUR }] },
  { text: 'Sat 01:00-06:00', everyMs: 7 * DAY, openings: [{ fromMs: HOUR, forMs: 5 * HOUR }] },
];

/** With so much to spare on both sides: a PUT takes its time. */
export function isWithin({ everyMs, openings }: Window, at: number, spareMs: number): boolean {
  if (everyMs === 0) return true;
  return openings.some(({ fromMs, forMs }) => {
    const since = (((at + spareMs - SATURDAY - fromMs) % everyMs) + everyMs) % everyMs;
    return since < forMs + 2 * spareMs;
  });
}
