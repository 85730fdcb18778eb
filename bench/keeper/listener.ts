/**
 * The challenge listener against a bare node:http server that answers as many bytes: requests a second and the slowest
 * hundredth, in turn, by the same generator. The bare one runs twice: started as the image starts ours, which compares the
 * code, and as Node comes, with the optimizing compilers that the image does without.
 *
 * The keeper is asked for what the load balancer and Marathon ask all the time, `ping`: a challenge takes the same way, with
 * one look into a map more. The generator is node:net: each connection sends its next request when it has its answer.
 */
import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { connect } from 'node:net';
import { sidecarFor } from '../../test/support/episode.ts';
import { imageFlags } from '../../test/support/image-flags.ts';
import type { Disposer } from '../../test/support/pebble.ts';
import { until } from '../../test/support/until.ts';
import { median, quantile, type Row, type ScenarioOptions } from './row.ts';
import { keeperCluster, namesOf, staged, untilLive } from './stage.ts';

const PATH = '/.well-known/acme-challenge/ping';
const CONNECTIONS = 32;
const BARE = `
  const http = process.getBuiltinModule('node:http');
  const server = http.createServer((request, reply) => {
    reply.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 4 });
    reply.end('pong');
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

interface Server {
  readonly host: string;
  readonly port: number;
}

interface Load {
  readonly perSecond: number;
  readonly p99Ms: number;
}

type Round = readonly [ours: Load, bare: Load, optimized: Load];

export async function listener({ quick }: ScenarioOptions): Promise<readonly Row[]> {
  return staged(async (t) => {
    const keeper = await keeperCluster(t);
    await keeper.cluster.addSidecar(await sidecarFor(namesOf(2)));
    await untilLive(keeper, 60_000);
    const [task] = keeper.cluster.tasks('/letsencrypt-dcos');
    const ours = { host: task?.host ?? '', port: task?.ports[0] ?? 0 };
    const [bare, optimized] = [await bareServer(t, imageFlags()), await bareServer(t, [])];
    const rounds: Round[] = [];
    const [warmUp, seconds, count] = quick ? [0.5, 1, 5] : [2, 2, 9];
    for (const server of [ours, bare, optimized]) await load(server, warmUp);
    for (let round = 0; round < count; round += 1)
      rounds.push([await load(ours, seconds), await load(bare, seconds), await load(optimized, seconds)]);
    return rowsOf(rounds);
  });
}

async function bareServer(t: Disposer, flags: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, [...flags, '-e', BARE], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk));
  const port = await until(() => Number(said) || undefined, 'the bare server listens');
  return { host: '127.0.0.1', port };
}

async function load(server: Server, seconds: number): Promise<Load> {
  const bytes = await answerBytes(server);
  const tookMs: number[] = [];
  const began = performance.now();
  const end = began + seconds * 1000;
  await Promise.all(Array.from({ length: CONNECTIONS }, () => askUntil(server, bytes, end, tookMs)));
  return { perSecond: (tookMs.length * 1000) / (performance.now() - began), p99Ms: quantile(tookMs, 0.99) };
}

/** One connection: asks, waits for all bytes of the answer, asks again. */
function askUntil({ host, port }: Server, bytes: number, end: number, tookMs: number[]): Promise<void> {
  const request = Buffer.from(`GET ${PATH} HTTP/1.1\r\nHost: www1.shop.example\r\n\r\n`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true });
    let [asked, got] = [0, 0];
    const ask = (): void => {
      [asked, got] = [performance.now(), 0];
      socket.write(request);
    };
    socket.on('connect', ask);
    socket.on('data', (chunk) => {
      got += chunk.length;
      if (got < bytes) return;
      tookMs.push(performance.now() - asked);
      if (performance.now() < end) ask();
      else socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

/** How many bytes an answer has, headers and all: the same for each. */
function answerBytes({ host, port }: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path: PATH, agent: false, headers: { connection: 'keep-alive' } }, (reply) => {
      const { socket } = reply;
      reply.resume().once('end', () => {
        resolve(socket.bytesRead);
        socket.destroy();
      });
    });
    request.on('error', reject);
  });
}

function rowsOf(rounds: readonly Round[]): readonly Row[] {
  const rate = (one: Load): number => one.perSecond;
  const slow = (one: Load): number => one.p99Ms;
  const what = 'challenge listener: requests a second ≥ 0.8 × bare node:http';
  const perSecond = (value: number): string => `${value.toFixed(0)} a second`;
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  return [
    against(rounds, { target: what, other: 1, figure: rate, least: 0.8, told: perSecond }),
    against(rounds, {
      target: `${what} with optimizing compilers`,
      other: 2,
      figure: rate,
      least: 0.8,
      told: perSecond,
    }),
    against(rounds, {
      target: 'challenge listener: p99 ≤ 2 × bare node:http',
      other: 1,
      figure: slow,
      most: 2,
      told: ms,
    }),
  ];
}

interface Comparison {
  readonly target: string;
  readonly other: 1 | 2;
  readonly figure: (load: Load) => number;
  readonly least?: number;
  readonly most?: number;
  readonly told: (value: number) => string;
}

/** Medians of both, and the median of the ratios of a round. */
function against(rounds: readonly Round[], { target, other, figure, least, most, told }: Comparison): Row {
  const [ours, theirs] = [0, other].map((which) => median(rounds.map((round) => figure(round[which] as Load))));
  const ratio = median(rounds.map((round) => figure(round[0]) / figure(round[other])));
  return {
    target,
    measured: `${told(ours ?? Number.NaN)} to ${told(theirs ?? Number.NaN)}, ${CONNECTIONS} connections`,
    ratio: `${ratio.toFixed(2)} ×`,
    met: ratio >= (least ?? 0) && ratio <= (most ?? Infinity),
    figures: { ratio, ours: ours ?? Number.NaN, theirs: theirs ?? Number.NaN },
  };
}
