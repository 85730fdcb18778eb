/**
 * The app definition that people have from the project's first program, posted as it stands: no volume, one port, no
 * health check, `master.mesos`, the old variables. It runs in a network and file system of its own, as under Docker.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork } from '../support/own-network.ts';

test('the original definition, with nothing but Marathon in its environment, ends in a served certificate', async (t) => {
  const script = fileURLToPath(new URL('original-definition-story.ts', import.meta.url));
  const addresses = [1, 2, 3, 4, 5].map((host) => `10.64.9.${host}`);
  const { code, output } = await inOwnNetwork(script, addresses, AbortSignal.timeout(120_000));
  for (const line of output.split('\n').filter(Boolean)) t.diagnostic(line);
  assert.equal(code, 0, output);
});
