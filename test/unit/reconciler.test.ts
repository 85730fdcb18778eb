/** The loop: one pass at a time, awake when something happens, alive or said to be dead. Its time is the test's. */
import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { plan } from '../../src/plan/plan.ts';
import { PAUSE, settle, startLoop } from '../support/mock-loop.ts';
import { DAY, HOUR, loadBalancer, MINUTE, observation, policy, SECOND } from '../support/observation.ts';

test('it looks, decides, tells, acts, and sleeps until the time that the plan names', async (t) => {
  const missing = observation({ loadBalancer: loadBalancer({ env: {} }) });
  const loop = startLoop(t, {
    observe: async () => missing,
    plan: (seen) => ({ ...plan(seen, policy()), checkAgainAt: new Date(Date.now() + HOUR) }),
  });
  await loop.pass(PAUSE);
  assert.deepEqual(loop.done, ['observe', 'plan', 'tell', 'install']);
  assert.equal(loop.plans[0]?.certificate.state, 'installing');
  await loop.pass(HOUR - PAUSE - SECOND);
  assert.equal(loop.passes(), 1);
  await loop.pass(2 * SECOND);
  assert.equal(loop.passes(), 2);
});

test('what the plan wants to see is looked at once, then it is decided anew: only that is told', async (t) => {
  const seen = observation({ wire: undefined });
  const closer = observation();
  const loop = startLoop(t, {
    observe: async () => seen,
    lookCloser: async () => closer,
    plan: (what) => plan(what, policy()),
  });
  await loop.pass(PAUSE);
  assert.deepEqual(loop.done, ['observe', 'plan', 'look closer', 'plan', 'tell']);
  assert.deepEqual(
    loop.plans.map(({ certificate }) => certificate.state),
    ['live'],
  );
});

test('one look may lead to another: in one pass, so that nothing in between is told as a state; but not for ever', async (t) => {
  const loop = startLoop(t, {
    observe: async () => observation({ wire: undefined }),
    lookCloser: async (seen) => seen,
    plan: (what) => plan(what, policy()),
  });
  await loop.pass(1);
  const look = ['look closer', 'plan'];
  assert.deepEqual(loop.done, ['observe', 'plan', ...look, ...look, ...look, 'tell']);
});

test('an action gets what was seen at last', async (t) => {
  const closer = observation({ loadBalancer: loadBalancer({ env: {} }) });
  const acted: unknown[] = [];
  const loop = startLoop(t, {
    observe: async () => observation({ wire: undefined }),
    lookCloser: async () => closer,
    plan: (what) => plan(what, policy()),
    act: async (_action, seen) => void acted.push(seen),
  });
  await loop.pass(1);
  assert.deepEqual(acted, [closer]);
});

test('a hundred wake-ups in a moment are one look', async (t) => {
  const loop = startLoop(t);
  await loop.pass(PAUSE);
  for (let count = 0; count < 100; count += 1) loop.reconciler.wake();
  await loop.pass(PAUSE);
  assert.equal(loop.passes(), 2);
});

test('passes never overlap, and a wake-up during one leads to another look after it', async (t) => {
  let running = 0;
  const open: (() => void)[] = [];
  const loop = startLoop(t, {
    observe: async () => {
      running += 1;
      assert.equal(running, 1);
      await new Promise<void>((resolve) => open.push(resolve));
      running -= 1;
      return observation();
    },
  });
  await loop.pass(PAUSE);
  loop.reconciler.wake();
  loop.reconciler.wake();
  await loop.pass(PAUSE);
  assert.equal(open.length, 1, 'the first one is still running');
  open[0]?.();
  await loop.pass(PAUSE);
  assert.equal(open.length, 2);
  open[1]?.();
  await loop.pass(PAUSE);
  assert.equal(open.length, 2, 'the two wake-ups were one');
  assert.equal(loop.log.length, 0, loop.log.join());
});

test('a wake-up before the start is not lost: the first pass comes anyway', async (t) => {
  const loop = startLoop(t);
  loop.reconciler.wake();
  await loop.pass(PAUSE);
  assert.ok(loop.passes() >= 1);
});

test('a storm of wake-ups leaves pauses between the looks', async (t) => {
  const loop = startLoop(t);
  for (let count = 0; count < 1_000; count += 1) {
    loop.reconciler.wake();
    await loop.pass(1);
  }
  assert.ok(loop.passes() <= 1 + SECOND / 50, `${loop.passes()} looks in a second`);
});

test('after a quiet time a slow pass is followed by the next at once, and that one by a pause, but by none beyond two seconds', async (t) => {
  const loop = startLoop(t, {
    observe: async () => {
      t.mock.timers.setTime(Date.now() + 10 * SECOND); // so long did it take
      return observation({ at: new Date() });
    },
    again: (at) => at,
  });
  await loop.pass(100);
  assert.equal(loop.passes(), 2);
  await loop.pass(PAUSE - 200);
  assert.equal(loop.passes(), 2);
  await loop.pass(200);
  assert.equal(loop.passes(), 3);
});

test('asked to end while it sleeps, it ends at once', async (t) => {
  const loop = startLoop(t);
  await loop.pass(PAUSE);
  loop.abort.abort();
  await loop.ended; // no time passes
  assert.equal(loop.passes(), 1);
  assert.deepEqual(loop.log, []);
});

test('asked to end during a pass, it ends with that pass, and an aborted call is no failure', async (t) => {
  const loop = startLoop(t, {
    observe: (signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  await loop.pass(PAUSE);
  loop.abort.abort();
  await loop.ended;
  assert.deepEqual(loop.done, ['observe']);
  assert.deepEqual(loop.log, []);
});

test('a pass that throws is logged once, and the loop goes on half a minute later', async (t) => {
  let isBroken = true;
  const loop = startLoop(t, {
    observe: async () => {
      if (isBroken) throw new Error('the folder is gone');
      return observation({ at: new Date() });
    },
  });
  await loop.pass(29 * SECOND);
  assert.equal(loop.log.length, 1);
  assert.match(loop.log[0] ?? '', /"level":"error".*the folder is gone.*"msg":"pass failed"/);
  isBroken = false;
  await loop.pass(3 * SECOND);
  assert.deepEqual(loop.done, ['observe', 'observe', 'plan', 'tell']);
  assert.equal(loop.log.length, 1);
});

test('an action that throws does not end the loop either', async (t) => {
  const loop = startLoop(t, {
    plan: () => plan(observation({ loadBalancer: loadBalancer({ env: {} }) }), policy()),
    act: () => Promise.reject(new Error('no space left on device')),
  });
  await loop.pass(PAUSE);
  assert.match(loop.log.join(), /no space left/);
  await loop.pass(30 * SECOND);
  assert.equal(loop.passes(), 2);
});

test('a loop that hangs in a pass is dead after a quarter of an hour, and alive again when it goes on', async (t) => {
  const open: (() => void)[] = [];
  const loop = startLoop(t, {
    observe: async () => {
      await new Promise<void>((resolve) => open.push(resolve));
      return observation({ at: new Date() });
    },
  });
  await loop.pass(1);
  t.mock.timers.tick(15 * MINUTE - SECOND);
  assert.equal(loop.reconciler.isAlive(), true);
  t.mock.timers.tick(SECOND);
  assert.equal(loop.reconciler.isAlive(), false);
  open[0]?.();
  await loop.pass(PAUSE);
  assert.equal(loop.reconciler.isAlive(), true);
});

test('a loop that sleeps for hours is alive', async (t) => {
  const loop = startLoop(t, { again: (at) => new Date(at.getTime() + 6 * HOUR) });
  await loop.pass(PAUSE);
  for (let minutes = 0; minutes < 5 * 60; minutes += 5) {
    t.mock.timers.tick(5 * MINUTE);
    await settle();
    assert.equal(loop.reconciler.isAlive(), true, `${minutes} min`);
  }
  assert.equal(loop.passes(), 1);
});

test('a loop in which every pass throws is alive: it turns', async (t) => {
  const loop = startLoop(t, { observe: () => Promise.reject(new Error('never')) });
  for (let minutes = 0; minutes < 30; minutes += 1) {
    t.mock.timers.tick(MINUTE);
    await settle();
  }
  assert.equal(loop.reconciler.isAlive(), true);
});

test('the next look is years away: it sleeps, instead of spinning as a timer of more than 24 days would', async (t) => {
  const loop = startLoop(t, { again: (at) => new Date(at.getTime() + 3_650 * DAY) });
  await loop.pass(PAUSE);
  for (let count = 0; count < 100; count += 1) {
    t.mock.timers.tick(5 * MINUTE);
    await settle();
  }
  assert.equal(loop.passes(), 1);
  loop.reconciler.wake();
  await loop.pass(PAUSE);
  assert.equal(loop.passes(), 2);
});

test('no timer is set that Node cannot hold', async (t) => {
  const asked: number[] = [];
  const loop = startLoop(t, { again: (at) => new Date(at.getTime() + 3_650 * DAY) });
  const timers = await import('node:timers/promises');
  const sleep = timers.setTimeout;
  t.mock.method(timers.default, 'setTimeout', (ms: number, value: unknown, options: object) => {
    asked.push(ms);
    return sleep(ms, value, options);
  });
  syncBuiltinESMExports();
  loop.reconciler.wake();
  await loop.pass(PAUSE);
  t.mock.timers.tick(5 * MINUTE);
  await settle();
  assert.ok(asked.length > 1 && asked.every((ms) => ms <= 5 * MINUTE), asked.join());
});

test('the machine was suspended past the time: looked at with the next tick', async (t) => {
  const loop = startLoop(t, { again: (at) => new Date(at.getTime() + 6 * HOUR) });
  await loop.pass(PAUSE);
  t.mock.timers.setTime(Date.now() + 7 * HOUR);
  await loop.pass(PAUSE);
  assert.equal(loop.passes(), 2);
});
