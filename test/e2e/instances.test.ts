/**
 * Several of us in the middle of an order: a rolling upgrade in which both go on, and a leader that is killed while the
 * other instance follows, each with a state folder that both have and with none. It must end in one certificate, and
 * cost one more order at most.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startCluster } from '../support/cluster.ts';
import { type Folder, Stage, type StageOptions } from '../support/kill-stage.ts';

/** Without a folder nothing is ordered within 15 minutes of a crash; so Marathon's clock is behind, and it looks long past. */
const CRASH_LOOKS_OLD_MS = -20 * 60_000;

interface Row {
  readonly upgrade: 'rolled' | 'taken over';
  readonly folder: Folder;
  /** Of the boundaries of test/e2e/kills.test.ts. */
  readonly boundary: string;
}

/** Before the CA has come, and when all that is left to do is to fetch the certificate. */
const ROWS: readonly Row[] = [
  { upgrade: 'rolled', folder: 'volume kept', boundary: 'challenge' },
  { upgrade: 'rolled', folder: 'no volume', boundary: 'challenge' },
  { upgrade: 'taken over', folder: 'volume kept', boundary: 'finalize' },
  { upgrade: 'taken over', folder: 'no volume', boundary: 'challenge' },
];

test('several of us in the middle of an order', { concurrency: ROWS.length }, async (t) => {
  const cluster = await startCluster(t, {
    publicAgents: ROWS.length,
    loadBalancers: 0,
    pebble: { authzReuse: 0 },
    simulator: { secondMs: 50, clockOffsetMs: CRASH_LOOKS_OLD_MS },
  });
  const play = async (row: Row, options: StageOptions, rowTest: TestContext): Promise<void> => {
    const stage = await Stage.build(rowTest, cluster, options);
    if (row.upgrade === 'rolled') stage.roll(row.boundary);
    else stage.arm(row.boundary, 'reply passed on');
    await stage.begin();
    await stage.struck();
    await stage.untilServed();
    const [orders, certificates, deployments] = [stage.orders(), stage.certificates(), stage.deployments()];
    rowTest.diagnostic(`${orders} orders, ${certificates} certificates, ${deployments} deployments`);
    assert.equal(certificates, 1, 'certificates that the CA has made');
    assert.ok(orders <= (row.folder === 'no volume' ? 2 : 1), `${orders} orders`);
    assert.equal(deployments, 1, 'deployments of the load balancer');
  };
  const rows = ROWS.map((row, n) => {
    const title = `${row.upgrade} at ${row.boundary}, ${row.folder}: one certificate, at most one order more`;
    const options = { ...row, id: `several-${n}`, host: cluster.publicHosts[n] ?? '' };
    return t.test(title, (rowTest) => play(row, options, rowTest));
  });
  await Promise.all(rows);
  assert.deepEqual(cluster.marathon.violations, []);
});
