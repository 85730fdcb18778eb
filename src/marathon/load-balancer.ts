/** What marathon-lb's own arguments say. Pure. */
import type { App } from './app.ts';

/** The groups whose apps it takes; empty: all. */
export function groupsOf({ args }: App): readonly string[] {
  const groups = args.flatMap((arg, nth) => {
    if (arg.startsWith('--group=')) return arg.slice('--group='.length).split(',');
    return arg === '--group' ? (args[nth + 1] ?? '').split(',') : [];
  });
  return groups.includes('*') ? [] : groups.filter(Boolean);
}
