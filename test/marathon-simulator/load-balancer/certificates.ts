/**
 * How a certificate gets from the environment to the files of the bind line: what marathon-lb's run script does once,
 * when the container starts.
 *
 * Nothing is checked here. The numbered variables count only while HAPROXY_SSL_CERT itself is not empty, and an
 * empty one is replaced by a certificate for `*` that nobody trusts. How many fit on the line is HAProxy's to say.
 */
import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

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
export async function selfSigned(): Promise<string> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = `01${randomBytes(8).toString('hex')}`;
  certificate.validity.notBefore = new Date();
  certificate.validity.notAfter = new Date(Date.now() + 365 * 86_400_000);
  const name = [{ name: 'commonName', value: '*' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n') + privateKey;
}
