/**
 * Runs the rows of a planner's table: what an operator would say, what is different from a healthy world, what follows.
 *
 * Whatever a row is about, the plan must be one that the loop can live with: a next look that is a time, and not past.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { ALARMING, type State } from '../../src/plan/verdict.ts';
import { NOW, observation, policy } from './observation.ts';

export interface Row {
  readonly name: string;
  readonly seen?: Partial<Observation>;
  readonly policy?: Partial<Policy>;
  readonly state: State;
  /** Default: none. */
  readonly actions?: readonly string[];
  readonly looks?: readonly string[];
  readonly why?: RegExp;
  readonly cure?: RegExp;
  /** The variables that an install writes. */
  readonly slots?: readonly string[];
  /** Milliseconds until the next look. */
  readonly againIn?: number;
  /** The same for a back-off, which may be a tenth shorter or longer. */
  readonly againInAbout?: number;
  /** The names that are ordered. */
  readonly ordered?: readonly string[];
  /** The names that the preflight is asked for. */
  readonly tried?: readonly string[];
  readonly notes?: readonly RegExp[];
}

export function runRows(rows: readonly Row[]): void {
  for (const row of rows) {
    test(row.name, () => check(row, plan(observation(row.seen), policy(row.policy))));
  }
}

function check(row: Row, planned: Plan): void {
  const { state, why, cure } = planned.certificate;
  assert.equal(state, row.state, why);
  assert.deepEqual([kinds(planned), planned.looks], [row.actions ?? [], row.looks ?? []], why);
  checkTold(planned);
  if (row.why !== undefined) assert.match(why, row.why);
  if (row.cure !== undefined) assert.match(cure ?? '', row.cure);
  if (row.slots !== undefined) assert.deepEqual(slotsWritten(planned), row.slots);
  if (row.againIn !== undefined) assert.equal(planned.checkAgainAt.getTime() - NOW.getTime(), row.againIn);
  if (row.againInAbout !== undefined) checkAbout(planned.checkAgainAt.getTime() - NOW.getTime(), row.againInAbout);
  if (row.ordered !== undefined) assert.deepEqual(namesOrdered(planned), row.ordered);
  if (row.tried !== undefined) assert.deepEqual(planned.preflightDue, row.tried);
  if (row.notes !== undefined) checkNotes(planned.notes, row.notes);
  checkPace(planned);
}

/** Whoever is alarmed is told what to do, or when it is tried again; unless that is now. */
export function checkTold({ certificate: { state, why, cure, names }, actions, looks }: Plan): void {
  const isNow = actions.length + looks.length > 0;
  const told = isNow || cure !== undefined || /next try \d{4}-/.test(why);
  assert.ok(!ALARMING.has(state) || told, `${state} without what to do, or when it is tried again: ${why}`);
  for (const { obstacle } of names)
    assert.ok(obstacle?.from === 'ca' || obstacle === undefined || obstacle.cure !== undefined, obstacle?.why);
}

export function kinds({ actions }: Plan): readonly string[] {
  return actions.map(({ kind }) => kind);
}

export function namesOrdered({ actions }: Plan): readonly string[] | undefined {
  return actions.flatMap((action) => (action.kind === 'issue' ? [action.spec.domains] : []))[0];
}

function checkAbout(ms: number, expected: number): void {
  assert.ok(Math.abs(ms - expected) <= expected * 0.1, `looks again in ${ms} ms, and not in about ${expected}`);
}

function slotsWritten({ actions }: Plan): readonly string[] {
  return actions.flatMap((action) => (action.kind === 'install' ? action.slots : []));
}

function checkNotes(notes: readonly string[], expected: readonly RegExp[]): void {
  assert.equal(notes.length, expected.length, notes.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(notes[index] ?? '', pattern);
}

/** A time that is not past, but when a look is asked for, which is done at once; and at least every 6 hours. */
export function checkPace({ at, checkAgainAt, looks }: Plan): void {
  const waitMs = checkAgainAt.getTime() - at.getTime();
  assert.ok(waitMs <= 6 * 3_600_000, `looks again in ${waitMs} ms`);
  assert.ok(looks.length > 0 ? waitMs >= 0 : waitMs > 0, `looks again in ${waitMs} ms`);
}
