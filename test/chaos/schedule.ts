/**
 * Which fault comes when, for how long and to whom: all of it from one seed.
 *
 * Pure. The schedule is reproducible; what it meets is not, for the processes are real and take the time they take.
 */

/** Where a fault sits: no two of them are in one place at a time, or neither could be told from the other. */
export type Place = 'sidecar' | 'ca' | 'load balancer' | 'marathon' | 'operator';

export interface Kind {
  readonly place: Place;
  /** Seconds, from and to. Those that are over in a moment have none. */
  readonly lasts: readonly [number, number];
}

const MOMENT = [0, 0] as const;

export const KINDS = {
  'sidecar killed': { place: 'sidecar', lasts: MOMENT },
  'sidecar killed, its folder lost': { place: 'sidecar', lasts: MOMENT },
  'sidecar told to end': { place: 'sidecar', lasts: MOMENT },
  'sidecar frozen': { place: 'sidecar', lasts: [1, 4] },
  'two sidecars': { place: 'sidecar', lasts: [5, 10] },
  'a name added or taken away': { place: 'sidecar', lasts: MOMENT },
  'Pebble killed': { place: 'ca', lasts: [0.5, 5] },
  'CA: connections dropped': { place: 'ca', lasts: [1, 5] },
  'CA: replies lost': { place: 'ca', lasts: [1, 4] },
  'CA: replies cut': { place: 'ca', lasts: [1, 4] },
  'CA: slow': { place: 'ca', lasts: [2, 6] },
  'CA: hangs': { place: 'ca', lasts: [2, 6] },
  'HAProxy killed': { place: 'load balancer', lasts: MOMENT },
  'all HAProxys killed': { place: 'load balancer', lasts: MOMENT },
  'HAProxy frozen': { place: 'load balancer', lasts: [1, 6] },
  'Marathon: connections dropped': { place: 'marathon', lasts: [1, 5] },
  'Marathon: replies lost': { place: 'marathon', lasts: [1, 4] },
  'Marathon: replies cut': { place: 'marathon', lasts: [1, 4] },
  'Marathon: slow': { place: 'marathon', lasts: [2, 6] },
  'Marathon: hangs': { place: 'marathon', lasts: [2, 6] },
  'Marathon: 503': { place: 'marathon', lasts: MOMENT },
  'Marathon: another leader': { place: 'marathon', lasts: MOMENT },
  'Marathon: event streams cut': { place: 'marathon', lasts: MOMENT },
  'a variable set by others': { place: 'operator', lasts: MOMENT },
} as const satisfies Readonly<Record<string, Kind>>;

export type KindName = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as readonly KindName[];

export interface Fault {
  readonly n: number;
  readonly kind: KindName;
  readonly atMs: number;
  readonly lastsMs: number;
  /** It waits for the next order, for `AIM_MS` at the most, and strikes in the middle of it. */
  readonly aimed: boolean;
  /** From 0 to 1: which of several. */
  readonly lot: number;
}

/** Orders are rare and short: most faults would miss them. */
export const AIM_MS = 6_000;
const AIMED = 0.4;

export interface Weather {
  readonly seed: number;
  readonly minutes: number;
  /** Faults come for so long, then none does for so long; the pauses between two faults. */
  readonly stormMs: number;
  readonly calmMs: number;
  readonly gapMs: readonly [number, number];
}

export function schedule({ seed, minutes, stormMs, calmMs, gapMs }: Weather): readonly Fault[] {
  const random = mulberry32(seed);
  const between = ([from, to]: readonly [number, number]): number => from + (to - from) * random();
  const busyUntil = new Map<Place, number>();
  const faults: Fault[] = [];
  let bag: KindName[] = [];
  for (let atMs = between(gapMs); atMs < minutes * 60_000; atMs += between(gapMs)) {
    if (atMs % (stormMs + calmMs) > stormMs) continue;
    // Drawn from a bag without putting back: every kind comes before any comes again.
    if (bag.length === 0) bag = shuffled(KIND_NAMES, random);
    const index = bag.findIndex((name) => (busyUntil.get(KINDS[name].place) ?? 0) <= atMs);
    const [kind] = index < 0 ? [] : bag.splice(index, 1);
    if (kind === undefined) continue;
    const { place, lasts } = KINDS[kind];
    const lastsMs = 1_000 * between(lasts);
    const aimed = random() < AIMED;
    busyUntil.set(place, atMs + lastsMs + (aimed ? AIM_MS : 0) + 500);
    faults.push({ n: faults.length + 1, kind, atMs, lastsMs, aimed, lot: random() });
  }
  return faults;
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values
    .map((value) => [random(), value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}

/** A small generator with a seed; Math.random has none. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
