/**
 * What we ask of Marathon: an app, the deployments, the queue, one change, the events.
 *
 * Each answer leaves here as a small type of ours, each failure as a MarathonError. There are no loops and no waiting
 * in here: what to do about a failure, and when, is decided by the plan.
 */
import { mapBounded } from '../bounded.ts';
import { printable } from '../printable.ts';
import { type App, normaliseId, readApp, readLabels } from './app.ts';
import type { MarathonAuth } from './auth.ts';
import { excerpt, IS_IT_MARATHON, jsonIn, MAY_BE_MADE, MarathonError } from './error.ts';
import { EVENTS_PATH, type MarathonEvent, readEvents } from './events.ts';
import { MarathonHttp } from './http.ts';
import { type Json, list, number, record, records, text } from './json.ts';
import type { Answer } from './transport.ts';
import { appUpdate } from './update.ts';

export type { MarathonEvent } from './events.ts';

export interface Deployment {
  readonly id: string;
  readonly affectedApps: readonly string[];
  /** 0: accepted, not begun. */
  readonly currentStep: number;
  readonly totalSteps: number;
  readonly actions: readonly string[];
}

export interface QueueItem {
  readonly appId: string;
  readonly count: number;
  /** Waiting for an offer; false: held back after failures. */
  readonly overdue: boolean;
  readonly timeLeftSeconds: number;
  /** Reason → how many of the last offers were declined for it. */
  readonly declined: Readonly<Record<string, number>>;
}

/** Another app, as far as it may matter to a load balancer that serves it. */
export interface Neighbour {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly isRunning: boolean;
}

export interface MarathonClientOptions {
  readonly urls: readonly string[];
  readonly auth: MarathonAuth;
  readonly caPem?: string | undefined;
  readonly timeoutMs: number;
}

const MIB = 1024 * 1024;
// We have 128 MB for everything, and several answers are read at once: what is read takes its size three times and more.
const APP_MAX = 4 * MIB; // ZooKeeper keeps no definition above 1 MiB; the rest is tasks
const LIST_MAX = 8 * MIB; // every item of the queue carries an app, and each app its whole env

/** Of this list nothing is needed but a few labels: not worth half of our memory. */
const NEIGHBOURS_MAX = 4 * MIB;

const PAST_VERSIONS = 10;

/** Of each the labels alone are kept: all ten at once would be read into a third of our memory. */
const VERSIONS_AT_ONCE = 2;

const LONGEST_VERSION = 40;

const JSON_HEADERS = { Accept: 'application/json' };

export class MarathonClient {
  readonly #http: MarathonHttp;

  constructor(options: MarathonClientOptions) {
    this.#http = new MarathonHttp(options);
  }

  async app(id: string, signal: AbortSignal): Promise<App> {
    const path = appPath(id);
    return readApp(await this.#get(path, APP_MAX, signal), `GET ${path}`);
  }

  /** Which Marathon it is, and what time it is there. */
  async info(signal: AbortSignal): Promise<{ version: string | undefined; date: Date | undefined }> {
    const ask = { method: 'GET', path: '/v2/info', headers: JSON_HEADERS, maxBytes: MIB } as const;
    const answer = await this.#http.send(ask, signal);
    const date = new Date(answer.header('date') ?? Number.NaN);
    const version = printable(text(record(jsonIn(answer))?.version) ?? '', LONGEST_VERSION) || undefined;
    return { version, date: Number.isNaN(date.getTime()) ? undefined : date };
  }

  async deployments(signal: AbortSignal): Promise<readonly Deployment[]> {
    const path = '/v2/deployments';
    const body = await this.#get(path, LIST_MAX, signal);
    if (!Array.isArray(body)) throw notThat(path, 'a list of deployments');
    return records(body).flatMap((item) => readDeployment(item) ?? []);
  }

  async queue(signal: AbortSignal): Promise<readonly QueueItem[]> {
    const path = '/v2/queue';
    const queue = record(await this.#get(path, LIST_MAX, signal))?.queue;
    if (!Array.isArray(queue)) throw notThat(path, 'a launch queue');
    return records(queue).flatMap((item) => readQueueItem(item) ?? []);
  }

  /**
   * Sets variables in the app's env and leaves all else as it is. Last write wins: Marathon has no If-Match, so
   * `app` must have been read just now. After an error with `outcomeUnknown` only reading the app again tells. Forced, it
   * takes the place of a deployment that is running.
   */
  async putEnv(
    app: App,
    changes: Readonly<Record<string, string>>,
    signal: AbortSignal,
    options: { readonly force?: boolean } = {},
  ): Promise<{ deploymentId: string | undefined; version: string | undefined }> {
    const path = appPath(app.id);
    const body = JSON.stringify(appUpdate(app, changes));
    const headers = { ...JSON_HEADERS, 'Content-Type': 'application/json' };
    const ask = {
      method: 'PUT',
      path: options.force ? `${path}?force=true` : path,
      headers,
      body,
      maxBytes: APP_MAX,
    } as const;
    const answer = await this.#http.send(ask, signal);
    const reply = record(jsonIn(answer));
    const deploymentId = text(reply?.deploymentId) ?? answer.header('marathon-deployment-id');
    if (!reply && !deploymentId) {
      throw new MarathonError(`PUT ${path}: ${notJson(answer)}`, `${IS_IT_MARATHON} ${MAY_BE_MADE}`, {
        outcomeUnknown: true,
        retryable: true,
      });
    }
    return { deploymentId, version: text(reply?.version) };
  }

  /**
   * The labels of the app's latest versions, the current one included. Marathon keeps the last 50 (25 up to 1.3);
   * the latest ten are enough to know what an edit has just taken away.
   */
  async pastLabels(id: string, signal: AbortSignal): Promise<readonly App['labels'][]> {
    const path = `${appPath(id)}/versions`;
    const versions = list(record(await this.#get(path, APP_MAX, signal))?.versions).flatMap((it) => text(it) ?? []);
    const latest = versions.sort().slice(-PAST_VERSIONS);
    const labelsOf = async (version: string): Promise<App['labels']> =>
      readApp(await this.#get(`${path}/${encodeURIComponent(version)}`, APP_MAX, signal), `GET ${path}`).labels;
    return mapBounded(latest, VERSIONS_AT_ONCE, labelsOf);
  }

  /**
   * The apps that a load balancer of these groups takes, by their first port at least; of none: every app with a virtual
   * host. The selector does not know of the other ports' own groups, and asking for each would be a query a port.
   */
  async neighbours(groups: readonly string[], signal: AbortSignal): Promise<readonly Neighbour[]> {
    const values = groups.map(escaped).join(',');
    const selectors =
      groups.length === 0 ? ['HAPROXY_0_VHOST'] : ['GROUP', '0_GROUP'].map((own) => `HAPROXY_${own} in (${values})`);
    const lists = await mapBounded(selectors, 1, (selector) => this.#listed(selector, signal)); // each may be long
    return [...new Map(lists.flat().map((app) => [app.id, app])).values()];
  }

  async #listed(selector: string, signal: AbortSignal): Promise<readonly Neighbour[]> {
    const path = `/v2/apps?label=${encodeURIComponent(selector)}`;
    const apps = record(await this.#get(path, NEIGHBOURS_MAX, signal))?.apps;
    if (!Array.isArray(apps)) throw notThat('/v2/apps', 'a list of apps');
    return records(apps).flatMap((app) => readNeighbour(app) ?? []);
  }

  /** One connection: ends when Marathon closes it or the signal aborts, throws MarathonError when it breaks. */
  async *events(
    signal: AbortSignal,
    concerns?: (event: MarathonEvent) => boolean,
  ): AsyncGenerator<MarathonEvent, void, undefined> {
    const answer = await this.#connect(signal);
    if (answer?.body) yield* readEvents(answer.body, { signal, ...(concerns && { concerns }) });
  }

  async #connect(signal: AbortSignal): Promise<Answer | undefined> {
    // Exactly this value: Jetty answers 405 to a list or a wildcard.
    const headers = { Accept: 'text/event-stream', 'Accept-Encoding': 'identity' };
    const ask = { method: 'GET', path: EVENTS_PATH, headers, maxBytes: MIB, stream: true } as const;
    try {
      const answer = await this.#http.send(ask, signal);
      if (answer.body && /^text\/event-stream\b/i.test(answer.contentType)) return answer;
      answer.body?.destroy();
      const got = `${answer.status} with ${answer.contentType || 'no content type'}, not events`;
      throw new MarathonError(`GET /v2/events: ${got}`, IS_IT_MARATHON);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  async #get(path: string, maxBytes: number, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#http.send({ method: 'GET', path, headers: JSON_HEADERS, maxBytes }, signal);
    const body = jsonIn(answer);
    if (body === undefined) {
      throw new MarathonError(`GET ${path.split('?')[0]}: ${notJson(answer)}`, IS_IT_MARATHON, { retryable: true });
    }
    return body;
  }
}

function notThat(path: string, expected: string): MarathonError {
  return new MarathonError(`GET ${path}: the answer is not ${expected}`, IS_IT_MARATHON);
}

/** A page with status 200: a captive proxy, a login page. Never a word of what claims to be JSON. */
function notJson(answer: Answer): string {
  const words = excerpt(answer);
  const said = words && ` ("${words}")`;
  return `${answer.status} with ${answer.contentType || 'no content type'}${said}, not the JSON of Marathon`;
}

function appPath(id: string): string {
  return `/v2/apps${normaliseId(id).split('/').map(encodeURIComponent).join('/')}`;
}

/** Marathon's LabelSelector takes letters, digits and -_. as they are. */
function escaped(value: string): string {
  return value.replace(/[^-A-Za-z0-9_.]/g, '\\$&');
}

function readNeighbour(app: Json): Neighbour | undefined {
  const id = text(app.id);
  if (id === undefined) return undefined;
  return { id: normaliseId(id), labels: readLabels(app.labels), isRunning: number(app.tasksRunning) !== 0 };
}

function readDeployment(item: Json): Deployment | undefined {
  const id = text(item.id);
  if (id === undefined) return undefined;
  return {
    id,
    affectedApps: list(item.affectedApps).flatMap((app) => (typeof app === 'string' ? normaliseId(app) : [])),
    currentStep: number(item.currentStep) ?? 0,
    totalSteps: number(item.totalSteps) ?? list(item.steps).length,
    actions: records(item.currentActions).flatMap(({ action, type }) => text(action) ?? text(type) ?? []),
  };
}

function readQueueItem(item: Json): QueueItem | undefined {
  const id = text(record(item.app)?.id);
  if (id === undefined) return undefined; // a pod
  const delay = record(item.delay);
  return {
    appId: normaliseId(id),
    count: number(item.count) ?? 0,
    overdue: delay?.overdue === true,
    timeLeftSeconds: number(delay?.timeLeftSeconds) ?? 0,
    declined: readDeclined(record(item.processedOffersSummary)), // since 1.4
  };
}

function readDeclined(summary: Json | undefined): Readonly<Record<string, number>> {
  const reasons = records(summary?.rejectSummaryLastOffers).map(({ reason, declined }): [string, number] => [
    text(reason) ?? 'unknown',
    number(declined) ?? 0,
  ]);
  return Object.fromEntries(reasons.filter(([, declined]) => declined > 0));
}
