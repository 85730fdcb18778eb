/** The shell's `echo -e`, by which marathon-lb writes a certificate from the environment to its file. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { certificateFiles, echo } from '../marathon-simulator/load-balancer/certificates.ts';

const texts = [
  'plain',
  'two\nlines',
  'literal \\n newline',
  'doubled \\\\n stays a backslash and n',
  'tab\\tcarriage\\rreturn',
  'octal \\0101, hex \\x41',
  'unknown \\q stays',
  'ends \\c here',
  'does not end \\\\c here',
  'a backslash at the end \\',
  'base64 +/= and $HOME `id` "quotes"',
  '',
];
for (const text of texts) {
  test(`echo -e of ${JSON.stringify(text)} is what bash makes of it`, () => {
    const bash = execFileSync('bash', ['--norc', '-c', 'echo -e "$TEXT"'], { env: { TEXT: text }, encoding: 'utf8' });
    assert.equal(echo(text), bash);
  });
}

test('files stand in the order of the bind line, numbered ones only behind HAPROXY_SSL_CERT, up to 100', () => {
  const env = { HAPROXY_SSL_CERT10: 'c', HAPROXY_SSL_CERT: 'a', HAPROXY_SSL_CERT2: 'b', HAPROXY_SSL_CERT101: 'x' };
  assert.deepEqual(
    [...certificateFiles(env)],
    [
      ['cert.pem', 'a\n'],
      ['cert2.pem', 'b\n'],
      ['cert10.pem', 'c\n'],
    ],
  );
  assert.deepEqual([...certificateFiles({ ...env, HAPROXY_SSL_CERT: '' })], []);
});
