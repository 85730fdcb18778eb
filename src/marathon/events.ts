/**
 * Marathon's event stream, boiled down to hints: something of this type happened to this app.
 *
 * The payload goes no further than this file, as an `api_post_event` holds the whole app with its private keys.
 * Events come late, twice or not at all (slow readers, a new leader), so they may only say "look again".
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { pause } from '../pause.ts';
import { normaliseId } from './app.ts';
import { MarathonError } from './error.ts';
import { record, records, text } from './json.ts';

export interface MarathonEvent {
  readonly type: string;
  /** undefined: none, several, or not said. */
  readonly appId: string | undefined;
}

/** What can change a plan. `event_stream_attached` makes the stream begin with something but a heartbeat. */
const TYPES = [
  'event_stream_attached',
  'api_post_event',
  'deployment_info',
  'deployment_success',
  'deployment_failed',
  'status_update_event',
  'health_status_changed_event',
  'instance_health_changed_event',
  'app_terminated_event',
] as const;

/** `plan-format=light`: without it, Marathon up to 1.6 sends the whole root group twice with each deployment. */
export const EVENTS_PATH = `/v2/events?plan-format=light&${TYPES.map((type) => `event_type=${type}`).join('&')}`;

/** Marathon sends a heartbeat every 10 s. */
const SILENCE_MS = 30_000;
const OPENED_ANEW = 'it is opened anew by itself: until then, changes are seen some minutes later';

/** To wake up costs more than to read what came: of a busy cluster's events, those of two seconds are read at once. */
const REST_MS = 2_000;

export interface Reading {
  readonly signal: AbortSignal;
  /** After events of which none concerns us, the stream is left alone for two seconds; all do unless told. */
  readonly concerns?: (event: MarathonEvent) => boolean;
  readonly silenceMs?: number;
}

/**
 * Ends when Marathon closes the stream or the signal aborts; throws MarathonError when it breaks or falls silent.
 * The stream is closed in any case.
 */
export async function* readEvents(
  stream: Readable,
  { signal, concerns = () => true, silenceMs = SILENCE_MS }: Reading,
): AsyncGenerator<MarathonEvent, void, undefined> {
  const silent = new MarathonError(`GET /v2/events: not one byte for ${silenceMs / 1000} s`, OPENED_ANEW);
  const timer = setTimeout(() => stream.destroy(silent), silenceMs);
  const stop = () => stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  const parser = new EventParser();
  try {
    if (signal.aborted) return;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      timer.refresh();
      const events = [...parser.push(chunk)];
      yield* events;
      if (events.length > 0 && !events.some(concerns)) await rest(stream, signal);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof MarathonError) throw error;
    throw new MarathonError(`GET /v2/events: ${(error as Error).message}`, OPENED_ANEW);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

/** The socket too: it would go on taking in what comes. See AS_READ in transport.ts. */
async function rest(stream: Readable & Partial<Pick<IncomingMessage, 'socket'>>, signal: AbortSignal): Promise<void> {
  stream.socket?.pause();
  await pause(REST_MS, signal);
  stream.socket?.resume();
}

const LINE_MAX = 1024 * 1024;
const EVENT_MAX = 2 * LINE_MAX;

/**
 * Server-sent events by the WHATWG rules, as far as Marathon uses them: CR, LF or CRLF ends a line, an empty line
 * sends what was gathered. Marathon's heartbeat is a CR and a LF in two packets, so the LF after a CR is remembered
 * across chunks. A line that is too long is skipped, and so is what an endless event goes on with; the event still
 * counts, without the app.
 */
export class EventParser {
  readonly #decoder = new StringDecoder('utf8');
  #line = '';
  #tooLong = false;
  #afterCr = false;
  #type = '';
  #data: string | undefined;
  /** Characters of the event so far: even a short piece of text may hold on to all that it was cut from. */
  #size = 0;

  *push(chunk: Buffer): Generator<MarathonEvent, void, undefined> {
    let rest = this.#decoder.write(chunk);
    while (rest !== '') {
      if (this.#afterCr && rest.startsWith('\n')) rest = rest.slice(1);
      if (rest === '') {
        this.#afterCr = false;
        return;
      }
      const end = rest.search(/[\r\n]/);
      this.#gather(end < 0 ? rest : rest.slice(0, end));
      this.#afterCr = rest[end] === '\r';
      if (end < 0) return;
      rest = rest.slice(end + 1);
      const event = this.#endOfLine();
      if (event) yield event;
    }
  }

  #gather(piece: string): void {
    if (this.#tooLong) return;
    this.#line += piece;
    if (this.#line.length <= LINE_MAX) return;
    this.#tooLong = true;
    this.#line = this.#line.slice(0, 16); // enough to know the field by
  }

  #endOfLine(): MarathonEvent | undefined {
    const line = this.#line;
    const tooLong = this.#tooLong;
    this.#line = '';
    this.#tooLong = false;
    if (line === '') return this.#dispatch();
    this.#size += line.length;
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event' && !tooLong) this.#type = value ?? '';
    if (field === 'data') this.#data = tooLong || this.#size > EVENT_MAX ? '' : `${this.#data ?? ''}${value}`;
    return undefined;
  }

  #dispatch(): MarathonEvent | undefined {
    const type = this.#type;
    const data = this.#data;
    this.#type = '';
    this.#data = undefined;
    this.#size = 0;
    return data === undefined ? undefined : { type: type || 'message', appId: appIdIn(data) };
  }
}

/** Each type names its app in another place. */
function appIdIn(data: string): string | undefined {
  const event = record(parsed(data));
  if (!event) return undefined;
  const named = text(event.appId) ?? text(event.runSpecId) ?? text(record(event.appDefinition)?.id);
  if (named !== undefined) return normaliseId(named);
  const steps = records(record(event.plan)?.steps);
  const apps = new Set(steps.flatMap((step) => records(step.actions)).flatMap((action) => text(action.app) ?? []));
  const [only] = apps;
  return apps.size === 1 && only !== undefined ? normaliseId(only) : undefined;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined; // a hint all the same
  }
}
