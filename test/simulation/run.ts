/** One seed, from its number to what became of it. Importing this file puts the stand-ins for time and disk in place. */
import './clock.ts';
import './disk.ts';
import { KINDS } from './faults.ts';
import type { Told } from './telling.ts';
import { World } from './world.ts';

export interface Result {
  readonly seed: number;
  readonly violations: readonly string[];
  /** SHA-256 of the whole trace. */
  readonly digest: string;
  /** All that could have happened. */
  readonly kinds: readonly string[];
  readonly fired: Readonly<Record<string, number>>;
  /** What excused a certificate that expired, and how often. */
  readonly excused: Readonly<Record<string, number>>;
  /** By kind, how many were told in words that fit, and how many nobody met. */
  readonly told: Readonly<Record<string, Told>>;
  readonly revoked: { readonly inPeace: number; readonly all: number };
  /** The last lines of the trace. */
  readonly tail: readonly string[];
  readonly counts: Counts;
}

export interface Counts {
  readonly days: number;
  readonly passes: number;
  readonly checks: number;
  readonly orders: number;
  readonly certificates: number;
  readonly deployments: number;
  readonly starts: number;
  readonly cpuMs: number;
}

export interface Asked {
  readonly seed: number;
  readonly days: number;
  readonly onLine?: (line: string) => void;
}

const TAIL = 25;

let current: World | undefined;

/** A promise that nobody waits for is a fault of the program like any other. */
process.on('unhandledRejection', (error) => {
  if (current === undefined) throw error;
  current.violate(`unhandled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
});

export async function runSeed(asked: Asked): Promise<Result> {
  const before = process.threadCpuUsage();
  const world = new World(asked);
  current = world;
  try {
    await world.run();
  } finally {
    current = undefined;
  }
  const { user, system } = process.threadCpuUsage(before);
  return {
    seed: asked.seed,
    violations: world.violations,
    digest: world.digest,
    kinds: KINDS,
    fired: Object.fromEntries(world.fired),
    excused: Object.fromEntries(world.judge.expiry.excused),
    told: Object.fromEntries(world.telling.counts),
    revoked: world.revocations.counts,
    tail: world.lines.slice(-TAIL),
    counts: {
      days: asked.days,
      passes: world.passes,
      checks: world.judge.checks,
      orders: world.authority.ordersMade,
      certificates: world.authority.issued.length,
      deployments: world.marathon.puts,
      starts: world.fleet.started,
      cpuMs: Math.round((user + system) / 1000),
    },
  };
}
