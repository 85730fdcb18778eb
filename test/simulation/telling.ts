/**
 * Whether the operator is told of what goes wrong, in words that fit it: each kind of fault has its own, and they have to
 * be read somewhere in the plan while it lasts.
 *
 * Not each fault is met: a CA that is away between two orders is nobody's trouble. So it is counted by kind, told and
 * untold; a kind that happened often and was told never fails the set. And where a fault is all that has been wrong for
 * days, a state that asks for a person has to have its words and not others.
 */
import type { Plan } from '../../src/plan/plan.ts';
import { ALARMING } from '../../src/plan/verdict.ts';
import type { Clock } from './clock.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** What ends now may be read a little later, at the next look or in a log of what failed last. */
const AFTERMATH = HOUR;
/** What is no state, and has happened: how long its words may take. */
const USUALLY = 3 * DAY;
/** After so long without anything else, whatever alarms comes of the one fault that is left. */
const ALONE_FOR = 9 * DAY;
/** What makes a fault be met, an edit of labels say, has words of its own for a moment. */
const SETTLES = HOUR;

interface Lasting {
  readonly kind: string;
  readonly told: RegExp;
  readonly since: number;
  readonly until: number;
  isTold: boolean;
}

export interface Told {
  told: number;
  untold: number;
}

export interface Surroundings {
  readonly clock: Clock;
  /** What others have put into a slot shows for as long as it stays there. */
  readonly hasDisturbedSlots: () => boolean;
  readonly violate: (what: string) => void;
}

export class Telling {
  readonly counts = new Map<string, Told>();
  /** How often a state that alarms could be held against the one fault there was. */
  readonly alone = { checks: 0 };
  readonly #around: Surroundings;
  readonly #clock: Clock;
  #lasting: Lasting[] = [];
  #begun: { readonly kind: string; readonly told: RegExp } | undefined;
  #isCounted = false;
  /** When anything began or ended, but for the last one that began. */
  #othersUntil: number;
  #lastUntil: number;

  constructor(around: Surroundings) {
    const { clock } = around;
    this.#around = around;
    this.#clock = clock;
    this.#othersUntil = clock.now;
    this.#lastUntil = clock.now;
  }

  /** Runs what lets a fault begin, which may say how long it lasts. */
  begin(kind: string, told: RegExp | undefined, happen: () => boolean): boolean {
    this.#begun = told === undefined ? undefined : { kind, told };
    this.#isCounted = false;
    this.#endsAt = this.#clock.now + (told === undefined ? 0 : USUALLY);
    const hasBegun = happen();
    if (hasBegun) this.#note(this.#endsAt);
    this.#begun = undefined;
    return hasBegun;
  }
  #endsAt = 0;

  /** Called while it begins: it lasts until then; of a name, if it is one's. */
  lasts(until: number, name?: string): void {
    this.#endsAt = Math.max(this.#isCounted ? this.#endsAt : 0, until);
    this.#isCounted = true;
    if (this.#begun === undefined) return;
    const { kind, told } = this.#begun;
    const words = name === undefined ? told : new RegExp(`${name.replaceAll('.', '\\.')}.*(?:${told.source})`);
    this.#lasting.push({ kind, told: words, since: this.#clock.now, until: until + AFTERMATH, isTold: false });
  }

  #note(until: number): void {
    if (this.#begun !== undefined && !this.#isCounted) {
      this.#lasting.push({ ...this.#begun, since: this.#clock.now, until: until + AFTERMATH, isTold: false });
    }
    this.#othersUntil = Math.max(this.#othersUntil, this.#lastUntil);
    this.#lastUntil = until;
  }

  /** What an operator reads of this look. */
  plan(planned: Plan): void {
    const { now } = this.#clock;
    for (const one of this.#lasting) if (one.until < now) this.#count(one);
    this.#lasting = this.#lasting.filter(({ until }) => until >= now);
    if (this.#lasting.length === 0) return;
    const text = textOf(planned);
    for (const one of this.#lasting) if (!one.isTold && one.told.test(text)) one.isTold = true;
    this.#fits(planned, text);
  }

  #fits({ certificate: { state, why } }: Plan, text: string): void {
    const [only, ...others] = this.#lasting;
    const { now } = this.#clock;
    if (only === undefined || others.length > 0 || !ALARMING.has(state)) return;
    if (now > only.until - AFTERMATH || now < only.since + SETTLES || now < this.#othersUntil + ALONE_FOR) return;
    if (this.#around.hasDisturbedSlots()) return;
    this.alone.checks += 1;
    if (!only.told.test(text))
      this.#around.violate(`${only.kind}, and nothing else for days, is told as ${state}: ${why}`);
  }

  #count({ kind, isTold }: Lasting): void {
    const counts = this.counts.get(kind) ?? { told: 0, untold: 0 };
    if (isTold) counts.told += 1;
    else counts.untold += 1;
    this.counts.set(kind, counts);
  }
}

function textOf({ certificate: { why, cure, names }, notes }: Plan): string {
  const ofNames = names.flatMap(({ obstacle, overruled }) => [obstacle?.why, overruled?.why]);
  return [why, cure, ...notes, ...ofNames].filter((one) => one !== undefined).join('\n');
}
