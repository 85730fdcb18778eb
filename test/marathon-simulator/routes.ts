/** Which path is what: the table of Marathon's HTTP API as far as this simulator has it. */
import { type Api, absolute, type Call, type Reply } from './api.ts';
import { ApiError } from './api-error.ts';
import { LOGIN_PATH } from './auth.ts';
import type { Traits } from './profiles.ts';

type Handler = (call: Call, first: string, second: string) => Reply;

export interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handle: Handler;
}

export interface Extras {
  readonly info: () => unknown;
  readonly leader: () => Reply;
  readonly queue: (embedOffers: boolean) => unknown;
  readonly login: (body: unknown) => { token: string };
}

const ok = (body: unknown): Reply => ({ status: 200, body });

export function routes(api: Api, extras: Extras): readonly Route[] {
  const route = (method: string, path: RegExp, handle: Handler): Route => ({ method, path, handle });
  return [
    route('GET', /^\/ping$/, () => ({ status: 200, body: 'pong', headers: { 'content-type': 'text/plain' } })),
    route('GET', /^\/v2\/info$/, () => ok(extras.info())),
    route('GET', /^\/v2\/leader$/, () => extras.leader()),
    route('POST', new RegExp(`^${LOGIN_PATH}$`), ({ body }) => login(extras, body)),
    route('GET', /^\/v2\/apps\/?$/, (call) => api.list(call)),
    route('POST', /^\/v2\/apps\/?$/, (call) => api.create(call)),
    route('GET', /^\/v2\/apps\/(.+)\/versions\/([^/]+)$/, (call, id, version) =>
      api.version(absolute(id), version, call),
    ),
    route('GET', /^\/v2\/apps\/(.+)\/versions$/, (call, id) => api.versions(absolute(id), call)),
    route('POST', /^\/v2\/apps\/(.+)\/restart$/, (call, id) => api.restart(absolute(id), call)),
    route('GET', /^\/v2\/apps\/(.+)\/tasks$/, (call, id) => api.tasks(absolute(id), call)),
    route('DELETE', /^\/v2\/apps\/(.+)\/tasks\/([^/]+)$/, (call, id, task) => api.killTask(absolute(id), task, call)),
    route('GET', /^\/v2\/apps\/(.+)$/, (call, id) => api.get(absolute(id), call)),
    route('PUT', /^\/v2\/apps\/(.+)$/, (call, id) => api.update(absolute(id), call)),
    route('PATCH', /^\/v2\/apps\/(.+)$/, (call, id) => api.update(absolute(id), call)),
    route('DELETE', /^\/v2\/apps\/(.+)$/, (call, id) => api.remove(absolute(id), call)),
    route('GET', /^\/v2\/tasks$/, (call) => api.allTasks(call)),
    route('GET', /^\/v2\/deployments$/, (call) => api.deployments(call)),
    route('DELETE', /^\/v2\/deployments\/([^/]+)$/, (call, id) => api.endDeployment(id, call)),
    route('GET', /^\/v2\/queue$/, ({ query }) => ok(extras.queue(query.getAll('embed').includes('lastUnusedOffers')))),
    route('DELETE', /^\/v2\/queue\/(.+)\/delay$/, (_call, id) => api.resetDelay(absolute(id))),
  ];
}

function login(extras: Extras, body: unknown): Reply {
  const { token } = extras.login(body);
  return { status: 200, body: { token }, headers: { 'Set-Cookie': `dcos-acs-auth-cookie=${token}; Path=/; HttpOnly` } };
}

export function dispatch(table: readonly Route[], call: Call, traits: Traits): Reply {
  const path = decodeURIComponent(call.path);
  const fits = table.filter((route) => route.path.test(path));
  const known = call.method !== 'PATCH' || traits.patch;
  const found = known ? fits.find(({ method }) => method === call.method) : undefined;
  if (!found) throw fits.length > 0 ? notAllowed() : uriNotFound(path, traits);
  const [, first = '', second = ''] = found.path.exec(path) ?? [];
  return found.handle(call, first, second);
}

/** A wrong base path looks like a server fault from 1.6 on. */
function uriNotFound(path: string, traits: Traits): ApiError {
  const message = traits.unknownPathStatus === 500 ? 'URI not found' : `URI not found: ${path}`;
  return new ApiError(traits.unknownPathStatus, { message });
}

function notAllowed(): ApiError {
  return new ApiError(405, { message: 'HTTP 405 Method Not Allowed' });
}
