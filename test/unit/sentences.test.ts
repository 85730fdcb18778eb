/**
 * Each sentence has its parts: who, what was tried, what happened, what to do. Held here is what a table can hold, namely
 * that none of them ends before it says what to do; whether that helps, only people can tell.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CURES as SEEN_FROM_HERE } from '../../src/acme/preflight.ts';
import { CURES as ANSWERED } from '../../src/acme/preflight-probe.ts';
import { ROWS } from '../../src/acme/troubles.ts';
import { ConfigError, type Environment, parseConfig } from '../../src/config.ts';
import { type Reply, refusal } from '../../src/marathon/error.ts';
import { TABLE } from '../../src/settings/table.ts';

/** Something to do, or that nothing is to do. */
const DOES =
  /\b(check|see|set|give|correct|add|wrong|needs|is the path|mend|make|take|let|name|write|shorten|exempt|create|use|open|delete|nothing has to be done|tried again|asked again|read again)\b/i;

test('whatever Marathon answers, its sentence names the request, the status, and what to do', () => {
  const said = ["App '/x' does not exist", 'URI not found: /v3', 'Max number of deployments reached', 'No!'];
  for (let status = 300; status < 600; status += 1) {
    const json = said.map((message) => ({ contentType: 'application/json', text: JSON.stringify({ message }) }));
    const others = [
      { contentType: 'text/html', text: '<title>Oops</title>' },
      { contentType: '', text: '' },
    ];
    for (const request of ['GET /v2/apps/x', 'PUT /v2/apps/x']) {
      for (const reply of [...json, ...others]) {
        const { message, cure } = refusal(request, { status, ...reply } satisfies Reply);
        assert.ok(message.startsWith(`Marathon: ${request}: ${status} `), message);
        assert.ok(message.endsWith(`; ${cure}`), message);
        assert.match(cure, DOES, message);
      }
    }
  }
});

test('a change whose outcome nobody knows is told as such', () => {
  const reply = { contentType: 'text/html', text: '<title>Bad Gateway</title>' };
  assert.match(refusal('PUT /v2/apps/x', { status: 502, ...reply }).message, /may have been made all the same/);
  assert.doesNotMatch(refusal('GET /v2/apps/x', { status: 502, ...reply }).message, /may have been made/);
});

test('whatever the CA says, and whatever is seen before it is asked, there is what to do', () => {
  const cures = ROWS.map(([type, text, , , cure]) => [
    `${type} ${text}`,
    cure('www.example.com', 'more than 25 names'),
  ]);
  for (const [row, cure = ''] of [...cures, ...Object.entries(SEEN_FROM_HERE), ...Object.entries(ANSWERED)])
    assert.match(cure, DOES, row);
});

const MISTAKES = ['80a', '-1', '[', 'x y', 'a,b', '{}', '{"uid":""}', '61 3 * * *', 'http://a/?b', 'Mon 1:00', '::'];

test('a mistake in a setting names it, and shows how it is written or what to do', () => {
  for (const { name } of Object.values(TABLE)) {
    for (const value of MISTAKES) {
      for (const problem of problemsOf({ [name]: value })) {
        assert.ok(problem.includes(name), problem);
        assert.match(
          problem,
          /such as|one of|from \d+ to \d+|\d to \d+|'true' or 'false'|at most|for example|; /,
          problem,
        );
      }
    }
  }
});

function problemsOf(env: Environment): readonly string[] {
  try {
    return parseConfig(env).warnings;
  } catch (error) {
    return error instanceof ConfigError ? error.problems : [String(error)];
  }
}
