/**
 * One certificate over http-01 from the same Pebble, with a new account, by each client in turn.
 *
 * Interleaved: round after round, so that what else the machine does falls on all of them, and ratios are those of a round.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Disposer, type Pebble, startPebble } from '../test/support/pebble.ts';
import { webroot } from './files.ts';
import { isThere, measured, type Run } from './measure.ts';
import { type Job, type Peer, prepare } from './peers.ts';
import type { Cell } from './scenario.ts';

const HOST = '127.0.0.1';
const TIMEOUT_MS = 120_000;

export interface Result {
  readonly cell: Cell;
  /** By client, in the order of the rounds. */
  readonly runs: Readonly<Record<string, readonly Run[]>>;
}

interface Lane {
  readonly pebble: Pebble;
  readonly httpPort: number;
}

/** Those that are there; who is not is told to `missing`. */
export async function present(peers: readonly Peer[], missing: (peer: Peer) => void): Promise<readonly Peer[]> {
  const found: Peer[] = [];
  for (const peer of peers) {
    const has = await Promise.all(peer.commands.map(isThere));
    if (has.every(Boolean)) found.push(peer);
    else missing(peer);
  }
  return found;
}

export async function issuing(
  t: Disposer,
  cell: Cell,
  clients: readonly Peer[],
  told: (text: string) => void,
): Promise<Result> {
  const lanes = await Promise.all(Array.from({ length: cell.lanes }, () => lane(t, cell)));
  const runs: Record<string, Run[]> = Object.fromEntries(clients.map(({ name }) => [name, []]));
  const rounds = Array.from({ length: cell.runs }, (_, round) => round);
  await Promise.all(
    lanes.map(async (on) => {
      for (let round = rounds.shift(); round !== undefined; round = rounds.shift()) {
        const done: (readonly [string, Run])[] = [];
        // Each begins once: who comes first may find a cold cache.
        for (const client of rotated(clients, round)) done.push([client.name, await one(on, cell, client)]);
        for (const [name, run] of done) {
          runs[name]?.push(run);
          if (!run.ok) told(`${cell.title}: ${name} failed: ${run.output.trim().slice(-300)}\n`);
        }
        told('.');
      }
    }),
  );
  told('\n');
  await Promise.all(lanes.map(({ pebble }) => pebble.close()));
  return { cell, runs };
}

/** Below those that the kernel gives to connections: the port stands free between two clients. */
let nextPort = 20_000 + 10 * (process.pid % 1_000);

async function lane(t: Disposer, { ca }: Cell): Promise<Lane> {
  nextPort += 2;
  const httpPort = nextPort;
  return { httpPort, pebble: await startPebble(t, { ...ca, httpPort }) };
}

const rotated = <T>(all: readonly T[], by: number): readonly T[] => all.map((_, n) => all[(n + by) % all.length] as T);

async function one({ pebble, httpPort }: Lane, { names: count, keyType }: Cell, peer: Peer): Promise<Run> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'));
  const names = Array.from({ length: count }, (_, n) => `n${n}.bench.example`);
  const { directoryUrl, caFile } = pebble;
  const job: Job = { names, keyType, directoryUrl, caFile, httpPort, dir };
  prepare(peer, job);
  const files = peer.webroot ? await serve(httpPort, join(dir, 'webroot')) : undefined;
  const before = await settled(pebble);
  const run = await measured({ ...peer.command(job), timeoutMs: TIMEOUT_MS });
  const after = await settled(pebble);
  files?.close();
  files?.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
  return { ...run, requests: after.total - before.total, newNonces: after.newNonce - before.newNonce };
}

/** What the CA's log tells, once it tells nothing more. */
async function settled(pebble: Pebble) {
  for (let last = pebble.counts(); ; ) {
    await sleep(20);
    const now = pebble.counts();
    if (now.total === last.total) return now;
    last = now;
  }
}

async function serve(port: number, folder: string): Promise<Server> {
  const server = createServer(webroot(folder));
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(port, HOST, listening));
  return server;
}
