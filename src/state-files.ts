/**
 * What the files of the state folder say: from text to nouns, every field looked at, since anybody may have edited them.
 *
 * Each is JSON with a formatVersion. A reader throws a sentence that never quotes the text: it holds private keys.
 */
import { CertificateBundle } from './certificates/bundle.ts';
import type { Failure, Issued, Ledger, Ordered, Pace, Replacement, Scope } from './certificates/ledger.ts';

export const FORMAT_VERSION = 1;

export interface Account {
  readonly directory: string;
  readonly url: string | undefined;
  readonly keyPem: string;
}

export interface OrderInFlight {
  readonly directory: string;
  readonly url: string;
  readonly domains: readonly string[];
  readonly keyPem: string;
  readonly createdAt: Date;
}

/** What marathon-lb's variables held before our PUT, while nobody knows whether HAProxy starts with ours. */
export interface KeptValues {
  /** Of the certificate that took their place. */
  readonly fingerprint: string;
  readonly values: Readonly<Record<string, string>>;
  readonly at: Date;
}

export interface StoredCertificate {
  readonly directory: string;
  readonly bundle: CertificateBundle;
}

/** Written by a later release: not ours to judge, so it stays as it is. */
export class NewerFormat extends Error {
  constructor(version: number) {
    super(
      `has format ${version}, and this release knows ${FORMAT_VERSION}: it is left alone and not used; go back to the newer release`,
    );
  }

  static isIn(text: string): boolean {
    try {
      fieldsIn(text);
      return false;
    } catch (error) {
      return error instanceof NewerFormat;
    }
  }
}

type Fields = Readonly<Record<string, unknown>>;

export function readCertificate(text: string): StoredCertificate {
  const fields = fieldsIn(text);
  return { directory: string(fields, 'directory'), bundle: CertificateBundle.parse(string(fields, 'pem')) };
}

export function readAccount(text: string): Account {
  const fields = fieldsIn(text);
  const url = fields.url === undefined ? undefined : string(fields, 'url');
  return { directory: string(fields, 'directory'), url, keyPem: string(fields, 'keyPem') };
}

export function readOrder(text: string): OrderInFlight {
  const fields = fieldsIn(text);
  return {
    directory: string(fields, 'directory'),
    url: string(fields, 'url'),
    domains: strings(fields, 'domains'),
    keyPem: string(fields, 'keyPem'),
    createdAt: date(fields, 'createdAt'),
  };
}

/** What an earlier release did not write yet is empty. */
export function readKeptValues(text: string): KeptValues {
  const fields = fieldsIn(text);
  const values = Object.entries(object(fields.values, 'values')).map(([slot, value]) => {
    if (typeof value !== 'string') throw new Error('values holds something else than texts');
    return [slot, value] as const; // an empty one is what an empty variable comes back to
  });
  return { fingerprint: string(fields, 'fingerprint'), values: Object.fromEntries(values), at: date(fields, 'at') };
}

export function readLedger(text: string): Ledger {
  const fields = { orders: [], issued: [], blocked: [], ...fieldsIn(text) };
  return {
    failures: list(fields, 'failures').flatMap(readFailure),
    orders: list(fields, 'orders').map(readOrdered),
    issued: list(fields, 'issued').map(readIssued),
    replacements: list(fields, 'replacements').map(readReplacement),
    installed: strings(fields, 'installed'),
    blocked: strings(fields, 'blocked'),
    posted: texts(fields, 'posted'),
  };
}

const SCOPES: readonly Scope[] = ['name', 'certificate', 'account', 'directory'];
const PACES: readonly Pace[] = ['name', 'dns', 'day', 'week', 'order', 'settings', 'outage'];

/** The first release did not say where a failure happened; nobody can tell now whom it would hold up. */
function readFailure(value: unknown): readonly Failure[] {
  const fields = object(value, 'failures');
  if (fields.directory === undefined) return [];
  return [
    {
      at: date(fields, 'at'),
      directory: string(fields, 'directory'),
      settings: string(fields, 'settings'),
      scope: oneOf(SCOPES, fields, 'scope'),
      names: strings(fields, 'names'),
      type: string(fields, 'type'),
      pace: oneOf(PACES, fields, 'pace'),
      problem: string(fields, 'problem'),
      retryAfter: fields.retryAfter === undefined ? undefined : date(fields, 'retryAfter'),
      ...(fields.lifted === true && { lifted: true }),
    },
  ];
}

function readOrdered(value: unknown): Ordered {
  const fields = object(value, 'orders');
  return { at: date(fields, 'at'), directory: string(fields, 'directory') };
}

function readIssued(value: unknown): Issued {
  const fields = object(value, 'issued');
  return {
    at: date(fields, 'at'),
    directory: string(fields, 'directory'),
    set: string(fields, 'set'),
    fingerprint: string(fields, 'fingerprint'),
  };
}

function readReplacement(value: unknown): Replacement {
  const fields = object(value, 'replacements');
  return { at: date(fields, 'at'), slot: string(fields, 'slot'), fingerprint: string(fields, 'fingerprint') };
}

function fieldsIn(text: string): Fields {
  const fields = object(parse(text), 'the whole');
  const version = fields.formatVersion;
  if (typeof version !== 'number') throw new Error('its formatVersion is missing');
  if (version > FORMAT_VERSION) throw new NewerFormat(version);
  return fields;
}

/** JSON.parse quotes what it stumbles over, and that may be a key. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(text.trim() === '' ? 'it is empty' : 'it is no whole JSON document');
  }
}

function object(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name} is no JSON object`);
  return value as Fields;
}

function string(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw new Error(`${name} is no text`);
  return value;
}

function oneOf<T extends string>(known: readonly T[], fields: Fields, name: string): T {
  const found = known.find((one) => one === fields[name]);
  if (found === undefined) throw new Error(`${name} is none of ${known.join(', ')}`);
  return found;
}

function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new Error(`${name} is no list`);
  return value;
}

function texts(fields: Fields, name: string): Readonly<Record<string, string>> {
  const held = object(fields[name], name);
  return Object.fromEntries(Object.keys(held).map((key) => [key, string(held, key)]));
}

function strings(fields: Fields, name: string): readonly string[] {
  return list(fields, name).map((value) => {
    if (typeof value !== 'string') throw new Error(`${name} holds something else than texts`);
    return value;
  });
}

function date(fields: Fields, name: string): Date {
  const value = new Date(string(fields, name));
  if (Number.isNaN(value.getTime())) throw new Error(`${name} is no date`);
  return value;
}
