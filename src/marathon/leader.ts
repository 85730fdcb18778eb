/**
 * Which of our instances orders certificates: Marathon's own list says so, there is no other lock.
 *
 * Pure. Every instance reads the same list and comes to the same answer; the worst case of a stale list is one
 * needless order.
 */
import { type App, isCurrent, isHealthy, type Task } from './app.ts';

/** The current, healthy task that started first; in an upgrade, until there is one, the oldest healthy one. */
export function leaderOf(app: App): Task | undefined {
  const healthy = app.tasks.filter((task) => isHealthy(app, task));
  const current = healthy.filter((task) => isCurrent(app, task));
  return [...(current.length > 0 ? current : healthy)].sort(byStart)[0];
}

/** A task whose start is not known yet is the youngest. The id breaks a tie, by code unit: the same everywhere. */
function byStart(a: Task, b: Task): number {
  const since = (task: Task) => task.startedAt?.getTime() ?? Number.MAX_SAFE_INTEGER;
  return since(a) - since(b) || (a.id < b.id ? -1 : 1);
}
