import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { mapBounded } from '../../src/bounded.ts';

test('no more than the bound are in hand at once, and results keep the order of the items', async () => {
  let inHand = 0;
  let most = 0;
  const results = await mapBounded([5, 1, 4, 2, 3, 0], 3, async (turns) => {
    most = Math.max(most, ++inHand);
    for (let i = 0; i < turns; i++) await turn();
    inHand -= 1;
    return turns * 10;
  });
  assert.deepEqual(results, [50, 10, 40, 20, 30, 0]);
  assert.equal(most, 3);
});

test('nothing to do is done at once, and a failure fails the whole', async () => {
  assert.deepEqual(await mapBounded([], 3, async () => 1), []);
  const failing = mapBounded([1, 2, 3], 2, async (n) => {
    if (n === 2) throw new Error('two');
  });
  await assert.rejects(failing, /two/);
});
