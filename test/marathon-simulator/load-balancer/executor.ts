/**
 * The simulator's marathon-lb: for each task a real HAProxy on the agent's address and the task's host ports.
 *
 * Around HAProxy this does what marathon-lb's run script and its Python do: the certificates once, from the env; the
 * configuration whenever the cluster changes; an app that HAProxy refuses is left out. A PEM that HAProxy refuses
 * leaves nothing to leave out: the ports stay closed, and the task runs on, as it does in the real container.
 */
import { appendFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterView, Executor, Exit, Launch, RunningTask } from '../executor.ts';
import { type AppDefinition, type AppWithTasks, mappings, onHostNetwork } from '../model.ts';
import { certificateFiles, untrusted } from './certificates.ts';
import { complaintAbout, Haproxy } from './haproxy.ts';
import { LeftOut, routedServices, type Selection } from './labels.ts';
import { type Fragment, type Frame, fragmentOf, render } from './render.ts';

type Env = Readonly<Record<string, string>>;

export interface LoadBalancerOptions {
  /** The variables that the certificates are taken from: an instance that serves another PEM than its env says. */
  readonly pemFor?: (launch: Launch, env: Env) => Env;
}

export function loadBalancerExecutor(options: LoadBalancerOptions = {}): Executor {
  return async (launch, cluster) => {
    const certificates = await writeCertificates(launch, options.pemFor?.(launch, launch.env) ?? launch.env);
    const task = new LoadBalancerTask(launch, cluster, certificates);
    await task.start();
    return task;
  };
}

async function writeCertificates({ sandbox }: Launch, env: Env): Promise<readonly string[]> {
  const fromEnv = certificateFiles(env);
  const files = fromEnv.size > 0 ? fromEnv : new Map([['cert.pem', untrusted()]]);
  const directory = join(sandbox, 'ssl');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await Promise.all([...files].map(([name, pem]) => writeFile(join(directory, name), pem, { mode: 0o600 })));
  return [...files.keys()];
}

class LoadBalancerTask implements RunningTask {
  readonly exited: Promise<Exit>;
  readonly #launch: Launch;
  readonly #cluster: ClusterView;
  readonly #frame: Frame;
  readonly #selection: Selection;
  readonly #ended = Promise.withResolvers<Exit>();
  readonly #stopListening: () => void;
  /** With --haproxy-map, until the first file is in its place. */
  #lacksMaps: boolean;
  #haproxy: Haproxy | undefined;
  #wanted: string | undefined;
  #changed = false;
  #updating: Promise<void> | undefined;
  #stopped = false;

  constructor(launch: Launch, cluster: ClusterView, certificates: readonly string[]) {
    this.#launch = launch;
    this.#cluster = cluster;
    this.#selection = selectionOf(launch.app.args ?? []);
    this.#lacksMaps = launch.app.args?.includes('--haproxy-map') ?? false;
    this.#frame = frameOf(launch, certificates);
    this.exited = this.#ended.promise;
    this.#stopListening = cluster.onChange(() => void this.#look());
  }

  start(): Promise<void> {
    return this.#look();
  }

  get pid(): number | undefined {
    return this.#haproxy?.pid;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#haproxy) this.#haproxy.kill(signal);
    else this.#end({ code: null, signal });
  }

  #end(exit: Exit): void {
    this.#stopped = true;
    this.#stopListening();
    this.#ended.resolve(exit);
  }

  /** One update at a time; what changes meanwhile makes one more. */
  #look(): Promise<void> {
    this.#changed = true;
    this.#updating ??= this.#update().finally(() => {
      this.#updating = undefined;
    });
    return this.#updating;
  }

  async #update(): Promise<void> {
    while (this.#changed && !this.#stopped) {
      this.#changed = false;
      await this.#turn().catch((error: unknown) => this.#say(`update failed: ${error}`));
    }
  }

  async #turn(): Promise<void> {
    const apps = await this.#fragments();
    const wanted = render([...apps.values()].flat(), this.#frame);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    const config = await this.#firstThatLoads(apps);
    if (config === undefined || this.#stopped) return;
    if (this.#haproxy) await this.#haproxy.reload();
    else await this.#run(config);
  }

  async #run(config: string): Promise<void> {
    const haproxy = await Haproxy.start({ config, directory: this.#launch.sandbox, env: this.#launch.env });
    this.#haproxy = haproxy;
    if (this.#stopped) haproxy.kill('SIGKILL'); // killed while it started
    void haproxy.exited.then((exit) => this.#end(exit));
  }

  async #fragments(): Promise<ReadonlyMap<string, readonly Fragment[]>> {
    const fragments = new Map<string, readonly Fragment[]>();
    for (const app of this.#cluster.apps()) {
      try {
        const services = fragmentsOf(app, this.#selection, this.#launch.env);
        if (services.length > 0) fragments.set(app.id, services);
      } catch (error) {
        if (!(error instanceof LeftOut)) throw error;
        await this.#say(`${app.id} is left out: ${error.message}`);
      }
    }
    return fragments;
  }

  /** The file with as many of the apps as HAProxy takes; undefined if it takes none of it. */
  async #firstThatLoads(apps: ReadonlyMap<string, readonly Fragment[]>): Promise<string | undefined> {
    const refusal = await this.#complaint([...apps.values()].flat());
    if (refusal !== undefined && this.#lacksMaps) {
      // Each app is tried with a map file that is not there yet, so that none is taken, the good ones neither.
      await this.#say(`all apps are left out, for one of them: ${refusal}`);
      this.#wanted = undefined; // the next look tries again
      if ((await this.#complaint([])) !== undefined) return undefined;
    } else if (refusal !== undefined) {
      const complaint = await this.#complaint([]);
      if (complaint !== undefined) {
        await this.#say(`no valid configuration even without any app: ${complaint}`);
        return undefined;
      }
      await this.#complaint(await this.#accepted([], [...apps]));
    }
    this.#lacksMaps = false; // written with the first file that is taken
    const config = join(this.#launch.sandbox, 'haproxy.cfg');
    await rename(`${config}.next`, config);
    return config;
  }

  /** Adds app by app what HAProxy takes; by halves, because nearly always nearly all are fine. */
  async #accepted(
    kept: readonly Fragment[],
    apps: readonly (readonly [string, readonly Fragment[]])[],
  ): Promise<readonly Fragment[]> {
    const [first] = apps;
    if (first === undefined) return kept;
    const all = [...kept, ...apps.flatMap(([, fragments]) => fragments)];
    const complaint = await this.#complaint(all);
    if (complaint === undefined) return all;
    if (apps.length === 1) {
      await this.#say(`${first[0]} is left out: ${complaint}`);
      return kept;
    }
    const middle = Math.ceil(apps.length / 2);
    return this.#accepted(await this.#accepted(kept, apps.slice(0, middle)), apps.slice(middle));
  }

  async #complaint(fragments: readonly Fragment[]): Promise<string | undefined> {
    const next = join(this.#launch.sandbox, 'haproxy.cfg.next');
    await writeFile(next, render(fragments, this.#frame));
    return complaintAbout(next, this.#launch.env);
  }

  async #say(message: string): Promise<void> {
    await appendFile(join(this.#launch.sandbox, 'stderr'), `marathon-lb: ${message}\n`).catch(() => undefined);
  }
}

function fragmentsOf(app: AppWithTasks, selection: Selection, env: Env): readonly Fragment[] {
  return routedServices(app, selection).map((service) => fragmentOf(service, env));
}

/** The image's entry point adds --health-check by itself. */
function selectionOf(args: readonly string[]): Selection {
  const groups = args.flatMap((arg, nth) => {
    if (arg.startsWith('--group=')) return [arg.slice('--group='.length)];
    return arg === '--group' ? [args[nth + 1] ?? ''] : [];
  });
  return {
    groups: groups.length > 0 ? groups.flatMap((group) => group.split(',')) : ['*'],
    strict: args.includes('--strict-mode'),
    healthCheck: true,
  };
}

function frameOf(launch: Launch, certificates: readonly string[]): Frame {
  const ports = new Set([80, 443, 9090, ...containerPorts(launch.app)]); // the first three: as the templates come
  return {
    env: launch.env,
    addresses: Object.fromEntries([...ports].map((port) => [port, addressOf(port, launch)])),
    sslDirectory: join(launch.sandbox, 'ssl'),
    certificates,
    getconfigScript: fileURLToPath(new URL('getconfig.lua', import.meta.url)),
  };
}

/** A port of the container that was not asked for: open on the host's network, within the container on any other. */
function addressOf(containerPort: number, { app, host, ports, taskId }: Launch): string {
  const index = containerPorts(app).indexOf(containerPort);
  const hostPort = ports[index];
  if (hostPort !== undefined) return `${host}:${hostPort}`;
  return onHostNetwork(app) ? `${host}:${containerPort}` : `abns@${taskId}-${containerPort}`;
}

function containerPorts(app: AppDefinition): readonly number[] {
  return onHostNetwork(app)
    ? app.portDefinitions.map(({ port }) => port)
    : mappings(app).map(({ containerPort }) => containerPort);
}
