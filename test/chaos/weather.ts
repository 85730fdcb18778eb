/**
 * The way between the program and one server, and what can be wrong with it: connections dropped, replies lost or cut,
 * slowness, silence.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hooks, Recorded, RecordingProxy } from '../support/recording-proxy.ts';

export type Sky = 'fair' | 'connections dropped' | 'replies lost' | 'replies cut' | 'slow' | 'hangs';

/** Each request waits so long on a slow way. */
const SLOW_MS = { least: 100, most: 1_000 };

/** The lot makes each delay; 0 to 1. */
export function setSky(proxy: RecordingProxy, sky: Sky, lot = 0): void {
  proxy.hooks = hooksFor(sky, lot);
  if (sky !== 'hangs') proxy.release();
}

function hooksFor(sky: Sky, lot: number): Hooks {
  switch (sky) {
    case 'fair':
      return {};
    case 'connections dropped':
      return { onRequest: () => 'drop' };
    case 'replies lost':
      return { onReply: () => 'drop' };
    case 'replies cut':
      return { onReply: (_, { path }) => (path.includes('/v2/events') ? 'drop' : 'cut') };
    case 'slow':
      return { onRequest: (n, request) => delayed(n, request, lot) };
    case 'hangs':
      // The server has acted and its word does not come, until all of them come at once. Nothing is acted upon late: a PUT
      // on top of what others did meanwhile is what Marathon's API cannot prevent, and no program could.
      return { onReply: () => 'hold' };
  }
}

async function delayed(n: number, { method }: Recorded, lot: number): Promise<'pass'> {
  if (method !== 'PUT') await sleep(SLOW_MS.least + (SLOW_MS.most - SLOW_MS.least) * ((lot * 97 + n * 0.618) % 1));
  return 'pass';
}
