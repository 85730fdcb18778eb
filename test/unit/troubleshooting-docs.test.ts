/** docs/troubleshooting.md says what the program says, of each state and of each row of the catalogue. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROWS, rowOf } from '../../src/acme/troubles.ts';
import { plan } from '../../src/plan/plan.ts';
import { STATES } from '../../src/words.ts';
import { CHAPTERS } from '../docs/ca-examples.ts';
import { EXAMPLES, worldOf } from '../docs/plan-examples.ts';
import { mistakes } from '../docs/setting-examples.ts';
import { troubleshooting } from '../docs/troubleshooting.ts';

const COMMITTED = join(import.meta.dirname, '..', '..', 'docs', 'troubleshooting.md');

test('the page is the one that the program makes', () => {
  assert.equal(readFileSync(COMMITTED, 'utf8'), troubleshooting(), 'run: npm run docs');
});

test('each row of the catalogue has an example on the page, and each example a row', () => {
  const told = CHAPTERS.flatMap(({ troubles }) => troubles);
  // Of settings that an order refuses, the sentence is the settings' own.
  const shown = new Set(told.map(({ type, detail, code }) => rowOf(type, detail, code)));
  assert.ok(!shown.has(undefined), 'an example of something that the catalogue does not know');
  const missing = ROWS.filter((row) => !shown.has(row) && !row[0].test('settings'));
  assert.deepEqual(
    missing.map(([type, text]) => `${type} ${text}`),
    [],
  );
});

test('each state has an example, in which the planner says just that state, and what to do', () => {
  assert.deepEqual(
    Object.keys(STATES).filter((state) => !EXAMPLES.some((example) => example.state === state)),
    [],
  );
  for (const example of EXAMPLES) {
    const { seen, policy } = worldOf(example);
    const { state, why, cure } = plan(seen, policy).certificate;
    assert.equal(state, example.state, why);
    assert.ok(cure !== undefined || example.otherwise !== undefined, `${state} without a cure: ${why}`);
    assert.ok(cure === undefined || example.otherwise === undefined, `${state} has a cure of its own: ${cure}`);
  }
});

test('each mistake in the settings is one, and told with the name of the setting', () => {
  for (const { set, said } of mistakes) {
    const names = set.split(' ').map((one) => one.split('=')[0] ?? '');
    assert.ok(
      said.some((sentence) => names.some((name) => sentence.includes(name.slice(0, 8)))),
      `${set}: ${said}`,
    );
  }
});
