/**
 * Which alerts are due: from what has been told so far and the plan of the moment.
 *
 * Pure, and by levels, as everything here: an alert is due for as long as its condition holds and nobody has taken it,
 * so there is no queue to lose or to flood. What has been told is remembered until it is over, and that is told too.
 * Some plans can't say whether a condition holds (an order runs, Marathon does not answer): then nothing changes.
 */
import { lifeLeft } from '../certificates/renewal.ts';
import type { Plan } from '../plan/plan.ts';
import { earlier, later } from '../plan/verdict.ts';
import { type Alert, type AlertKind, sentence, troubleOf } from './sentences.ts';

export interface Remembered {
  /** Since when the condition has held. */
  readonly since: Date;
  /** The webhook has taken it. */
  readonly told: boolean;
}

/** By condition: `stuck`, or `name:a.example`. */
export type Memory = Readonly<Record<string, Remembered>>;

interface Condition {
  readonly key: string;
  readonly kind: AlertKind;
  /** Undefined: this plan can't say. */
  readonly holds: boolean | undefined;
  /** How long it has to hold before it is told. */
  readonly patienceMs: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A load balancer that learns of us, a record that spreads, a reload: not worth waking anybody. */
const PASSING_MS = { obstacle: 15 * MINUTE_MS, wire: 5 * MINUTE_MS };

export function judge(before: Memory, planned: Plan): { readonly memory: Memory; readonly due: readonly Alert[] } {
  const now = planned.at;
  const all = conditions(before, planned);
  const memory = Object.fromEntries(
    all.flatMap(({ key, holds }): readonly (readonly [string, Remembered])[] => {
      const known = before[key];
      if (holds === undefined || (holds === false && known?.told)) return known ? [[key, known]] : [];
      if (!holds) return [];
      // One from the future tells of a clock that was wrong.
      return [[key, known === undefined || known.since > now ? { told: known?.told ?? false, since: now } : known]];
    }),
  );
  const over = all.filter(({ key, holds }) => holds === false && memory[key]?.told);
  const holding = all.filter(({ key, holds, patienceMs }) => {
    const known = memory[key];
    return holds && known?.told === false && now.getTime() - known.since.getTime() >= patienceMs;
  });
  return { memory, due: [...alerts('resolved', over, memory, planned), ...alerts('firing', holding, memory, planned)] };
}

/** After a start the first plans know little yet: what was about to be told gets the time to mend itself. */
export function resumed(memory: Memory, now: Date): Memory {
  const earliest = later(now, -DAY_MS + PASSING_MS.obstacle);
  const entries = Object.entries(memory).map(([key, known]) => {
    const since = known.told || known.since > earliest ? known.since : earliest;
    return [key, { ...known, since }] as const;
  });
  return Object.fromEntries(entries);
}

/** The webhook has taken it. */
export function told(memory: Memory, { status, keys }: Alert): Memory {
  const kept = Object.entries(memory).filter(([key]) => status === 'firing' || !keys.includes(key));
  return Object.fromEntries(kept.map(([key, known]) => [key, keys.includes(key) ? { ...known, told: true } : known]));
}

/** One alert a kind: a hundred names that fail at once are one message. */
function alerts(status: Alert['status'], about: readonly Condition[], memory: Memory, planned: Plan): readonly Alert[] {
  return [...Map.groupBy(about, ({ kind }) => kind)].map(([kind, group]) => {
    const keys = group.map(({ key }) => key);
    const since = keys.flatMap((key) => memory[key]?.since ?? []).reduce(earlier);
    return sentence({ kind, status, keys, since }, planned);
  });
}

function conditions(before: Memory, planned: Plan): readonly Condition[] {
  const { state, bundle } = planned.certificate;
  const isProven = state === 'live' || state === 'degraded' || state === 'waiting-for-window';
  const left = bundle && lifeLeft(bundle, planned.at);
  const isOther = state === 'not-served';
  return [
    { key: 'not-served', kind: 'not-served', holds: isOther || unless(isProven), patienceMs: PASSING_MS.wire },
    { key: 'stuck', kind: 'stuck', holds: state === 'stuck' || unless(isProven || isOther), patienceMs: 0 },
    { key: 'tenth', kind: 'ending', holds: left === undefined ? undefined : left < 1 / 10, patienceMs: 0 },
    { key: 'quarter', kind: 'ending', holds: left === undefined ? undefined : left < 1 / 4, patienceMs: 0 },
    { key: 'unhealthy', kind: 'unhealthy', holds: !isProven, patienceMs: DAY_MS },
    ...names(before, planned),
  ];
}

/** It is over where that is seen; else nobody knows. */
function unless(isSeenToBeOver: boolean): false | undefined {
  return isSeenToBeOver ? false : undefined;
}

/**
 * Those that nobody wants any more are forgotten; but while no name is known, none is. Between two tries nothing is in a
 * name's way either: well is one that the CA has taken since.
 */
function names(before: Memory, { at, certificate }: Plan): readonly Condition[] {
  const kind = 'name-failing';
  if (certificate.names.length === 0) {
    const known = Object.keys(before).filter((key) => key.startsWith('name:'));
    return known.map((key) => ({ key, kind, holds: undefined, patienceMs: 0 }));
  }
  const isDue = certificate.renewAt === undefined || certificate.renewAt <= at;
  return certificate.names.map((standing) => {
    const trouble = troubleOf(standing);
    return {
      key: `name:${standing.name}`,
      kind,
      holds: trouble !== undefined || unless(standing.issued && !isDue),
      patienceMs: trouble?.from === 'ca' ? 0 : PASSING_MS.obstacle,
    };
  });
}
