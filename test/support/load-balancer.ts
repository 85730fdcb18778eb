/**
 * The simulator's load balancer on its own: a cluster made by hand, small real servers behind it, a client before it.
 *
 * Every instance gets an address of 127.0.0.0/8 of its own, so that each can have the ports 80, 443 and 9090 while
 * others run beside it.
 */
import { createServer, type IncomingMessage, request } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { ClusterView, RunningTask } from '../marathon-simulator/executor.ts';
import { type LoadBalancerOptions, loadBalancerExecutor } from '../marathon-simulator/load-balancer/executor.ts';
import type { AppDefinition, AppWithTasks, HealthCheck, SimTask } from '../marathon-simulator/model.ts';
import { endWithTest, newDirectory } from './haproxy.ts';

export class HandMadeCluster implements ClusterView {
  readonly #listeners = new Set<() => void>();
  #apps: readonly AppWithTasks[];

  constructor(...apps: readonly AppWithTasks[]) {
    this.#apps = apps;
  }

  apps(): readonly AppWithTasks[] {
    return this.#apps;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(...apps: readonly AppWithTasks[]): void {
    this.#apps = apps;
    for (const listener of this.#listeners) listener();
  }
}

export interface AppParts {
  readonly id: string;
  /** Without the HAPROXY_0_ in front. */
  readonly own?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly servicePort?: number;
  /** Where its tasks listen; none: no task runs. */
  readonly ports: readonly number[];
  readonly healthChecks?: readonly HealthCheck[];
  readonly alive?: boolean;
  readonly state?: SimTask['state'];
}

export function app(parts: AppParts): AppWithTasks {
  const own = Object.entries(parts.own ?? {}).map(([name, value]) => [`HAPROXY_0_${name}`, value]);
  return {
    ...definition(parts.id),
    labels: { HAPROXY_GROUP: 'external', ...Object.fromEntries(own), ...parts.labels },
    portDefinitions: [{ port: parts.servicePort ?? 10_000, protocol: 'tcp' }],
    healthChecks: parts.healthChecks ?? [],
    tasks: parts.ports.map((port, nth) => task(`${parts.id}.${nth}`, port, parts)),
  };
}

function task(id: string, port: number, { id: appId, alive, state }: AppParts): SimTask {
  const unused = { endedAt: undefined, pid: undefined, sandbox: '', stdout: '', stderr: '', message: '' };
  const at = new Date().toISOString();
  const times = { version: at, stagedAt: at, startedAt: at };
  return { id, appId, host: '127.0.0.1', ports: [port], state: state ?? 'TASK_RUNNING', alive, ...times, ...unused };
}

function definition(id: string): AppDefinition {
  return {
    id,
    ...{ instances: 1, cpus: 0.1, mem: 32, disk: 0, gpus: 0, env: {}, secrets: {}, labels: {} },
    ...{
      networks: [{ mode: 'host' }],
      portDefinitions: [],
      requirePorts: false,
      healthChecks: [],
      readinessChecks: [],
    },
    ...{
      upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 },
      backoffSeconds: 1,
      backoffFactor: 1.15,
    },
    ...{ maxLaunchDelaySeconds: 300, constraints: [], fetch: [], dependencies: [], executor: '' },
    ...{ killSelection: 'YOUNGEST_FIRST', unreachableStrategy: 'disabled' },
  };
}

/** Addresses of loopback, one after the other; each test file takes another /24. */
export function addressesOf(network: string): () => string {
  let last = 0;
  return () => {
    last += 1;
    return `${network}.${last}`;
  };
}

export interface LoadBalancer {
  readonly host: string;
  readonly task: RunningTask;
  readonly sandbox: string;
}

export interface LoadBalancerSetup extends LoadBalancerOptions {
  readonly host: string;
  readonly cluster?: HandMadeCluster;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** One instance of marathon-lb on `host`, as Marathon would have launched it. */
export async function startLoadBalancer(t: TestContext, setup: LoadBalancerSetup): Promise<LoadBalancer> {
  const sandbox = await newDirectory();
  const ports = [80, 443, 9090];
  const lb: AppDefinition = {
    ...definition('/marathon-lb'),
    args: setup.args ?? ['sse', '--group', 'external'],
    portDefinitions: ports.map((port) => ({ port, protocol: 'tcp' })),
  };
  const launch = {
    taskId: 'marathon-lb.1',
    app: lb,
    host: setup.host,
    ports,
    env: setup.env ?? {},
    sandbox,
    volumes: {},
  };
  const task = await loadBalancerExecutor(setup)(launch, setup.cluster ?? new HandMadeCluster());
  endWithTest(t, task, sandbox);
  return { host: setup.host, task, sandbox };
}

/** A server that says who it is, and which Host it was asked for. */
export async function startBackend(t: TestContext, name: string): Promise<number> {
  const server = createServer((asked, answer) => {
    answer.writeHead(200, { 'x-backend': name, 'x-seen-host': asked.headers.host ?? 'none' }).end(name);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** One word for tables: the backend's name, `301 https://…`, or the status alone. */
  readonly who: string;
}

export interface Question {
  readonly at: string;
  readonly host: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function overHttp({ at, host, path, headers }: Question, port = 80): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: at, port, path: path ?? '/', headers: { ...headers, host }, agent: false };
    request(options, (response) => void read(response).then(resolve, reject))
      .once('error', reject)
      .end();
  });
}

/** `servername` is the SNI; undefined: none is sent. */
export function overHttps(question: Question, servername: string | undefined): Promise<Answer> {
  const { at, host, path, headers } = question;
  return new Promise((resolve, reject) => {
    const base = { host: at, port: 443, path: path ?? '/', headers: { ...headers, host }, agent: false as const };
    httpsRequest({ ...base, servername: servername ?? '', rejectUnauthorized: false }, (response) => {
      read(response).then(resolve, reject);
    })
      .once('error', reject)
      .end();
  });
}

async function read(response: IncomingMessage): Promise<Answer> {
  let body = '';
  for await (const piece of response.setEncoding('utf8')) body += piece;
  const status = response.statusCode ?? 0;
  const backend = response.headers['x-backend'];
  const location = response.headers.location;
  const who = backend ? String(backend) : [status, location].filter(Boolean).join(' ');
  return { status, headers: response.headers, body, who };
}
