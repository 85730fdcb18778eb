/**
 * How a certificate gets from the environment to the files of the bind line: what marathon-lb's run script does once,
 * when the container starts.
 *
 * Nothing is checked here. The numbered variables count only while HAPROXY_SSL_CERT itself is not empty, and an
 * empty one is replaced by a certificate for `*` that nobody trusts. How many fit on the line is HAProxy's to say.
 */
import { selfSignedWith } from '../../support/certificates.ts';

/** File name → content, in the order of the bind line. Empty: HAPROXY_SSL_CERT is. */
export function certificateFiles(env: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  if (!env.HAPROXY_SSL_CERT) return files;
  files.set('cert.pem', echo(env.HAPROXY_SSL_CERT));
  for (let n = 0; n <= 100; n += 1) {
    const value = env[`HAPROXY_SSL_CERT${n}`];
    if (value) files.set(`cert${n}.pem`, echo(value));
  }
  return files;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** The shell's `echo -e`: escapes are read, \c ends the text, an unknown escape stays as it is. */
export function echo(text: string): string {
  // What stands before the first \\c, a backslash pair taken as one.
  const before = /^(?:[^\\]|\\[^c])*/s.exec(text)?.[0] ?? '';
  const cut = text.startsWith('\\c', before.length);
  const whole = cut ? before : text;
  const read = whole.replace(/\\(?:0([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))/gs, (found, octal, hex, letter) => {
    if (octal) return String.fromCharCode(Number.parseInt(octal, 8));
    if (hex) return String.fromCharCode(Number.parseInt(hex, 16));
    return ESCAPES[letter] ?? found;
  });
  return cut ? read : `${read}\n`;
}

/** CN=*, made anew for each container. */
export function untrusted(): string {
  return selfSignedWith({ domains: [], commonName: '*', keyType: 'rsa2048' }).pem;
}
