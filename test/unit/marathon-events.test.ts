/** The event parser on Marathon's real framing, cut in all the places where a network cuts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { MarathonError } from '../../src/marathon/error.ts';
import { EVENTS_PATH, EventParser, type MarathonEvent, readEvents } from '../../src/marathon/events.ts';

const file = (name: string) => readFileSync(new URL(`../fixtures/marathon/${name}`, import.meta.url), 'utf8');
const transcripts = JSON.parse(file('sse-transcripts.json')).cases as {
  name: string;
  chunks: string[];
  expect: string[];
}[];

function parse(chunks: readonly (string | Buffer)[]): MarathonEvent[] {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => [...parser.push(Buffer.from(chunk as string))]);
}

for (const { name, chunks, expect } of transcripts) {
  test(`transcript: ${name}`, () => {
    assert.deepEqual(
      parse(chunks).map(({ type }) => type),
      expect,
    );
  });

  test(`transcript, byte by byte: ${name}`, () => {
    const bytes = [...Buffer.from(chunks.join(''))].map((byte) => Buffer.from([byte]));
    assert.deepEqual(
      parse(bytes).map(({ type }) => type),
      expect,
    );
  });
}

test('each type of event names its app', () => {
  const rows: [object, string | undefined][] = [
    [{ appId: '/marathon-lb' }, '/marathon-lb'],
    [{ runSpecId: '/a/b' }, '/a/b'],
    [{ appDefinition: { id: '/own', env: { KEY: 'secret' } } }, '/own'],
    [{ plan: { steps: [{ actions: [{ action: 'RestartApplication', app: '/marathon-lb' }] }] } }, '/marathon-lb'],
    [{ plan: { steps: [{ actions: [{ app: '/a' }, { app: '/b' }] }] } }, undefined],
    [{ plan: null }, undefined],
    [{}, undefined],
  ];
  for (const [data, appId] of rows) {
    assert.deepEqual(parse([`event: t\r\ndata: ${JSON.stringify(data)}\r\n\r\n`]), [{ type: 't', appId }]);
  }
});

test('real traces give a hint for every event, and nothing of the payload', () => {
  for (const name of ['event-trace.update-kill-first.jsonl', 'events.legacy-heavy-1.6-and-older.jsonl']) {
    const events = file(name)
      .split('\n')
      .filter((line) => line.includes('"eventType"'));
    const seen = parse(events.map((line) => `event: ${JSON.parse(line).eventType}\r\ndata: ${line}\r\n\r\n`));
    assert.equal(seen.length, events.length);
    for (const event of seen) assert.deepEqual(Object.keys(event), ['type', 'appId']);
    assert.doesNotMatch(JSON.stringify(seen), /BEGIN/);
  }
});

test('garbage in an event is still a hint', () => {
  assert.deepEqual(parse(['event: api_post_event\r\ndata: {"appDef\r\n\r\n']), [
    { type: 'api_post_event', appId: undefined },
  ]);
});

test('a line of 10 MB is skipped, the stream goes on', () => {
  const piece = 'x'.repeat(64 * 1024);
  const big = ['event: api_post_event\r\ndata: {"x":"', ...Array.from({ length: 160 }, () => piece), '"}\r\n\r\n'];
  const next = 'event: deployment_success\r\ndata: {"appId":"/a"}\r\n\r\n';
  assert.deepEqual(parse([...big, next]), [
    { type: 'api_post_event', appId: undefined },
    { type: 'deployment_success', appId: '/a' },
  ]);
});

test('a character cut in two packets is whole again', () => {
  const bytes = Buffer.from('event: t\ndata: {"appId":"/ä"}\n\n');
  const cut = bytes.indexOf(0xc3) + 1;
  assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)]), [{ type: 't', appId: '/ä' }]);
});

test('the filter asks for the attach event and for light plans', () => {
  assert.match(EVENTS_PATH, /event_type=event_stream_attached/);
  assert.match(EVENTS_PATH, /plan-format=light/);
});

async function collect(events: AsyncIterable<MarathonEvent>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return types;
}

const EVENT = 'event: t\r\ndata: {}\r\n\r\n';
const open = (...chunks: string[]) => {
  const stream = new Readable({ read() {} });
  for (const chunk of chunks) stream.push(Buffer.from(chunk));
  return stream;
};

test('a silent stream ends with an error that may pass', async () => {
  const stream = open(EVENT);
  await assert.rejects(
    collect(readEvents(stream, { signal: new AbortController().signal, silenceMs: 20 })),
    (error: unknown) =>
      error instanceof MarathonError && error.retryable && /not one byte for 0.02 s/.test(error.message),
  );
  assert.ok(stream.destroyed);
});

test('an abort ends the stream without an error', async () => {
  const stop = new AbortController();
  const stream = open(EVENT);
  const seen: string[] = [];
  for await (const { type } of readEvents(stream, { signal: stop.signal })) {
    seen.push(type);
    stop.abort();
  }
  assert.deepEqual(seen, ['t']);
  assert.ok(stream.destroyed);
});

test('a stream that Marathon closes ends; one that breaks throws', async () => {
  const closed = open(EVENT);
  closed.push(null);
  assert.deepEqual(await collect(readEvents(closed, { signal: new AbortController().signal })), ['t']);
  const broken = open(EVENT);
  setImmediate(() => broken.destroy(new Error('read ECONNRESET')));
  await assert.rejects(collect(readEvents(broken, { signal: new AbortController().signal })), MarathonError);
});
