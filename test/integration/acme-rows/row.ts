/** What a row of the catalogue's table test is made of: names, pieces of a CA's answers, and where it gives them. */
import type { TestContext } from 'node:test';
import { type Bytes, type CannedCa, json, type Script, type Step } from '../../support/canned-ca.ts';

const NS = 'urn:ietf:params:acme:error:';
export const [A, B, C] = ['a.example', 'b.example', 'c.example'] as const;
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** When the same is tried for the first time again. */
export const FIRST_WAIT = {
  name: 10 * MINUTE,
  dns: 10 * MINUTE,
  day: DAY,
  week: 7 * DAY,
  order: MINUTE,
  settings: DAY,
  outage: MINUTE,
};

export type Wait = number | keyof typeof FIRST_WAIT;

export interface Row {
  readonly name: string;
  readonly domains?: readonly string[];
  /** What the CA does otherwise than one that is well. */
  readonly ca: Script;
  /** Who is blamed: these names, or all of them by what blocks them. */
  readonly blames: readonly string[] | 'certificate' | 'account' | 'directory';
  /** Milliseconds, or the pace that the same is tried with. */
  readonly wait: Wait | Readonly<Record<string, Wait>>;
  /** The CA's words; they must be there as they are. */
  readonly words: string;
  readonly cure: RegExp;
  /** Each order that was asked for, as names; unless told, all of them, then those that nobody blames. */
  readonly orders?: readonly (readonly string[])[];
  readonly env?: Readonly<Record<string, string>>;
  readonly tls?: Tls;
  /** Where the program looks for the CA instead. */
  readonly directoryUrl?: (t: TestContext, ca: CannedCa) => Promise<string>;
}

interface Tls {
  readonly chainPem: string;
  readonly keyPem: string;
}

export const problem = (type: string, detail: string, more: object = {}) => ({ type: `${NS}${type}`, detail, ...more });
export const refusal = (status: number, type: string, detail: string, more: object = {}): Bytes =>
  json(status, problem(type, detail, more), { 'Content-Type': 'application/problem+json' });
export const named = (name: string, type: string, detail: string) => ({
  ...problem(type, detail),
  identifier: { type: 'dns', value: name },
});

/** Wherever one of the names is part of it. */
export const at =
  (step: Step, answer: Bytes, ...names: readonly string[]): Script =>
  (asked) =>
    asked.step === step && (names.length === 0 || names.some((name) => asked.names.includes(name)))
      ? answer
      : undefined;

/** The CA has tried to validate b.example. */
export const verdict = (type: string, detail: string): Script => at('challenge', json(200, problem(type, detail)), B);

/** The order turns invalid while the CA makes the certificate, as Boulder's asynchronous finalize has it. */
export const invalidOrder =
  (error: object | undefined, ...names: readonly string[]): Script =>
  ({ step, names: ordered }) => {
    if (step !== 'finalize' || (names.length > 0 && !names.some((name) => ordered.includes(name)))) return undefined;
    const identifiers = ordered.map((value) => ({ type: 'dns', value }));
    return json(200, { status: 'invalid', identifiers, authorizations: [], finalize: 'http://127.0.0.1/', error });
  };

export const inBoulder = (ms: number): string => new Date(Date.now() + ms).toISOString().slice(0, 19).replace('T', ' ');
