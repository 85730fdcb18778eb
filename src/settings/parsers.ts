/**
 * How the text of an environment variable becomes a value: one small function a kind of setting.
 *
 * Pure, and strict: each throws an Error whose message goes on where the variable's name ended ("must be …, not …"),
 * so that a mistake reads as a sentence. Nothing secret is quoted.
 */

import { isIP, isIPv6 } from 'node:net';
import { normaliseId } from '../marathon/app.ts';
import { printable } from '../printable.ts';

const LONGEST_QUOTE = 100;
const quoted = (text: string): string => printable(text, LONGEST_QUOTE);

/** `must be a port from 1 to 65535, not '80a'`. */
function wrong(expected: string, found: string): Error {
  // A credential that was put into the variable beside its own.
  const shown = found.includes('PRIVATE KEY') ? 'a private key' : `'${quoted(found)}'`;
  return new Error(`must be ${expected}, not ${shown}`);
}

export function port(text: string): number {
  if (!isPort(text)) throw wrong('a port from 1 to 65535', text);
  return Number(text);
}

/** Never quoted, not even a mistaken one. */
export function adminToken(text: string): string {
  if (!/^[!-~]{16,256}$/.test(text))
    throw new Error('must have 16 to 256 characters of ASCII and no space, for example of: openssl rand -hex 16');
  return text;
}

function isPort(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

/** Numbers, for the image's names are nobody's here; the group is the user's own unless it is named. Root is no aim. */
export function userAndGroup(text: string): { uid: number; gid: number } {
  const [uid, gid] = (/^([1-9]\d{0,8})(?::([1-9]\d{0,8}))?$/.exec(text) ?? []).slice(1);
  if (uid === undefined) throw wrong("the numbers of a user and a group, and not root's, such as '1000:1000'", text);
  return { uid: Number(uid), gid: Number(gid ?? uid) };
}

const LONGEST_TIMEOUT_SECONDS = 86_400;

export function secondsToMs(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > LONGEST_TIMEOUT_SECONDS)
    throw wrong(`a number of seconds above 0 and at most ${LONGEST_TIMEOUT_SECONDS}`, text);
  return Math.ceil(value * 1000);
}

export function yesOrNo(text: string): boolean {
  const word = text.toLowerCase();
  if (word !== 'true' && word !== 'false') throw wrong("'true' or 'false'", text);
  return word === 'true';
}

export function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text.toLowerCase());
    if (found === undefined) throw wrong(`one of ${words.join(', ')}`, text);
    return found;
  };
}

/** Marathon's own grammar: segments of lower-case letters, digits, dots and hyphens; not ending in an API word. */
export function appId(text: string): string {
  const segment = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
  const segments = normaliseId(text).slice(1).split('/');
  if (!segments.every((part) => segment.test(part)) || /^(restart|tasks|versions)$/.test(segments.at(-1) ?? ''))
    throw wrong("the id of a Marathon app such as '/marathon-lb'", text);
  return normaliseId(text);
}

export function variableName(text: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(text))
    throw wrong("the name of an environment variable of marathon-lb's app such as 'HAPROXY_SSL_CERT'", text);
  return text;
}

/** An address to listen on; a name would have to be looked up first, and is almost always a slip. */
export function listenAddress(text: string): string {
  if (isIP(text) === 0) throw wrong("an IP address such as '0.0.0.0'", text);
  return text;
}

export function hostAndPort(text: string): { host: string; port: number } {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[^\s:/@]+)):(?<port>\d+)$/i.exec(text);
  const host = match?.groups?.v6 ?? match?.groups?.name;
  if (host === undefined) throw wrong("host:port such as 'www.example.com:443'", text);
  return { host, port: port(match?.groups?.port ?? '') };
}

/** A comma list; as node:dns takes them: an address, with a port where it is not 53, IPv6 in brackets then. */
export function dnsServers(text: string): readonly string[] {
  const servers = text.split(',').map((part) => part.trim());
  for (const server of servers) {
    const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(server);
    const plain = /^([\d.]+):(\d+)$/.exec(server);
    const [, address = server, number] = bracketed ?? plain ?? [];
    const isServer = bracketed ? isIPv6(address) : isIP(address) !== 0;
    if (!isServer || (number !== undefined && !isPort(number)))
      throw wrong(
        "addresses of DNS servers such as '1.1.1.1' or '[2606:4700:4700::1111]:53', with commas between",
        text,
      );
  }
  return servers;
}

/** Only what is surely no address: the CA judges the rest, and an account without a contact works as well. */
export function email(text: string): string {
  if (!/^[^\s@,<>"]+@[^\s@,<>".]+(\.[^\s@,<>".]+)+$/.test(text))
    throw wrong("one e-mail address such as 'ops@example.com'", text);
  return text;
}

/** `example`: as it is written for this setting. */
export function httpUrl(text: string, example = 'http://marathon.mesos:8080'): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Not quoted: what does not parse may still be a URL with a password in it.
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new Error(`must be a URL that begins with http:// or https://, such as '${example}'`);
  return url;
}

/** A secret as a whole, so nothing of it is quoted. */
export function webhookUrl(text: string): URL {
  try {
    return httpUrl(text);
  } catch {
    throw new Error(
      "must be a URL that begins with https:// or http://, such as 'https://hooks.example.com/…' (what is set is not shown, for it is a secret)",
    );
  }
}

export interface MarathonUrls {
  /** Without userinfo and without a final slash. */
  readonly urls: readonly string[];
  readonly userinfo: { readonly user: string; readonly password: string } | undefined;
}

/** A comma list; the members of one Marathon share their users, so one userinfo counts for all of them. */
export function marathonUrls(text: string): MarathonUrls {
  const parsed = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => httpUrl(part));
  if (parsed.length === 0) throw new Error("must name at least one URL, such as 'http://marathon.mesos:8080'");
  if (parsed.some((url) => url.search !== '' || url.hash !== ''))
    throw new Error("must not carry '?…' or '#…'; end it before them, such as 'http://marathon.mesos:8080'");
  const pairs = [
    ...new Set(parsed.filter((url) => url.username !== '').map((url) => `${url.username}:${url.password}`)),
  ];
  if (pairs.length > 1) throw new Error('must carry the same user and password in each of its URLs');
  const [user, password] = (pairs[0] ?? '').split(':').map(decoded);
  return { urls: parsed.map(bare), userinfo: user ? { user, password: password ?? '' } : undefined };
}

/** A stray % that people leave in stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function bare(url: URL): string {
  return `${url.origin}${url.pathname.replace(/(?<!\/)\/+$/, '')}`;
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
/** minute, hour, day of the month, month, day of the week (7 is Sunday too). */
const CRON_FIELDS = [
  { name: 'minute', from: 0, to: 59, words: [] as string[] },
  { name: 'hour', from: 0, to: 23, words: [] as string[] },
  { name: 'day of the month', from: 1, to: 31, words: [] as string[] },
  { name: 'month', from: 1, to: 12, words: MONTHS },
  { name: 'day of the week', from: 0, to: 7, words: DAYS },
];

/** Stricter than the library that runs it, so that a slip is told at the start and not by a day without a check. */
export function cronExpression(text: string): string {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== CRON_FIELDS.length)
    throw wrong("a cron expression of five fields (minute hour day month weekday) such as '17 3 * * *'", text);
  for (const [index, field] of CRON_FIELDS.entries()) {
    const found = fields[index] ?? '';
    if (!found.split(',').every((part) => isCronPart(part, field)))
      throw new Error(
        `has '${quoted(found)}' as its ${field.name}, which must be of ${field.from} to ${field.to}, *, a-b or */n`,
      );
  }
  return fields.join(' ');
}

function isCronPart(part: string, field: (typeof CRON_FIELDS)[number]): boolean {
  const match = /^(?:\*|(?<low>[a-z0-9]+)(?:-(?<high>[a-z0-9]+))?)(?:\/(?<step>\d+))?$/i.exec(part);
  if (match === null) return false;
  const { low, high, step } = match.groups ?? {};
  if (step !== undefined && (Number(step) < 1 || (low !== undefined && high === undefined))) return false;
  if (low === undefined) return true;
  const first = cronNumber(low, field);
  const last = high === undefined ? first : cronNumber(high, field);
  return first >= field.from && last <= field.to && first <= last;
}

function cronNumber(text: string, field: (typeof CRON_FIELDS)[number]): number {
  const word = field.words.indexOf(text.toLowerCase());
  if (word >= 0) return word + field.from;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}
