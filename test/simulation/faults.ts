/**
 * What goes wrong in the model world, how often a year, and how it heals: each row is a kind that is counted.
 *
 * A row says whether it could happen just then; what it spoils is told to the world's health, so that the invariants ask
 * of the program only what could be done.
 */
import type { Blunder, Outage } from './certificate-authority.ts';
import { chain, privatePem } from './certificates.ts';
import type { DiskFault } from './disk.ts';
import type { Aftermath, Condition } from './health.ts';
import { modelKey } from './keys.ts';
import { registeredDomain } from './limits.ts';
import { type Env, read, SLOTS } from './load-balancer.ts';
import type { Marathon, PutFault } from './marathon.ts';
import type { NameTrouble } from './names.ts';
import type { Program } from './program.ts';
import type { Random } from './random.ts';
import { NAMES, type World } from './world.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As certificates.ts names it. */
const MODEL_ISSUER = 'CN=Model Y1';

export interface Fault {
  readonly kind: string;
  /** How often, on average. */
  readonly aYear: number;
  /** What the operator is to read while it lasts, if he is to read of it. */
  readonly told?: RegExp;
  /** Half of them begin with the next order, which is what they are about. */
  readonly atOrder?: true;
  /** False: there was nothing that it could happen to. */
  readonly begin: (world: World, draw: Random) => boolean;
}

/** Spoils a condition while it lasts, and no longer than until all is to be well. */
function during(world: World, condition: Condition, ms: number, end: () => void, after: Aftermath = {}): true {
  const { clock, health } = world;
  health.begin(condition);
  const until = Math.min(clock.now + ms, world.calmFrom);
  world.telling.lasts(until, condition.startsWith('name ') ? condition.slice(5) : undefined);
  clock.at(until, () => {
    end();
    health.end(condition, after);
    world.attend(5);
  });
  return true;
}

/** A day of back-off at the most, and a tenth of spread, before it is tried again. */
const BACK_OFF = { lingerMs: 27 * HOUR };
/** What the CA refuses by its policy is asked again after a week. */
const WEEK = { lingerMs: 8 * DAY, owedMs: 8 * DAY };

function outage(kind: string, how: Outage, aYear: number, told: RegExp): Fault {
  return {
    kind,
    told,
    atOrder: true,
    aYear,
    begin: (world, draw) => {
      const { authority } = world;
      if (authority.outage !== undefined) return false;
      authority.outage = how;
      return during(
        world,
        'ca',
        draw.spread(2 * MINUTE, 5 * DAY),
        () => {
          authority.outage = undefined;
        },
        BACK_OFF,
      );
    },
  };
}

function limited(kind: string, by: 'header' | 'text', told: RegExp): Fault {
  return {
    kind,
    told,
    atOrder: true,
    aYear: 2,
    begin: (world, draw) => {
      const { authority, clock } = world;
      const ms = draw.spread(10 * MINUTE, 5 * DAY);
      const until = Math.min(clock.now + ms, world.calmFrom);
      authority.limited = { until, by };
      return during(world, 'ca', ms, () => undefined, BACK_OFF);
    },
  };
}

/** Only we see it; the CA must be asked all the same. */
const HARMLESS: ReadonlySet<NameTrouble> = new Set(['unseen', 'denied']);

function trouble(
  kind: string,
  what: NameTrouble,
  aYear: number,
  { told, ...after }: Aftermath & { readonly told: RegExp },
): Fault {
  return {
    kind,
    told,
    aYear,
    begin: (world, draw) => {
      const { names, wantedSince } = world;
      const all = [...wantedSince.keys()];
      const some = draw.chance(0.15) ? all : [draw.pick(all)].flatMap((name) => name ?? []);
      const ms = draw.spread(10 * MINUTE, 60 * DAY);
      for (const name of some) {
        names.begin(name, what);
        const condition: Condition = HARMLESS.has(what) ? `sight of ${name}` : `name ${name}`;
        during(world, condition, ms, () => names.end(name, what), after);
      }
      return some.length > 0;
    },
  };
}

function disk(kind: string, fault: DiskFault, told: RegExp): Fault {
  return {
    kind,
    told,
    atOrder: true,
    aYear: 1.5,
    begin: (world, draw) => {
      const { volume } = world.fleet.alive[0] ?? world.fleet;
      if (volume.fault !== undefined) return false;
      volume.fault = fault;
      return during(world, 'disk', draw.spread(MINUTE, 5 * DAY), () => {
        volume.fault = undefined;
      });
    },
  };
}

interface MarathonFault {
  readonly longest: number;
  readonly aYear: number;
  readonly told?: RegExp;
}

function marathon(kind: string, how: Marathon['outage'], { longest, aYear, told }: MarathonFault): Fault {
  return {
    kind,
    ...(told && { told }),
    aYear,
    begin: (world, draw) => {
      const { marathon: it } = world;
      if (it.outage !== undefined) return false;
      it.outage = how;
      return during(world, 'marathon', draw.spread(5 * SECOND, longest), () => {
        it.outage = undefined;
      });
    },
  };
}

function put(kind: string, fault: PutFault, told?: RegExp): Fault {
  return {
    kind,
    aYear: 3,
    begin: (world, draw) => {
      const { marathon: it, telling } = world;
      if (it.putFaults.length > 4) return false;
      // It begins, for the operator, with the PUT that it happens to.
      const meet = (): boolean => telling.begin(kind, told, () => true);
      for (let count = draw.integer(1, 3); count > 0; count -= 1) it.putFaults.push({ fault, meet });
      return true;
    },
  };
}

/** An edit of marathon-lb's environment by somebody else, in a deployment of its own. */
function edit(world: World, changes: Env, force = false): boolean {
  const { balancer } = world;
  if (balancer.isLocked && !force) return false;
  for (const slot of Object.keys(changes)) if (SLOTS.includes(slot)) world.disturbed.add(slot);
  world.excusedAt = world.clock.now;
  balancer.deploy({ ...balancer.env, ...changes }, false, force);
  return true;
}

function slotOfOurs(world: World): string | undefined {
  return SLOTS.find((slot) => typeof world.balancer.env[slot] === 'string' && world.balancer.env[slot] !== '');
}

function boughtFor(world: World, domains: readonly string[], days: number): string {
  const { clock } = world;
  const key = modelKey(clock.random);
  const facts = {
    domains,
    key,
    notBefore: clock.now - DAY,
    notAfter: clock.now + days * DAY,
    serial: 10_000 + (clock.now % 1e9),
  };
  return chain(facts, 'bought') + privatePem(key);
}

/** By one that somebody bought for these names. */
function replace(world: World, slot: string, names: readonly string[]): boolean {
  const pem = boughtFor(world, names, 30);
  const isDone = edit(world, { [slot]: pem });
  const bundle = read(pem);
  if (isDone && bundle !== undefined) world.judge.expiry.bought(bundle);
  return isDone;
}

const WHERE_KILLED = { operations: 60 };

function kill(kind: string, alsoMachine: boolean, aYear: number): Fault {
  return {
    kind,
    aYear,
    begin: (world, draw) => {
      const task = draw.pick(world.fleet.alive);
      if (task === undefined) return false;
      world.fleet.killWithin(task, draw.integer(1, WHERE_KILLED.operations), draw.chance(0.5), alsoMachine);
      return true;
    },
  };
}

/** In the middle of an order, which is where it hurts. */
const KILL_IN_ORDER: Fault = {
  kind: 'killed in the middle of an order',
  aYear: 4,
  begin: (world, draw) => {
    world.atNextOrder.push((task) => {
      world.fleet.killWithin(task, draw.integer(1, 60), draw.chance(0.5), draw.chance(0.3));
    });
    return true;
  },
};

function life(
  kind: string,
  days: number,
  reuseMs: number,
  at: (draw: Random) => number,
): Fault & { readonly once: (draw: Random) => number } {
  return {
    kind,
    aYear: 0,
    once: at,
    begin: ({ authority }) => {
      authority.lifeMs = days * DAY;
      authority.reuseMs = reuseMs;
      return true;
    },
  };
}

const LIVES = [
  life('lifetime 64 days', 64, 10 * DAY, () => Date.UTC(2027, 1, 10)),
  life('lifetime 45 days', 45, 7 * HOUR, () => Date.UTC(2028, 1, 16)),
];

const SHORT_LIVED: Fault = {
  kind: 'lifetime 6 days',
  aYear: 0.35,
  begin: (world, draw) => {
    const { authority, clock } = world;
    if (authority.lifeMs < 10 * DAY) return false;
    const before = { lifeMs: authority.lifeMs, reuseMs: authority.reuseMs };
    authority.lifeMs = 160 * HOUR;
    authority.reuseMs = 7 * HOUR;
    const now = [...world.wantedSince.keys()];
    const more = another(now, draw);
    // So that one is ordered before the time of the short-lived ones is over.
    if (!world.fleet.isUpgrading) world.want(more === undefined ? now.slice(1) : [...now, more]);
    clock.at(Math.min(clock.now + draw.between(8, 40) * DAY, world.calmFrom), () => Object.assign(authority, before));
    return true;
  },
};

function labels(
  kind: string,
  aYear: number,
  change: (now: readonly string[], draw: Random) => readonly string[] | undefined,
): Fault {
  return {
    kind,
    aYear,
    begin: (world, draw) => {
      const after = change([...world.wantedSince.keys()], draw);
      if (after === undefined || world.fleet.isUpgrading) return false;
      world.want(after);
      return true;
    },
  };
}

function another(now: readonly string[], draw: Random): string | undefined {
  return draw.pick(NAMES.filter((name) => !now.includes(name)));
}

const without = (now: readonly string[], name: string | undefined): readonly string[] =>
  now.filter((one) => one !== name);

/** A name like others, which no CA knows; what else is mistyped is none. */
const MISTYPED = 'shop.mart.netz';

function spelled(names: readonly string[]): readonly string[] {
  const right = without(names, MISTYPED);
  return right.length > 0 ? right : ['shop.mart.org'];
}

const LABELS: readonly Fault[] = [
  labels('name added', 2, (now, draw) => {
    const name = another(now, draw);
    return name === undefined ? undefined : [...now, name];
  }),
  labels('name removed', 1.5, (now, draw) => (now.length < 2 ? undefined : without(now, draw.pick(now)))),
  labels('names swapped', 1, (now, draw) => {
    const name = another(now, draw);
    return name === undefined ? undefined : [...without(now, draw.pick(now)), name];
  }),
  labels('names reordered', 0.5, (now) => (now.length < 2 ? undefined : [...now].reverse())),
  {
    kind: 'labels go to and fro',
    aYear: 0.7,
    begin: (world, draw) => {
      const { clock, fleet, calmFrom, health } = world;
      const [first, ...rest] = world.wantedSince.keys();
      const other = another([...world.wantedSince.keys()], draw);
      if (first === undefined || other === undefined || fleet.isUpgrading) return false;
      const ways = [
        [...rest, other],
        [first, ...rest],
      ];
      const swap = (left: number): void => {
        if (left === 0 || clock.now > calmFrom) return;
        const wanted = ways[left % 2] ?? [first];
        // A mistake in them may have been mended meanwhile.
        world.want(world.wantedSince.has(MISTYPED) ? wanted : spelled(wanted));
        clock.after(draw.between(1, 6) * HOUR, () => swap(left - 1));
      };
      // Each edit is a start, and without a volume nobody can know what was spent before it: three of each set at most.
      swap(world.storage === 'none' ? draw.integer(3, 6) : draw.integer(4, 14));
      // Nothing is owed for what is wanted by turns, until the limits that it spends have refilled.
      health.blemish('ca', 11 * DAY);
      return true;
    },
  },
  {
    kind: 'typing mistake in a label',
    told: /shop\.mart\.netz|api_1\.fleet\.net|www\.\.words\.io|\*\.fleet\.net/,
    aYear: 1.5,
    begin: (world, draw) => {
      const now = [...world.wantedSince.keys()];
      if (world.fleet.isUpgrading) return false;
      const wrong = draw.pick([MISTYPED, 'api_1.fleet.net', 'www..words.io', '*.fleet.net']);
      const isName = wrong === MISTYPED;
      world.want(isName ? [...now, wrong] : now, isName ? [] : [wrong]);
      const until = Math.min(world.clock.now + draw.spread(HOUR, 20 * DAY), world.calmFrom);
      world.clock.at(until, () => {
        world.want(spelled([...world.wantedSince.keys()]));
      });
      return true;
    },
  },
];

const TASKS: readonly Fault[] = [
  kill('killed', false, 6),
  kill('machine crashed', true, 3),
  KILL_IN_ORDER,
  {
    kind: 'restarted',
    aYear: 4,
    begin: ({ fleet }, draw) => {
      const task = draw.pick(fleet.alive);
      if (task === undefined || fleet.isUpgrading) return false;
      void fleet.restart(task);
      return true;
    },
  },
  {
    kind: 'upgraded',
    aYear: 3,
    begin: ({ fleet }) => {
      if (fleet.isUpgrading) return false;
      fleet.upgrade(undefined);
      return true;
    },
  },
  {
    kind: 'KEY_TYPE changed',
    aYear: 1,
    begin: ({ fleet }) => {
      if (fleet.isUpgrading) return false;
      fleet.keyType = fleet.keyType === 'ec256' ? 'ec384' : 'ec256';
      fleet.upgrade(undefined);
      return true;
    },
  },
  {
    kind: 'two instances',
    aYear: 1.5,
    begin: (world, draw) => {
      const { fleet, clock } = world;
      if (fleet.isUpgrading || fleet.instances > 1 || world.storage === 'local') return false;
      fleet.scale(2);
      clock.at(Math.min(clock.now + draw.spread(10 * MINUTE, 60 * DAY), world.calmFrom), () => fleet.scale(1));
      return true;
    },
  },
  {
    kind: 'state lost',
    aYear: 1.5,
    begin: (world, draw) => {
      const task: Program | undefined = world.fleet.alive[0];
      if (task === undefined || world.fleet.isUpgrading) return false;
      // Nobody could know then what the CA was paid for nothing.
      if (world.clock.now < world.signerBrokenUntil + WEEK.owedMs) return false;
      world.fleet.killWithin(task, draw.integer(1, 5), false, false);
      task.volume.wipe();
      return true;
    },
  },
  {
    kind: 'crash loop',
    aYear: 1,
    begin: (world, draw) => {
      const { fleet, clock } = world;
      const times = draw.integer(3, 12);
      const again = (left: number): void => {
        const task = fleet.alive.at(-1);
        if (left === 0 || clock.now > world.calmFrom) return;
        if (task !== undefined) fleet.killWithin(task, draw.integer(1, 80), draw.chance(0.5), false);
        clock.after(draw.between(20, 120) * SECOND, () => again(left - 1));
      };
      again(times);
      return true;
    },
  },
];

const BALANCER: readonly Fault[] = [
  {
    kind: 'deployment stuck',
    told: /has not ended|short of healthy/,
    aYear: 2,
    begin: (world, draw) => {
      const { balancer } = world;
      if (balancer.stuck) return false;
      balancer.stuck = true;
      return during(
        world,
        'balancer',
        draw.spread(5 * MINUTE, 10 * DAY),
        () => {
          balancer.stuck = false;
        },
        { lingerMs: 2 * HOUR },
      );
    },
  },
  {
    kind: 'deployment cancelled',
    aYear: 2,
    begin: (world, draw) => {
      const { balancer, clock, health } = world;
      world.atNextPut.push(() => {
        clock.after(draw.between(1, 20) * SECOND, () => {
          for (const slot of SLOTS) world.disturbed.add(slot);
          if (balancer.cancel()) health.blemish('balancer', 26 * HOUR);
        });
      });
      return true;
    },
  },
  {
    kind: 'load balancer scaled',
    aYear: 1,
    begin: ({ balancer }, draw) => {
      if (balancer.isLocked) return false;
      balancer.scale(draw.integer(1, 3));
      return true;
    },
  },
  {
    kind: 'load balancer crashed',
    aYear: 3,
    begin: ({ balancer }) => {
      if (balancer.tasks.length < 2 || balancer.isLocked) return false;
      balancer.crash();
      return true;
    },
  },
  {
    kind: 'load balancer serves old',
    told: /marathon-lb at .* serves .*expected/,
    aYear: 1.5,
    begin: (world, draw) => {
      const { balancer } = world;
      if (!balancer.keepOld()) return false;
      return during(world, 'balancer', draw.spread(10 * MINUTE, 5 * DAY), () => balancer.renewTasks());
    },
  },
  {
    kind: 'load balancer out of our reach',
    told: /marathon-lb at .*(?:cannot connect|ECONNREFUSED)/,
    aYear: 1.5,
    begin: (world, draw) => {
      if (world.wireBlocked) return false;
      world.wireBlocked = true;
      return during(
        world,
        'balancer',
        draw.spread(10 * MINUTE, 5 * DAY),
        () => {
          world.wireBlocked = false;
        },
        BACK_OFF,
      );
    },
  },
];

const EDITS: readonly Fault[] = [
  {
    kind: 'other variable edited',
    aYear: 3,
    begin: (world, draw) => edit(world, { HAPROXY_GLOBAL_DEFAULT_OPTIONS: `redispatch,${draw.integer(1, 99)}` }),
  },
  {
    kind: 'slot emptied',
    aYear: 1,
    begin: (world) => {
      const slot = slotOfOurs(world);
      return slot !== undefined && edit(world, { [slot]: '' });
    },
  },
  {
    kind: 'slot replaced',
    told: /HAPROXY_SSL_CERT\d* /,
    aYear: 1,
    begin: (world, draw) => {
      const { clock, health, calmFrom } = world;
      const slot = slotOfOurs(world);
      // With a name that was never ours it is somebody's who wants it; else it counts as ours.
      const names = [...world.wantedSince.keys(), ...(draw.chance(0.5) ? ['intra.corp.de'] : [])];
      if (slot === undefined || !replace(world, slot, names)) return false;
      let isThere = true;
      if (draw.chance(0.5)) {
        clock.after(draw.between(1, 8) * HOUR, () => {
          if (isThere) replace(world, slot, names);
        });
      }
      // It shadows ours for as long as it is there: the operator has been told, and takes it away.
      health.begin('balancer');
      clock.at(Math.min(clock.now + draw.spread(2 * HOUR, 20 * DAY), calmFrom), () => {
        isThere = false;
        world.retry(() => edit(world, emptied(world)));
        health.end('balancer', BACK_OFF);
      });
      return true;
    },
  },
  {
    kind: 'foreign certificate added',
    told: /HAPROXY_SSL_CERT\d* .*certificate/,
    aYear: 1,
    begin: (world, draw) => {
      const slot = freeSlot(world);
      return slot !== undefined && edit(world, { [slot]: boughtFor(world, ['intra.corp.de'], draw.integer(20, 300)) });
    },
  },
  {
    kind: 'garbage in a slot',
    told: /HAPROXY_SSL_CERT\d* .*(?:may refuse|read)/,
    aYear: 1,
    begin: (world, draw) => {
      const slot = draw.chance(0.4) ? slotOfOurs(world) : freeSlot(world);
      if (slot === undefined || !edit(world, { [slot]: '-----BEGIN CERTIFICATE-----\nMIIB\n' })) return false;
      return during(
        world,
        'balancer',
        draw.spread(10 * MINUTE, 3 * DAY),
        () => world.retry(() => edit(world, { [slot]: '' }, true)),
        { lingerMs: 3 * HOUR },
      );
    },
  },
  {
    kind: 'secret in a slot',
    told: /HAPROXY_SSL_CERT\d* .*secret/,
    aYear: 0.7,
    begin: (world, draw) => {
      const slot = draw.chance(0.5) ? slotOfOurs(world) : freeSlot(world);
      return slot !== undefined && edit(world, { [slot]: { secret: 'bought' } });
    },
  },
];

function freeSlot(world: World): string | undefined {
  return SLOTS.find((slot) => (world.balancer.env[slot] ?? '') === '');
}

/** What is bought for our names goes. */
function emptied({ balancer, isBoughtForUs }: World): Env {
  return Object.fromEntries(SLOTS.filter((slot) => isBoughtForUs(balancer.env[slot])).map((slot) => [slot, '']));
}

const CLOCK: readonly Fault[] = [clockJump('clock ahead', 1), clockJump('clock behind', -1)];

/**
 * What a wrong clock has written counts against the CA's limits for a week from the time that it wrote: where it was ahead,
 * that time may be a week away (what is further away tells of nothing but the clock).
 */
function aftermathOf(offset: number): Aftermath {
  const ms = WEEK.owedMs + Math.min(Math.max(offset, 0), 7 * DAY);
  return { lingerMs: ms, owedMs: ms };
}

function clockJump(kind: string, direction: 1 | -1): Fault {
  return {
    kind,
    aYear: 1.2,
    begin: (world, draw) => {
      const { clock } = world;
      if (clock.offset !== 0) return false;
      clock.offset = direction * draw.spread(10 * MINUTE, 20 * DAY);
      const isOver = aftermathOf(clock.offset);
      world.trace(`our clock is ${Math.round(clock.offset / MINUTE)} minutes off`);
      for (const task of world.fleet.alive) task.wake();
      return during(
        world,
        'clock',
        draw.spread(MINUTE, 4 * DAY),
        () => {
          clock.offset = 0;
          world.trace('our clock is right again');
        },
        isOver,
      );
    },
  };
}

/** Met by the next certificate, or mended by then: one that waits for longer would be counted as over, and come all the same. */
const MENDED_AFTER = 20 * DAY;

function blunder(kind: string, how: Blunder, told: RegExp): Fault {
  return {
    kind,
    told,
    aYear: 0.6,
    begin: (world) => {
      const { authority } = world;
      if (authority.blunders.length > 0) return false;
      authority.blunders.push(how);
      const until = Math.min(world.clock.now + MENDED_AFTER, world.calmFrom);
      world.telling.lasts(until);
      world.health.begin('ca');
      const wait = (): void => {
        if (authority.blunders.length > 0 && world.clock.now < until) return void world.clock.after(HOUR, wait);
        authority.blunders = [];
        world.health.end('ca', BACK_OFF);
      };
      wait();
      return true;
    },
  };
}

/** Its signer is broken: each one is paid for, and none is of use. */
const BROKEN_SIGNER: Fault = {
  kind: 'CA sends bad ones for days',
  told: /the certificate that the CA sent|what the CA sent|are used up/,
  aYear: 0.7,
  begin: (world, draw) => {
    const { authority } = world;
    if (authority.blunders.length > 0 || world.storage === 'none') return false;
    const blunders: Blunder[] = Array.from({ length: 200 }, () => draw.pick(['wrong-names', 'broken-chain']));
    authority.blunders = blunders;
    const now = [...world.wantedSince.keys()];
    const more = another(now, draw);
    if (more !== undefined && !world.fleet.isUpgrading) world.want([...now, more]);
    // What it has spent of the limits comes back within a week.
    const end = (): void => {
      authority.blunders = [];
    };
    const ms = draw.between(2, 9) * DAY;
    world.signerBrokenUntil = world.clock.now + ms;
    return during(world, 'ca', ms, end, WEEK);
  },
};

const AUTHORITY: readonly Fault[] = [
  BROKEN_SIGNER,
  outage('CA refuses connections', 'refused', 2, /ACME.*ECONNREFUSED/),
  outage('CA answers 500', 'server-error', 2, /ACME.*serverInternal/),
  outage('CA answers HTML', 'html', 1.5, /ACME.*502/),
  outage('CA does not answer', 'slow', 1.5, /ACME.*no answer/),
  limited('CA limits by header', 'header', /ACME.*too many new orders/),
  limited('CA limits by text', 'text', /ACME.*too many new orders/),
  {
    kind: 'CA loses replies',
    atOrder: true,
    told: /ACME.*(?:socket hang up|ECONNRESET)/,
    aYear: 2,
    begin: (world, draw) => {
      const { authority } = world;
      if (authority.lossy > 0) return false;
      authority.lossy = draw.between(0.05, 0.6);
      return during(
        world,
        'ca',
        draw.spread(HOUR, 20 * DAY),
        () => {
          authority.lossy = 0;
        },
        BACK_OFF,
      );
    },
  },
  {
    kind: 'CA forgets orders',
    aYear: 1,
    begin: ({ authority }) => {
      authority.forgetOrders();
      return true;
    },
  },
  {
    kind: 'CA forgets accounts',
    aYear: 0.7,
    begin: ({ authority }) => {
      authority.forgetAccounts();
      return true;
    },
  },
  {
    kind: 'others use up a domain',
    told: /ACME.*too many certificates/,
    aYear: 1,
    begin: (world, draw) => {
      const name = draw.pick([...world.wantedSince.keys()]);
      if (name === undefined) return false;
      world.authority.crowd(registeredDomain(name));
      // A renewal is free of that limit; a name more is not.
      const now = [...world.wantedSince.keys()];
      const more = NAMES.find((one) => registeredDomain(one) === registeredDomain(name) && !now.includes(one));
      if (more !== undefined && !world.fleet.isUpgrading && draw.chance(0.5)) world.want([...now, more]);
      return during(world, 'ca', 7 * DAY, () => undefined, BACK_OFF);
    },
  },
  {
    kind: 'certificate revoked',
    aYear: 1.5,
    begin: (world, draw) => {
      const value = world.balancer.env[slotOfOurs(world) ?? ''];
      const bundle = typeof value === 'string' ? read(value) : undefined;
      if (bundle === undefined || world.revocations.isRevoked(bundle) || bundle.issuer !== MODEL_ISSUER) return false;
      world.revocations.revoke(bundle, draw.spread(HOUR, 48 * HOUR));
      return true;
    },
  },
  blunder('CA sends other names', 'wrong-names', /what the CA sent|that the CA sent/),
  blunder('CA sends an expired one', 'expired', /that the CA sent/),
  blunder('CA sends the wrong order', 'wrong-order', /what the CA sent|that the CA sent/),
  blunder('CA sends a broken chain', 'broken-chain', /that the CA sent/),
];

const NAMES_FAULTS: readonly Fault[] = [
  trouble('DNS: no record', 'nxdomain', 2, { ...BACK_OFF, told: /no A or AAAA record|NXDOMAIN/ }),
  trouble('DNS: SERVFAIL', 'servfail', 1.5, { ...BACK_OFF, told: /SERVFAIL/ }),
  trouble('CAA forbids', 'caa', 1.5, { ...BACK_OFF, told: /CAA/ }),
  trouble('CAA forbids at the signature', 'caa-late', 1, { ...BACK_OFF, told: /CAA/ }),
  trouble('name refused by policy', 'refused', 1, { ...WEEK, told: /policy/ }),
  trouble('name firewalled from the CA', 'firewalled', 1.5, { ...BACK_OFF, told: /firewall/ }),
  trouble('name routed to another app', 'misrouted', 1.5, { ...BACK_OFF, told: /HTTP 404|another app|404/ }),
  trouble('name not seen from inside', 'unseen', 1.5, { ...BACK_OFF, told: /cannot be reached from here/ }),
  trouble('inner DNS lies', 'denied', 1.5, { told: /private network/ }),
];

const DISK: readonly Fault[] = [
  disk('disk full', 'full', /full|ENOSPC/),
  disk('disk read-only', 'read-only', /read-only|EROFS/),
  disk('disk failing', 'failing', /EIO|folder/),
  {
    kind: 'file corrupted',
    told: /\.json/,
    aYear: 1.5,
    begin: (world, draw) => {
      const { fleet } = world;
      const { volume } = fleet.alive[0] ?? fleet;
      world.excusedAt = world.clock.now;
      const name = draw.pick(volume.names.filter((one) => one.endsWith('.json')));
      const inode = name === undefined ? undefined : volume.find(name);
      if (inode === undefined) return false;
      inode.data = draw.pick([
        '',
        '{',
        inode.data.slice(0, inode.data.length / 2),
        '{"formatVersion": 1}',
        inode.data.replace('M', 'N'),
      ]);
      inode.synced = inode.data;
      return true;
    },
  },
];

const MARATHON: readonly Fault[] = [
  marathon('Marathon away', 'away', { longest: 4 * DAY, aYear: 2, told: /\/v2\/apps.*ECONNREFUSED/ }),
  marathon('Marathon without a leader', 'leaderless', { longest: 30 * MINUTE, aYear: 3, told: /\/v2\/apps.*leader/ }),
  marathon('Marathon slow', 'slow', { longest: DAY, aYear: 2 }),
  put('PUT lost', 'lost', /PUT .*socket hang up/),
  put('PUT applied, reply lost', 'applied-unknown'),
  put('PUT locked', 'locked', /PUT .*locked/),
  put('PUT refused', 'refused', /PUT .*not valid/),
];

export const FAULTS: readonly Fault[] = [
  ...AUTHORITY,
  ...NAMES_FAULTS,
  ...LABELS,
  ...TASKS,
  ...MARATHON,
  ...BALANCER,
  ...EDITS,
  ...CLOCK,
  ...DISK,
  SHORT_LIVED,
];

export const KINDS: readonly string[] = [...FAULTS, ...LIVES].map(({ kind }) => kind);

/** Draws when each kind happens in this run: some runs see much of one kind, and little of another. */
export function schedule(world: World): void {
  const { clock, random, calmFrom, options } = world;
  const intensity = random.stream('intensity').spread(0.35, 1.3);
  for (const fault of FAULTS) {
    const draw = random.stream(fault.kind);
    const own = draw.spread(0.3, 3);
    const count = poisson(draw, (fault.aYear * intensity * own * options.days) / 365);
    for (let n = 0; n < count; n += 1) {
      const at = draw.between(clock.startedAt, calmFrom);
      clock.at(at, () => happen(world, fault, draw));
    }
  }
  for (const change of LIVES) clock.at(change.once(random), () => happen(world, change, random));
}

function happen(world: World, fault: Fault, draw: Random): void {
  if (world.clock.now >= world.calmFrom && fault.aYear > 0) return;
  if (fault.atOrder && draw.chance(0.5)) world.atNextOrder.push(() => begin(world, fault, draw));
  else begin(world, fault, draw);
}

function begin(world: World, fault: Fault, draw: Random): void {
  if (!world.telling.begin(fault.kind, fault.told, () => fault.begin(world, draw))) return;
  world.trace(`--- ${fault.kind}`);
  world.fired.set(fault.kind, (world.fired.get(fault.kind) ?? 0) + 1);
  world.attend(draw.integer(2, 16));
}

/** Knuth's way, for small means. */
function poisson(draw: Random, mean: number): number {
  const least = Math.exp(-mean);
  let count = 0;
  for (let left = draw.next(); left > least; left *= draw.next()) count += 1;
  return count;
}
