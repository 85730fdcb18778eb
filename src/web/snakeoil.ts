/**
 * A self-signed certificate for the test application, made anew at each start, as Debian's ssl-cert makes its snakeoil.
 *
 * It hides what goes over the wire from those who listen, and proves nothing about who answers. The key is P-256, made off
 * the main thread: at 0.05 CPU an RSA key would keep the health check waiting. node-forge signs with RSA keys only, so it
 * writes the certificate (RFC 5280 §4.1) and node:crypto signs it.
 */
import { generateKeyPair, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

export interface Snakeoil {
  readonly certPem: string;
  readonly keyPem: string;
}

const YEAR_MS = 365 * 86_400_000;
const HOUR_MS = 3_600_000;
const COMMON_NAME = 'snakeoil';

export async function makeSnakeoil(names: readonly string[], now = new Date()): Promise<Snakeoil> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const publicKeyDer = publicKey.export({ type: 'spki', format: 'der' }).toString('latin1');
  const toBeSigned = tbsCertificate({ names, publicKeyDer, now });
  const signature = sign('sha256', Buffer.from(der(toBeSigned), 'latin1'), privateKey).toString('latin1');
  const body = der(sequence(toBeSigned, ECDSA_WITH_SHA256, primitive(Type.BITSTRING, `\0${signature}`)));
  return {
    certPem: forge.pem.encode({ type: 'CERTIFICATE', body }).replaceAll('\r\n', '\n'),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const { asn1 } = forge;
const { Class, Type } = asn1;
type Node = forge.asn1.Asn1;

const sequence = (...kids: Node[]): Node => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, kids);
const primitive = (type: forge.asn1.Type, value: string): Node => asn1.create(Class.UNIVERSAL, type, false, value);
const tagged = (tag: number, kid: Node): Node => asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [kid]);
const oid = (dotted: string): Node => primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
const der = (node: Node): string => asn1.toDer(node).getBytes();

/** RFC 5758 §3.2. */
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

function tbsCertificate(of: { names: readonly string[]; publicKeyDer: string; now: Date }): Node {
  const version3 = primitive(Type.INTEGER, '\x02');
  const serialNumber = primitive(Type.INTEGER, `\x01${randomBytes(15).toString('latin1')}`);
  // Both an hour and years around: the clocks of a cluster's agents differ.
  const validity = sequence(time(of.now.getTime() - HOUR_MS), time(of.now.getTime() + 10 * YEAR_MS));
  const extensions = of.names.length > 0 ? [tagged(3, sequence(subjectAltName(of.names)))] : [];
  return sequence(
    tagged(0, version3),
    serialNumber,
    ECDSA_WITH_SHA256,
    nobody(),
    validity,
    nobody(),
    asn1.fromDer(of.publicKeyDer),
    ...extensions,
  );
}

/** Issuer and subject are the same: that is what self-signed means. */
function nobody(): Node {
  const commonName = sequence(oid('2.5.4.3'), primitive(Type.UTF8, COMMON_NAME));
  return sequence(asn1.create(Class.UNIVERSAL, Type.SET, true, [commonName]));
}

function subjectAltName(names: readonly string[]): Node {
  const dnsNames = names.map((name) => asn1.create(Class.CONTEXT_SPECIFIC, 2, false, name));
  return sequence(oid('2.5.29.17'), primitive(Type.OCTETSTRING, der(sequence(...dnsNames))));
}

/** Years up to 2049 have to be written with two digits (RFC 5280 §4.1.2.5). */
function time(ms: number): Node {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  return digits < '2050' ? primitive(Type.UTCTIME, digits.slice(2)) : primitive(Type.GENERALIZEDTIME, digits);
}
