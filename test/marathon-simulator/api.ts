/**
 * The /v2 resources: what each request reads or changes, as Marathon's AppsResource and its neighbours do.
 *
 * Knows nothing of sockets; `http.ts` does. Refusals are ApiErrors.
 */
import { ApiError, unknownApp } from './api-error.ts';
import type { AppState, Snapshot } from './app-state.ts';
import type { ClientRules } from './client-rules.ts';
import type { Cluster } from './cluster.ts';
import { complete, isSame, merge } from './definitions.ts';
import type { ChangeResult, Deployments } from './deployments.ts';
import type { Faults } from './faults.ts';
import { isObject, type Json } from './json.ts';
import { labelSelector } from './label-selector.ts';
import type { AppDefinition } from './model.ts';
import { readUpdate, wrongType } from './read-definition.ts';
import { render, renderApp, renderListed, renderTask } from './render.ts';
import { renderDeployment } from './render-deployment.ts';
import type { Task } from './task.ts';
import { requireWholeStrategy, validate, validateUpdate } from './validate.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly clientIp: string;
  /** The tests' own requests: no rules, no faults, no auth. */
  readonly operator: boolean;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiParts {
  readonly cluster: Cluster;
  readonly deployments: Deployments;
  readonly faults: Faults;
  readonly rules: ClientRules;
  readonly secretsEnabled: boolean;
  readonly kill: (task: Task) => void;
}

const ok = (body: unknown, headers = {}): Reply => ({ status: 200, body, headers });

export class Api {
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  get #traits() {
    return this.#parts.cluster.traits;
  }

  #state(id: string, call?: Call): AppState {
    const state = this.#parts.cluster.states.get(id);
    const hidden = !call?.operator && this.#parts.faults.isHidden(id);
    if (!state || state.deleted || hidden) throw unknownApp(id);
    return state;
  }

  #runtime(state: AppState) {
    const deployments = this.#parts.deployments.running(state.id).map(({ id }) => id);
    return { tasks: this.#parts.cluster.tasksOf(state.id), deployments };
  }

  #visible(call: Call): readonly AppState[] {
    return [...this.#parts.cluster.states.values()].filter(
      ({ id, deleted }) => !deleted && (call.operator || !this.#parts.faults.isHidden(id)),
    );
  }

  list(call: Call): Reply {
    const { query } = call;
    const matches = labelSelector(query.get('label') ?? '');
    const contains = (value: string | undefined, name: string) =>
      (value ?? '').toLowerCase().includes((query.get(name) ?? '').toLowerCase());
    const fits = ({ definition: app }: AppState) =>
      matches(app.labels) && contains(app.id, 'id') && contains(app.cmd, 'cmd');
    const withTasks = query.getAll('embed').some((embed) => embed.replace(/^.*?apps?\./, '') === 'tasks');
    const write = withTasks ? renderApp : renderListed;
    return ok({
      apps: this.#visible(call)
        .filter(fits)
        .map((state) => write(state, this.#runtime(state), this.#traits)),
    });
  }

  get(id: string, call: Call): Reply {
    if (id.endsWith('*')) {
      const group = this.#visible(call).filter((state) => state.id.startsWith(id.slice(0, -1)));
      return ok({ '*': group.map((state) => renderApp(state, this.#runtime(state), this.#traits)) });
    }
    const state = this.#state(id, call);
    return ok({ app: renderApp(state, this.#runtime(state), this.#traits) });
  }

  versions(id: string, call: Call): Reply {
    return ok({ versions: this.#state(id, call).history.map(({ version }) => version) });
  }

  version(id: string, version: string, call: Call): Reply {
    return ok(render(snapshotOf(this.#state(id, call), version), this.#traits));
  }

  create(call: Call): Reply {
    const update = readUpdate(call.body, this.#traits);
    if (typeof update.id !== 'string') throw wrongType(this.#traits, '/id', 'error.path.missing');
    const id = absolute(update.id);
    const exists = this.#parts.cluster.states.get(id);
    if (exists && !exists.deleted) throw new ApiError(409, { message: `An app with id [${id}] already exists.` });
    requireWholeStrategy(update, this.#traits);
    const app = this.#validated(complete(update, id, this.#traits), undefined);
    const result = this.#change(id, app, call);
    const { versionInfo: _, ...shown } = render(snapshot(app, result.version), this.#traits);
    const counts = { tasksStaged: 0, tasksRunning: 0, tasksHealthy: 0, tasksUnhealthy: 0, tasks: [] };
    const body = { ...shown, ...counts, deployments: [{ id: result.deploymentId }] };
    return { status: 201, body, headers: { Location: id, ...this.#deploymentHeader(result) } };
  }

  /** PUT and PATCH. The id of the URL wins over one in the body. */
  update(id: string, call: Call): Reply {
    if (!call.operator && this.#parts.faults.isHidden(id)) {
      throw new ApiError(403, { message: 'Not Authorized to perform this action!' });
    }
    const state = this.#parts.cluster.states.get(id);
    const old = state?.deleted ? undefined : state?.definition;
    if (call.method === 'PATCH' && !old) throw unknownApp(id);
    const next = this.#next(id, call, old, state);
    if (old && isSame(old, next) && !call.operator) this.#parts.rules.onNothingChanged(`${call.method} ${call.path}`);
    const result = this.#change(id, next, call);
    const headers = this.#deploymentHeader(result);
    return { status: old ? 200 : 201, body: result, headers };
  }

  #next(id: string, call: Call, old: AppDefinition | undefined, state: AppState | undefined): AppDefinition {
    const whole = call.method === 'PUT' && call.query.get('partialUpdate') === 'false' && this.#traits.patch;
    const body = isObject(call.body) ? call.body : {};
    const update = readUpdate(call.body, this.#traits);
    if (whole || !old || !state) {
      requireWholeStrategy(update, this.#traits);
      return this.#validated(complete(update, id, this.#traits), old);
    }
    if (!call.operator) this.#parts.rules.onMerge(`${call.method} ${call.path}`, body, old);
    validateUpdate(body, update, this.#context(old));
    if (typeof body.version === 'string') return snapshotOf(state, body.version).definition;
    return this.#validated(merge(old, update, this.#traits), old);
  }

  #context(old: AppDefinition | undefined) {
    return { traits: this.#traits, secretsEnabled: this.#parts.secretsEnabled, old };
  }

  #validated(app: AppDefinition, old: AppDefinition | undefined): AppDefinition {
    validate(app, this.#context(old));
    return app;
  }

  #change(id: string, next: AppDefinition | undefined, call: Call, force = call.query.get('force') === 'true') {
    try {
      const result = this.#parts.deployments.change(id, next, { force });
      if (next) this.#announce(id, call);
      return result;
    } catch (error) {
      this.#noteRefusal(error, call);
      throw error;
    }
  }

  #announce(id: string, { clientIp, path: uri }: Call): void {
    const state = this.#parts.cluster.states.get(id);
    const appDefinition = state && render(state.current, this.#traits);
    this.#parts.cluster.bus.publish('api_post_event', { clientIp, uri, appDefinition });
  }

  #noteRefusal(error: unknown, call: Call): void {
    if (call.operator || !(error instanceof ApiError) || error.status !== 409) return;
    const deployments = isObject(error.body) && Array.isArray(error.body.deployments) ? error.body.deployments : [];
    this.#parts.rules.onLocked(
      `${call.method} ${call.path}`,
      deployments.map((one: Json) => String(one.id)),
    );
  }

  #deploymentHeader(result: ChangeResult): Readonly<Record<string, string>> {
    return this.#traits.deploymentHeader ? { 'Marathon-Deployment-Id': result.deploymentId } : {};
  }

  restart(id: string, call: Call): Reply {
    const { definition } = this.#state(id, call);
    const force = call.query.get('force') === 'true';
    const result = this.#parts.deployments.change(id, definition, { force, restart: true });
    return ok(result, this.#deploymentHeader(result));
  }

  /** The one verb that forces unless told not to. */
  remove(id: string, call: Call): Reply {
    this.#state(id, call);
    const result = this.#change(id, undefined, call, call.query.get('force') !== 'false');
    return ok(result, this.#deploymentHeader(result));
  }

  tasks(id: string, call: Call): Reply {
    const state = this.#state(id, call);
    return ok({ tasks: this.#runtime(state).tasks.map((task) => renderTask(task, this.#traits)) });
  }

  allTasks(call: Call): Reply {
    const tasks = this.#visible(call).flatMap((state) => this.#runtime(state).tasks);
    return ok({ tasks: tasks.map((task) => renderTask(task, this.#traits)) });
  }

  killTask(id: string, taskId: string, call: Call): Reply {
    const task = this.#runtime(this.#state(id, call)).tasks.find((one) => one.id === taskId);
    if (!task) throw new ApiError(404, { message: `Task '${taskId}' does not exist` });
    const shown = renderTask(task, this.#traits);
    this.#parts.kill(task);
    return ok({ task: shown });
  }

  deployments(call: Call): Reply {
    const { faults, deployments } = this.#parts;
    const old = (startedAt: Date) => Date.now() - startedAt.getTime() >= faults.listLagMs;
    const listed = deployments
      .running()
      .filter(({ appId, startedAt }) => call.operator || (!faults.isHidden(appId) && old(startedAt)));
    return ok(listed.map((one) => renderDeployment(one, this.#traits)));
  }

  endDeployment(id: string, call: Call): Reply {
    const deployment = this.#parts.deployments.running().find((one) => one.id === id);
    if (!deployment) throw new ApiError(404, { message: `DeploymentPlan ${id} does not exist` });
    if (call.query.get('force') !== 'true') return ok(this.#parts.deployments.rollback(deployment));
    this.#parts.deployments.stop(deployment);
    return { status: 202, body: undefined };
  }

  resetDelay(id: string): Reply {
    const state = this.#parts.cluster.states.get(id);
    if (!state || state.queue.count === 0) {
      throw new ApiError(404, { message: `Application ${id} not found in tasks queue.` });
    }
    state.backoff = undefined;
    this.#parts.cluster.changed();
    return { status: 204, body: undefined };
  }
}

export function absolute(id: string): string {
  return `/${id.replace(/^\/+/, '').replace(/\/+$/, '')}`;
}

function snapshot(definition: AppDefinition, version: string): Snapshot {
  return { definition, version, versionInfo: { lastScalingAt: version, lastConfigChangeAt: version } };
}

function snapshotOf(state: AppState, version: string): Snapshot {
  const found = state.history.find((one) => Date.parse(one.version) === Date.parse(version));
  if (!found) throw new ApiError(404, { message: `App '${state.id}' does not exist in version ${version}` });
  return found;
}
