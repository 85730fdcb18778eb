/**
 * Tasks in containers of a kind: a network and mount namespace each, as Docker's bridge network would give them.
 *
 * The task sees a root file system of its own (in memory, gone with the task; this machine's programs stand in for the
 * image's), its volumes at their container paths, the sandbox at /mnt/mesos/sandbox, and Mesos' names in /etc/hosts; it
 * listens on its container ports, and a forwarder takes the agent's host ports there, as Docker's proxy does. So it needs
 * no variable beyond Marathon's.
 *
 * Needs root (or a user namespace), iproute2 and util-linux. Addresses of 127.0.0.0/8 do not reach from one network
 * namespace into another: agents and whatever the task talks to must be other addresses of the test's own namespace.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { argvOf, type Executor, type Launch, openOutput, type RunningTask, toGroup, track } from './executor.ts';
import { mappings } from './model.ts';

export interface NamespaceOptions {
  /** The image's entry point; absolute paths. */
  readonly argv: readonly string[];
  /** For /etc/hosts. Default: master.mesos, marathon.mesos and leader.mesos are the host's end of the wire. */
  readonly names?: Readonly<Record<string, string>>;
  /** For /etc/resolv.conf. */
  readonly nameserver?: string;
  /** Docker's --read-only, with a tmpfs at /tmp. */
  readonly readOnlyRoot?: boolean;
  /** Docker's --user; default root. */
  readonly uid?: number;
  /** Folders of this machine to be seen as they are; the project always is. */
  readonly binds?: readonly string[];
}

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export function namespaceExecutor(options: NamespaceOptions): Executor {
  return async (launch) => {
    const held = await hold(launch, options);
    try {
      const wire = await plug(held.pid);
      await furnish(held.pid, launch, options, await etcFiles(launch, options, wire));
      const forwarders = await forward(launch, wire.container);
      void held.task.exited.then(() => close(forwarders));
      held.go();
    } catch (error) {
      held.task.kill('SIGKILL');
      throw error;
    }
    return held.task;
  };
}

interface Held {
  readonly pid: number;
  readonly task: RunningTask;
  /** Lets the task's own program begin. */
  go(): void;
}

/** A shell that waits within the new namespaces, then becomes the program: same pid, same environment (dash adds PWD). */
async function hold(launch: Launch, options: NamespaceOptions): Promise<Held> {
  const output = await openOutput(launch.sandbox);
  const user = options.uid === undefined ? [] : [`--userspec=${options.uid}:${options.uid}`];
  const inside = ['/usr/sbin/chroot', ...user, rootOf(launch), ...argvOf(options.argv, launch.app)];
  const shell = ['/bin/sh', '-c', 'read -r go && unset PWD && exec "$@"', 'sh', ...inside];
  const unshare = ['--net', '--mount', '--propagation', 'private', '--', ...shell];
  const child = spawn('/usr/bin/unshare', unshare, {
    env: launch.env,
    stdio: ['pipe', output.stdout.fd, output.stderr.fd],
    detached: true,
  });
  await once(child, 'spawn').finally(() => output.close());
  const task = track(child, toGroup);
  const pid = child.pid ?? 0;
  await namespacesOf(pid);
  return { pid, task, go: () => child.stdin?.end('go\n') };
}

/** unshare needs a moment before the child is where it should be. */
async function namespacesOf(pid: number): Promise<void> {
  const own = await linkOf('self');
  for (let tries = 0; tries < 500; tries++) {
    if ((await linkOf(pid)) !== own) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('unshare did not make a network namespace: is this root?');
}

async function linkOf(pid: number | 'self'): Promise<string> {
  const { stdout } = await run('/usr/bin/readlink', [`/proc/${pid}/ns/net`, `/proc/${pid}/ns/mnt`]);
  return stdout;
}

interface Wire {
  readonly host: string;
  readonly container: string;
}

let wires = 0;

/** A veth pair with four addresses of its own; the container's default route is our end. */
async function plug(pid: number): Promise<Wire> {
  const number = wires++ % 16_384;
  const base = `10.88.${number >> 6}`;
  const first = (number & 63) * 4;
  const [host, container] = [`${base}.${first + 1}`, `${base}.${first + 2}`];
  const name = `t${process.pid}-${number}`.slice(0, 15);
  await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  await ip('addr', 'add', `${host}/30`, 'dev', name);
  await ip('link', 'set', name, 'up');
  const within = (...args: string[]) => run('/usr/bin/nsenter', ['-t', String(pid), '-n', IP, ...args]);
  await within('link', 'set', 'lo', 'up');
  await within('addr', 'add', `${container}/30`, 'dev', 'eth0');
  await within('link', 'set', 'eth0', 'up');
  await within('route', 'add', 'default', 'via', host);
  return { host, container };
}

const IP = '/usr/sbin/ip';
const ip = (...args: string[]) => run(IP, args);

/** Beside the sandbox, so that the task does not see it there. */
function besides(launch: Launch): string {
  return `${launch.sandbox}.container`;
}

function rootOf(launch: Launch): string {
  return join(besides(launch), 'root');
}

interface EtcFiles {
  readonly hosts: string;
  readonly resolv: string;
}

async function etcFiles(launch: Launch, options: NamespaceOptions, wire: Wire): Promise<EtcFiles> {
  const folder = besides(launch);
  await mkdir(rootOf(launch), { recursive: true });
  const mesos = { 'master.mesos': wire.host, 'marathon.mesos': wire.host, 'leader.mesos': wire.host };
  const names = Object.entries({ localhost: '127.0.0.1', ...mesos, ...options.names });
  const [hosts, resolv] = [join(folder, 'hosts'), join(folder, 'resolv.conf')];
  await writeFile(hosts, names.map(([name, address]) => `${address} ${name}\n`).join(''));
  await writeFile(resolv, options.nameserver ? `nameserver ${options.nameserver}\n` : '');
  return { hosts, resolv };
}

/** Mounts what the container sees; all within its mount namespace, so nothing is left behind. */
async function furnish(pid: number, launch: Launch, options: NamespaceOptions, etc: EtcFiles): Promise<void> {
  const root = rootOf(launch);
  const at = (path: string) => quoted(join(root, path));
  const script = [
    'set -e',
    `mount -t tmpfs -o mode=755 tmpfs ${at('/')}`,
    `mkdir -p ${['/etc', '/tmp', '/run', '/var/lib', '/root', '/mnt'].map(at).join(' ')}`,
    ...PROGRAMS.map(
      (path) =>
        `if [ -L ${path} ]; then cp -P ${path} ${at('/')}; elif [ -d ${path} ]; then ${bind(path, join(root, path))}; fi`,
    ),
    ...ETC.map((path) => `if [ -e ${path} ]; then cp -RL --parents ${path} ${at('/')}; fi`),
    `cp ${quoted(etc.hosts)} ${quoted(etc.resolv)} ${at('/etc')}`,
    `mount -t tmpfs -o mode=1777 tmpfs ${at('/tmp')}`,
    ...bindsOf(launch, options).map(([from = '', to = '']) => bind(from, join(root, to))),
    ...(options.readOnlyRoot ? [`mount -o remount,bind,ro ${at('/')}`] : []),
  ].join('\n');
  await run('/usr/bin/nsenter', ['-t', String(pid), '-m', '/bin/sh', '-c', script]).catch(
    (error: { stderr?: string }) => {
      throw new Error(`the container's file system could not be mounted: ${error.stderr}`);
    },
  );
}

/** This machine's programs stand in for the image's; of /etc only what programs cannot do without. */
const PROGRAMS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64'];
const ETC = ['passwd', 'group', 'nsswitch.conf', 'ld.so.cache', 'ssl/certs', 'ssl/openssl.cnf'].map(
  (name) => `/etc/${name}`,
);

function bindsOf(launch: Launch, options: NamespaceOptions): readonly (readonly string[])[] {
  const absolute = Object.entries(launch.volumes).filter(([path]) => path.startsWith('/'));
  const seen = [PROJECT, dirname(process.execPath), launch.sandbox, ...(options.binds ?? [])];
  return [
    ['/proc', '/proc'],
    ['/dev', '/dev'],
    ...seen.map((path) => [path, path]),
    [launch.sandbox, '/mnt/mesos/sandbox'],
    ...absolute.map(([path, folder]) => [folder, path]),
  ];
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const bind = (from: string, to: string) => `mkdir -p ${quoted(to)} && mount --rbind ${quoted(from)} ${quoted(to)}`;

/** Docker's proxy: takes every connection, and closes it when nobody listens inside. */
async function forward(launch: Launch, container: string): Promise<readonly Server[]> {
  const mapped = mappings(launch.app).filter(({ hostPort }) => hostPort !== undefined);
  return Promise.all(
    mapped.map(async ({ containerPort }, index) => {
      const hostPort = launch.ports[index] ?? 0;
      const server = createServer({ allowHalfOpen: true }, (from) => {
        const to = connect({ host: container, port: containerPort || hostPort, allowHalfOpen: true });
        from.pipe(to).pipe(from);
        from.on('error', () => to.destroy());
        to.on('error', () => from.destroy());
      });
      server.listen(hostPort, launch.host);
      await once(server, 'listening');
      return server;
    }),
  );
}

function close(servers: readonly Server[]): void {
  for (const server of servers) server.close();
}
