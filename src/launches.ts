/**
 * Which tasks of an app's present configuration have failed before it ever came up, as far as was seen.
 *
 * Marathon lists the tasks that there are and remembers one failure. A task that was there with this configuration and
 * is not any more has failed too, or was killed for its health checks: nothing else ends one while it is deployed.
 */
import { type App, isCurrent, isSettled } from './marathon/app.ts';

/** Nobody asks for more than "two or more". */
const KEPT = 10;

export class FailedLaunches {
  #configuration: string | undefined;
  #present: readonly string[] = [];
  #failed: readonly string[] = [];
  #cameUp = false;

  /** Their ids, after this look at the app, oldest first; none once all its tasks have been healthy. */
  note(app: App): readonly string[] {
    const configuration = app.lastConfigChangeAt ?? app.version;
    if (configuration !== this.#configuration) this.#begin(configuration);
    this.#cameUp ||= isSettled(app);
    if (this.#cameUp) return [];
    const present = app.tasks.filter((task) => isCurrent(app, task)).map(({ id }) => id);
    const gone = this.#present.filter((id) => !app.tasks.some((task) => task.id === id));
    const last = app.lastTaskFailure;
    const told = last !== undefined && isCurrent(app, last) ? [last.taskId] : [];
    this.#present = present;
    this.#failed = [...new Set([...this.#failed, ...gone, ...told])].slice(-KEPT);
    return this.#failed;
  }

  #begin(configuration: string): void {
    this.#configuration = configuration;
    this.#present = [];
    this.#failed = [];
    this.#cameUp = false;
  }
}
