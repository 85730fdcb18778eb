/** The executor that gives each task a network and a file system of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork } from '../../support/own-network.ts';

test('a task in a namespace listens on its container port, finds master.mesos, and gets no variable of ours', async () => {
  const script = fileURLToPath(new URL('namespace-story.ts', import.meta.url));
  const { code, output } = await inOwnNetwork(script, ['10.64.7.1', '10.64.7.2'], AbortSignal.timeout(60_000));
  assert.equal(code, 0, output);
});
