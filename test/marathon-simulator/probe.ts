/** One health check: an answer, or why there was none. Redirects are answers, as they are for Marathon. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Task } from './task.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly timeoutMs: number;
}

export interface Answer {
  readonly status?: number;
  readonly failure?: string;
}

export async function probe(protocol: string, target: Target): Promise<Answer> {
  const signal = AbortSignal.timeout(target.timeoutMs);
  const look = protocol.endsWith('TCP') ? tcp(target, signal) : http(protocol.endsWith('HTTPS'), target, signal);
  return look.catch((error: Error) => ({
    failure: signal.aborted ? `no answer within ${target.timeoutMs} ms` : error.message,
  }));
}

async function http(secure: boolean, { host, port, path }: Target, signal: AbortSignal): Promise<Answer> {
  const options = { host, port, path, signal, agent: false as const };
  const request = secure ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
  request.on('error', () => undefined); // once() below tells the first; a later one is a body nobody reads
  request.end();
  const [response] = await once(request, 'response');
  response.on('error', () => undefined).resume();
  const status: number = response.statusCode;
  return status >= 200 && status < 400 ? { status } : { status, failure: `HTTP status ${status}` };
}

async function tcp({ host, port }: Target, signal: AbortSignal): Promise<Answer> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal });
    return {};
  } finally {
    socket.destroy();
  }
}

/** In the task's sandbox with the task's environment, as the agent runs it. */
export async function probeCommand(command: string, task: Task, timeoutMs: number): Promise<string | undefined> {
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: task.sandbox,
    env: task.env,
    stdio: 'ignore',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const [code] = await once(child, 'exit').catch((error: Error) => [error.message]);
  return code === 0 ? undefined : `command exited with ${code ?? 'a time-out'}`;
}
