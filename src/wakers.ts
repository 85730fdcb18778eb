/**
 * What wakes the loop from outside: Marathon's events, the daily check, SIGHUP. None of them says what changed.
 *
 * Each hastens a look that would come anyhow; without them the program is slower and nothing else.
 */
import { randomInt } from 'node:crypto';
import type { Log } from './log.ts';
import type { MarathonClient, MarathonEvent } from './marathon/client.ts';
import { pause } from './pause.ts';

/** Reconnecting to the event stream: at first soon, then once a minute; polling alone is enough meanwhile. */
const RECONNECT_MS = { first: 1_000, longest: 60_000 };

const DAY_MS = 24 * 60 * 60_000;

/** Whether there is a moment that the expression means; 31 February never comes. */
export async function everComes(schedule: string | undefined): Promise<boolean> {
  return schedule === undefined || (await import('node-cron')).validate(schedule);
}

/** Calls once a day until the function that it resolves with is called: by a cron expression (in UTC), if there is one. */
export async function everyDay(schedule: string | undefined, check: () => void): Promise<() => unknown> {
  if (schedule === undefined) return onceADay(check);
  const { createTask } = await import('node-cron');
  const task = createTask(schedule, check, { timezone: 'UTC' });
  task.start();
  return () => task.destroy();
}

/** At a time of day drawn once. Without cron, whose time zones bring 10 MiB of Intl and 25 ms of CPU with them. */
function onceADay(check: () => void): () => void {
  const again = (): void => {
    timer = setTimeout(again, DAY_MS);
    check();
  };
  let timer = setTimeout(again, randomInt(DAY_MS));
  return () => clearTimeout(timer);
}

/** Until the function that it returns is called. */
export function onHangup(wake: () => void): () => void {
  process.on('SIGHUP', wake);
  return () => process.off('SIGHUP', wake);
}

interface Stream {
  readonly marathon: Pick<MarathonClient, 'events'>;
  /** Events of other apps wake nobody. */
  readonly appIds: readonly string[];
  readonly wake: () => void;
  readonly log: Log;
}

/** Follows the event stream, again and again, until the signal aborts. Never throws. */
export async function onEvents({ marathon, appIds, wake, log }: Stream, signal: AbortSignal): Promise<void> {
  const isOurs = ({ appId }: MarathonEvent): boolean => appId === undefined || appIds.includes(appId);
  let wait = RECONNECT_MS.first;
  while (!signal.aborted) {
    const connectedAt = performance.now();
    try {
      for await (const event of marathon.events(signal, isOurs)) if (isOurs(event)) wake();
    } catch (error) {
      // It breaks once in a while; one that never holds is worth an operator's eye, once.
      const level = wait < RECONNECT_MS.longest && wait * 2 >= RECONNECT_MS.longest ? 'warn' : 'debug';
      if (!signal.aborted) log[level]({ err: error as Error, waitMs: wait }, 'no event stream');
    }
    const held = performance.now() - connectedAt > RECONNECT_MS.longest;
    wait = held ? RECONNECT_MS.first : Math.min(wait * 2, RECONNECT_MS.longest);
    await pause(wait * (0.5 + Math.random() / 2), signal);
  }
}
