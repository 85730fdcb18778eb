/**
 * GET /v2/events, framed as Jetty's EventSourceServlet does it.
 *
 * `event:` and `data:` lines with CRLF, no id, no retry, no length and no chunking; a heartbeat every ten seconds as CR
 * and LF in two writes, so that a client meets them in different packets.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { Bus, SimulatorEvent } from './bus.ts';
import type { SseFaults } from './faults.ts';
import { isObject } from './json.ts';
import type { Traits } from './profiles.ts';

export interface StreamOptions {
  /** Empty: all. */
  readonly types: readonly string[];
  readonly light: boolean;
  readonly remoteAddress: string;
}

export class EventStreams {
  readonly #bus: Bus;
  readonly #faults: SseFaults;
  readonly #open = new Map<ServerResponse, () => void>();

  constructor(bus: Bus, faults: SseFaults) {
    this.#bus = bus;
    this.#faults = faults;
  }

  get count(): number {
    return this.#open.size;
  }

  attach(response: ServerResponse, options: StreamOptions): void {
    writeHead(response);
    if (this.#faults.closeAtOnce > 0) {
      this.#faults.closeAtOnce -= 1;
      response.end();
      return;
    }
    const unlisten = this.#bus.listen((event) => this.#send(response, event, options));
    const heart = setInterval(() => void beat(response), this.#faults.heartbeatMs);
    this.#open.set(response, () => {
      unlisten();
      clearInterval(heart);
    });
    response.once('close', () => this.#detach(response, options));
    this.#bus.publish('event_stream_attached', { remoteAddress: options.remoteAddress });
  }

  #detach(response: ServerResponse, { remoteAddress }: StreamOptions): void {
    this.#open.get(response)?.();
    if (this.#open.delete(response)) this.#bus.publish('event_stream_detached', { remoteAddress });
  }

  #send(response: ServerResponse, event: SimulatorEvent, { types, light }: StreamOptions): void {
    const { eventType } = event;
    if (types.length > 0 && !types.includes(eventType)) return;
    if (this.#faults.missing.includes(eventType)) return;
    const end = this.#faults.lineEnd;
    const text = `event: ${eventType}${end}data: ${JSON.stringify(light ? lightened(event) : event)}${end}${end}`;
    response.write(this.#faults.duplicate ? text + text : text);
  }

  sendRaw(text: string): void {
    for (const response of this.#open.keys()) response.write(text);
  }

  closeAll(): void {
    for (const response of [...this.#open.keys()]) response.destroy();
  }
}

function writeHead(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  response.removeHeader('Transfer-Encoding'); // the body ends when the socket closes
  response.writeHead(200, {
    'Content-Type': 'text/event-stream;charset=utf-8',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Expires: '0',
    Connection: 'close',
  });
  response.flushHeaders();
}

async function beat(response: ServerResponse): Promise<void> {
  response.write('\r');
  await turn();
  if (!response.destroyed) response.write('\n');
}

function lightened(event: SimulatorEvent): SimulatorEvent {
  if (!isObject(event.plan)) return event;
  const { original: _original, target: _target, ...plan } = event.plan;
  return { ...event, plan };
}

/** Whether this stream gets light plans: never, only if asked, or always, by generation. */
export function wantsLightPlans(query: URLSearchParams, traits: Traits): boolean {
  return traits.lightPlans === 'always' || (traits.lightPlans === 'asked' && query.get('plan-format') === 'light');
}
