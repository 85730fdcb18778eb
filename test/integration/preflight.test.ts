/** What the preflight says of eighty ways to be reached or not, in a network of its own with public addresses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork } from '../support/own-network.ts';
import { ADDRESSES } from '../support/preflight-stage.ts';

test('each name gets the verdict that the CA would come to, with what was seen and what to do', async (t) => {
  const script = fileURLToPath(new URL('preflight-rows.ts', import.meta.url));
  const { code, output } = await inOwnNetwork(script, ADDRESSES, AbortSignal.timeout(120_000));
  const failed = output.split('\n').filter((line) => /^\s*✖|^ℹ (pass|fail)/.test(line));
  for (const line of failed) t.diagnostic(line);
  assert.equal(code, 0, output);
});
