/**
 * Bytes of an event stream, cut anywhere: the same bytes are the same events, and nothing on a line or in an event
 * makes the parser keep more than one line.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { EventParser, type MarathonEvent } from '../../src/marathon/events.ts';
import { anyText, holds } from './holds.ts';

const MIB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function parse(chunks: readonly Buffer[]): MarathonEvent[] {
  const parser = new EventParser();
  return chunks.flatMap((chunk) => [...parser.push(chunk)]);
}

/** By the positions at which it is cut, as shares of the whole. */
function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = at.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const lineEnd = fc.constantFrom('\n', '\r', '\r\n', '\n\r', '\r\n\r\n');
const payload = fc.oneof(
  fc.constantFrom('{"appId":"/a"}', '{"plan":{"steps":[{"actions":[{"app":"/b"}]}]}}', '{"appId":"/ä€😀"}', '{', '[]'),
  fc.json(),
  anyText('/', 'a', ':', '{"appId":"'),
);
const line = fc.oneof(
  payload.map((text) => `data: ${text}`),
  fc.constantFrom(
    'event: api_post_event',
    'event:t',
    'event',
    'data',
    'data:',
    ': comment',
    'id: 1',
    ':',
    '\ufeffdata: x',
  ),
  anyText('data', 'event', ':'),
);
const text = fc.array(fc.tuple(line, lineEnd), { maxLength: 20 }).map((lines) => lines.flat().join(''));
const bytes = fc.oneof(
  text.map((one) => Buffer.from(one)),
  fc.tuple(text, fc.uint8Array({ maxLength: 40 })).map(([one, more]) => Buffer.concat([Buffer.from(one), more])),
);

holds(
  'however the network cuts the bytes, the events are the same',
  fc.tuple(bytes, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 })),
  ([all, at]) => {
    const events = parse([all]);
    assert.deepEqual(parse(cut(all, at)), events);
    if (all.length < 2_000) assert.deepEqual(parse([...all].map((byte) => Buffer.from([byte]))), events);
    for (const event of events) {
      assert.deepEqual(Object.keys(event), ['type', 'appId']);
      assert.doesNotMatch(event.type, /[\r\n]/);
    }
  },
);

holds(
  'an event after any garbage and an empty line is seen',
  fc.tuple(bytes, fc.constantFrom('\n', '\r', '\r\n')),
  ([garbage, end]) => {
    const after = Buffer.from(`\r\n\r\nevent: deployment_success${end}data: {"appId":"/lb"}${end}${end}`);
    assert.deepEqual(parse([garbage, after]).at(-1), { type: 'deployment_success', appId: '/lb' });
  },
);

holds(
  'the field lines of Marathon come out as what they were',
  fc.array(fc.tuple(fc.stringMatching(/^[a-z_]{1,20}$/), fc.stringMatching(/^(\/[a-z0-9-]{1,9}){1,3}$/)), {
    maxLength: 20,
  }),
  (sent) => {
    const stream = sent.map(([type, app]) => `event: ${type}\r\ndata: ${JSON.stringify({ appId: app })}\r\n\r\n`);
    assert.deepEqual(
      parse([Buffer.from(stream.join(''))]),
      sent.map(([type, appId]) => ({ type, appId })),
    );
  },
);

const ENDLESS: readonly (readonly [string, Buffer])[] = [
  ['a line without an end', Buffer.alloc(64 * 1024, 'x')],
  ['an event without an end, of short lines', Buffer.from('data: 0123456789abcdef\n'.repeat(2_800))],
  ['an event without an end, of types', Buffer.from(`event: ${'t'.repeat(65_000)}\n`)],
  ['a data line without an end', Buffer.concat([Buffer.from('data: '), Buffer.alloc(64 * 1024, '/')])],
];

for (const [name, piece] of ENDLESS) {
  test(`64 MiB of ${name} are passed over in little memory, and the next event is seen`, () => {
    const parser = new EventParser();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    for (let sent = 0; sent < 64 * MIB; sent += piece.length) {
      assert.deepEqual([...parser.push(piece)], []);
      if (sent % (8 * MIB) >= piece.length) continue;
      collectGarbage();
      most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    assert.ok(most < 8 * MIB, `${Math.round(most / MIB)} MiB of heap`);
    const next = 'event: deployment_success\ndata: {"appId":"/a"}\n\n';
    assert.deepEqual([...parser.push(Buffer.from(`\n\n${next}`))].at(-1), { type: 'deployment_success', appId: '/a' });
  });
}

test('an app id of a megabyte of slashes takes no time', () => {
  const data = JSON.stringify({ appId: `a${'/'.repeat(MIB - 100)}a` });
  const start = performance.now();
  assert.equal(parse([Buffer.from(`data: ${data}\n\n`)]).length, 1);
  assert.ok(performance.now() - start < 10_000, 'it is not read once for every slash, which takes minutes');
});
