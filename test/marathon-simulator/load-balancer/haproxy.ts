/**
 * A real HAProxy as a child process, in master-worker mode: started, reloaded without losing a connection, killed.
 *
 * Nothing of it outlives us: `track` kills the master when we exit, the kernel does when we crash (setpriv), and the
 * workers end with their master.
 */
import {
  type ChildProcessByStdio,
  type SpawnOptionsWithStdioTuple,
  type StdioNull,
  type StdioPipe,
  spawn,
} from 'node:child_process';
import { once } from 'node:events';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Exit, type RunningTask, track } from '../executor.ts';

const HAPROXY = '/usr/sbin/haproxy';

export interface HaproxyFiles {
  readonly config: string;
  /** Its output goes to `stdout` and `stderr` in here. */
  readonly directory: string;
  /** The container's, which reaches OpenSSL too. */
  readonly env?: Readonly<Record<string, string>>;
}

/** As in a container: no terminal and nothing to read, or OpenSSL would ask somebody for the password of a key. */
const ALONE = { detached: true, stdio: ['ignore', 'pipe', 'pipe'] } satisfies SpawnOptionsWithStdioTuple<
  StdioNull,
  StdioPipe,
  StdioPipe
>;

/** What HAProxy itself thinks of a configuration file: undefined if it takes it, else its complaint. */
export function complaintAbout(config: string, env: HaproxyFiles['env'] = {}): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(HAPROXY, ['-c', '-f', config], { ...ALONE, env: { ...process.env, ...env }, timeout: 20_000 });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0 ? undefined : alertsIn(output) || `exit code ${code}`));
  });
}

/** Its warnings are many, and not why it refuses. */
function alertsIn(output: string): string {
  const alerts = output.split('\n').filter((line) => line.startsWith('[ALERT]'));
  return alerts.join('\n') || output.trim();
}

/** The master's last word on a (re)load; HAProxy 2.4 and older only number their new worker. */
const LOADED = /Loading (success|failure)|New worker #\d+ \(\d+\) forked/;

/** Its first word on being asked to; HAProxy 2.4 and older use the second form. */
const RELOADING = /Reloading HAProxy|Reexecuting Master process/;
const ASK_AGAIN_MS = 200;

export class Haproxy {
  readonly exited: Promise<Exit>;
  readonly #task: RunningTask;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #output = '';

  private constructor({ config, directory, env: container }: HaproxyFiles) {
    const argv = ['--pdeathsig', 'KILL', '--', HAPROXY, '-W', '-f', config];
    const env = { ...process.env, ...container, HAPROXY_CONFIG_SHOWN: config };
    this.#child = spawn('setpriv', argv, { ...ALONE, cwd: directory, env });
    this.#task = track(this.#child);
    // 'close' and not 'exit': the workers hold the pipe too, and the ports are free when the last of them is gone.
    this.exited = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }));
    this.#child.stdout.on('data', (data: Buffer) => void appendFile(join(directory, 'stdout'), data).catch(() => {}));
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#output += data.toString();
      void appendFile(join(directory, 'stderr'), data).catch(() => {});
    });
  }

  /** Resolves when it accepts connections, or has given up: then `exited` tells, and `output` why. */
  static async start(files: HaproxyFiles): Promise<Haproxy> {
    const haproxy = new Haproxy(files);
    await haproxy.#loaded();
    return haproxy;
  }

  get pid(): number | undefined {
    return this.#task.pid;
  }

  get isUp(): boolean {
    return LOADED.test(this.#output) && !this.#output.includes('Loading failure');
  }

  /** What it said since the last (re)load began. */
  get output(): string {
    return this.#output;
  }

  /**
   * Reads the file anew; the old worker hands its sockets over and finishes what it has in hand.
   *
   * A master that has just loaded ignores its signals for a moment, while it sets up their handlers (mworker_loop in
   * HAProxy's source): it is asked again until it says that it has heard.
   */
  async reload(): Promise<void> {
    this.#output = '';
    const said = this.#says(RELOADING); // once: one that is frozen is asked very often
    for (let heard = false; !heard; ) {
      this.kill('SIGUSR2');
      heard = await Promise.race([said, sleep(ASK_AGAIN_MS, false)]);
    }
    await this.#loaded();
  }

  kill(signal: NodeJS.Signals): void {
    this.#task.kill(signal);
  }

  /** The master says so in its log, after a start and after each reload. */
  async #loaded(): Promise<void> {
    await this.#says(LOADED);
  }

  /** Resolves when that is in its output, or when there will be no more of it. */
  async #says(pattern: RegExp): Promise<true> {
    const done = new AbortController();
    void this.exited.then(() => done.abort());
    while (!pattern.test(this.#output) && !done.signal.aborted) {
      await once(this.#child.stderr, 'data', { signal: done.signal }).catch(() => undefined);
    }
    return true;
  }
}
