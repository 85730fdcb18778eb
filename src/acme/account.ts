/**
 * Our account at a CA: one per directory, made once and kept.
 *
 * The key is on disk before the CA hears of it, so a lost reply or a kill costs no second account (Let's Encrypt gives
 * ten per address in three hours): the same key gets the same account. P-256: its signatures are the cheapest.
 */

import type { Account } from '../store.ts';
import { makeKey } from './keys.ts';
import { AcmeError } from './problem.ts';
import type { Session } from './session.ts';
import type { Authority } from './transport.ts';

interface Deps {
  readonly authority: Authority;
  readonly journal: {
    account(directory: string): Promise<Account | undefined>;
    saveAccount(account: Account): Promise<void>;
  };
  readonly signal: AbortSignal;
}

export async function signIn(deps: Deps): Promise<Session> {
  const directory = deps.authority.directoryUrl;
  const known = await deps.journal.account(directory);
  if (known?.url !== undefined) return deps.authority.connect(known, deps.signal);
  return register(known ?? (await newAccount(directory, deps)), deps);
}

/** The CA does not know our account any more: once more with the same key, for its authorizations hang on that. */
export async function signInAnew(deps: Deps): Promise<Session> {
  const directory = deps.authority.directoryUrl;
  const known = await deps.journal.account(directory);
  return register(known ? { ...known, url: undefined } : await newAccount(directory, deps), deps);
}

async function newAccount(directory: string, { journal }: Deps): Promise<Account> {
  const account = { directory, url: undefined, keyPem: await makeKey('ec256') };
  await journal.saveAccount(account);
  return account;
}

async function register(account: Account, { authority, journal, signal }: Deps): Promise<Session> {
  const session = await authority.connect(account, signal);
  try {
    const url = await session.register(authority.email).catch((error: unknown) => {
      // An address that the CA does not like is no reason to have no certificate.
      if (authority.email === undefined || !isContact(error)) throw error;
      return session.register(undefined);
    });
    await journal.saveAccount({ ...account, url });
    return session;
  } catch (error) {
    session.close();
    throw error;
  }
}

function isContact(error: unknown): boolean {
  return error instanceof AcmeError && /^(unsupportedContact|invalidContact|invalidEmail)$/.test(error.type);
}
