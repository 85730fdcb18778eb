/**
 * What a well-behaved client of Marathon never does; each breach becomes a sentence in `simulator.violations`.
 *
 * Marathon itself would let most of these pass and damage somebody's app: that is why the simulator looks. The tests'
 * own operator requests are not held to them. Two rules cannot be seen from here: that no private key is in a log is asserted
 * by the sweep at the end of every cluster (test/support/cluster-sweep.ts), that a token never goes to another origin by the
 * test of the client (test/integration/marathon-client.test.ts).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isObject, type Json } from './json.ts';
import type { AppDefinition } from './model.ts';

/** What only Marathon writes: a body with one of these is a GET body sent back. */
const READ_ONLY = ['tasks', 'deployments', 'versionInfo', 'tasksRunning', 'tasksStaged', 'lastTaskFailure'];

export class ClientRules {
  readonly violations: string[] = [];
  readonly #refusals = new Map<string, number>();

  #breach(rule: string): void {
    this.violations.push(rule);
  }

  onBody(request: string, headers: IncomingHttpHeaders): void {
    if (headers['content-length'] === undefined) this.#breach(`${request}: no Content-Length`);
  }

  onEvents(accept: string | undefined): void {
    if (accept !== 'text/event-stream')
      this.#breach(`GET /v2/events: Accept is '${accept ?? ''}', not text/event-stream`);
  }

  /** A partial update, before it is merged. `shown` is what GET would have answered. */
  onMerge(request: string, body: Json, old: AppDefinition): void {
    const only = Object.keys(body).every((name) => name === 'version' || name === 'id');
    if (body.version !== undefined && !only) this.#breach(`${request}: sends version in a merge`);
    for (const name of READ_ONLY)
      if (name in body) this.#breach(`${request}: sends back ${name}, which only Marathon writes`);
    if (isObject(body.env)) this.#onEnv(request, body.env, body, old);
    for (const name of ['executorResources', 'resourceLimits'] as const) {
      if (old[name] !== undefined && body[name] === undefined && !only)
        this.#breach(`${request}: does not echo ${name}`);
    }
  }

  #onEnv(request: string, env: Json, body: Json, old: AppDefinition): void {
    for (const [name, value] of Object.entries(old.env)) {
      if (!(name in env)) this.#breach(`${request}: env loses ${name}`);
      if (typeof value !== 'string' && typeof env[name] === 'string') {
        this.#breach(`${request}: env turns the secret reference ${name} into text`);
      }
    }
    const references = Object.values(env).some((value) => isObject(value));
    if (references && body.secrets === undefined)
      this.#breach(`${request}: env has secret references, but no secrets are sent`);
  }

  onNothingChanged(request: string): void {
    this.#breach(`${request}: changes nothing`);
  }

  /** One refusal can be a race; a second one for the same lock is a loop. */
  onLocked(request: string, deployments: readonly string[]): void {
    const key = `${request} ${deployments.join(',')}`;
    const count = (this.#refusals.get(key) ?? 0) + 1;
    this.#refusals.set(key, count);
    if (count === 2) this.#breach(`${request}: sent again while locked by ${deployments.join(', ') || 'something'}`);
  }
}
