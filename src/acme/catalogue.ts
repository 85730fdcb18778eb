/**
 * Who is to blame for an order that failed, and for how long: the CA's words, looked up in the table of troubles.ts.
 *
 * One judgement for each name that the CA blames, so that the others need not wait for it; else one for this set of
 * names, for our account, or for the CA. Its sentence is made by the same functions as the error's message.
 */

import type { Pace, Scope } from '../certificates/ledger.ts';
import { AcmeError, blame, type Subproblem } from './problem.ts';
import { ruling, type Trouble } from './troubles.ts';

export interface Judgement {
  readonly scope: Scope;
  readonly pace: Pace;
  /** Scope name: that one; else all that were ordered. */
  readonly names: readonly string[];
  readonly type: string;
  /** The whole sentence: the CA's words and what would help. */
  readonly problem: string;
  readonly retryAfter: Date | undefined;
}

export function judge(error: Error, domains: readonly string[]): readonly Judgement[] {
  if (!(error instanceof AcmeError)) return [ours(error, domains)];
  const named = new Map<string, Judgement>();
  for (const subproblem of error.subproblems.filter((one) => mayBeOneNames(error, one))) {
    for (const name of namesMeant(subproblem, domains)) {
      if (!named.has(name)) named.set(name, ofName(name, subproblem, error));
    }
  }
  return named.size > 0 ? [...named.values()] : [ofAll(error, domains)];
}

/** The disk, or something unforeseen: the error says itself what would help. */
function ours({ message: problem }: Error, names: readonly string[]): Judgement {
  return { scope: 'certificate', pace: 'order', names, type: 'own', problem, retryAfter: undefined };
}

/** A refusal that concerns all we do there is not one name's, although its text may quote one. A verdict always is. */
function mayBeOneNames({ status }: AcmeError, trouble: Subproblem): boolean {
  const scope = ruling(trouble)?.scope;
  return status === undefined || (scope !== 'account' && scope !== 'directory');
}

/** A CA may speak of what lies above our names: of the registered domain for its limits, of a CAA record's zone. */
function namesMeant({ domain, detail }: Subproblem, domains: readonly string[]): readonly string[] {
  if (domain === undefined) return [];
  const isZone = /already issued/i.test(detail) || !domains.includes(domain);
  return isZone ? domains.filter((name) => name === domain || name.endsWith(`.${domain}`)) : [domain];
}

function ofName(name: string, { type, detail }: Trouble, { retryAfter }: AcmeError): Judgement {
  const row = ruling({ type, detail });
  const pace = row?.scope === 'name' ? row.pace : 'name';
  return { scope: 'name', pace, names: [name], type, problem: `ACME: ${blame(name, { type, detail })}`, retryAfter };
}

function ofAll(error: AcmeError, names: readonly string[]): Judgement {
  const { type, detail, code, message: problem, retryAfter } = error;
  const row = ruling({ type, detail, code });
  const [only, ...others] = names;
  if (row?.scope === 'name' && only !== undefined && others.length === 0) return ofName(only, error, error);
  // Some name is to blame, but who knows which: the set waits, though not as long as the name would have to.
  const unnamed = {
    scope: 'certificate',
    pace: row?.pace === 'week' || row?.pace === 'day' ? 'day' : 'order',
  } as const;
  const { scope, pace } = row === undefined || row.scope === 'name' ? unnamed : row;
  return { scope, pace, names, type, problem, retryAfter };
}
