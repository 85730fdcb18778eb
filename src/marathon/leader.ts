/**
 * Which of our instances orders certificates: Marathon's own list says so, there is no other lock.
 *
 * Pure. Every instance reads the same list and comes to the same answer; the worst case of a stale list is one
 * needless order.
 */
import { type App, isCurrent, isHealthy, type Task } from './app.ts';

/**
 * The current task that was the first to be healthy; in an upgrade, until there is one, the first of the old ones. Not the
 * one that started first: of two started at once, the later to pass its check would take over in the middle of an order.
 */
export function leaderOf(app: App): Task | undefined {
  const healthy = app.tasks.filter((task) => isHealthy(app, task));
  const current = healthy.filter((task) => isCurrent(app, task));
  return [...(current.length > 0 ? current : healthy)].sort(bySeniority)[0];
}

/** A task of which no time is known is the youngest. The id breaks a tie, by code unit: the same everywhere. */
function bySeniority(a: Task, b: Task): number {
  const since = ({ passedAt, startedAt }: Task) => (passedAt ?? startedAt)?.getTime() ?? Number.MAX_SAFE_INTEGER;
  return since(a) - since(b) || (a.id < b.id ? -1 : 1);
}
