/**
 * Planted bugs: each takes away one rule, budget or guard of the program, by a small change of its source while it is
 * loaded. The invariants have to catch every one of them; README.md names the seed that does.
 */

export interface Mutation {
  /** What the program does not do any more, or does wrong. */
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  /** Must be there, once. */
  readonly find: string;
  readonly put: string;
}

const never = 'return undefined;';

export const MUTATIONS: readonly Mutation[] = [
  // When a certificate is renewed, and how small it may become
  { name: 'renews at the very end', file: 'certificates/renewal.ts', find: '? 1 / 2 : 2 / 3', put: '? 1 : 1' },
  {
    name: 'renews in the first third',
    file: 'certificates/renewal.ts',
    find: '? 1 / 2 : 2 / 3',
    put: '? 1 / 4 : 1 / 4',
  },
  {
    name: 'short-lived ones are renewed as late as others',
    file: 'certificates/renewal.ts',
    find: '? 1 / 2 : 2 / 3',
    put: '? 1 : 2 / 3',
  },
  {
    name: 'shrinks at any time',
    file: 'certificates/renewal.ts',
    find: 'Math.max(lifeMs / 6, Math.min(3 * DAY_MS, lifeMs / 4))',
    put: 'lifeMs',
  },
  {
    name: 'never shrinks',
    file: 'certificates/renewal.ts',
    find: 'Math.max(lifeMs / 6, Math.min(3 * DAY_MS, lifeMs / 4))',
    put: '0',
  },
  {
    name: 'an obstacle on a name of the certificate does not stop an order without it',
    file: 'plan/ordering.ts',
    find: 'return givenUp.every((one) => seen.at >= giveUpAt(one, serving)) ? names',
    put: 'return givenUp.length > 0 ? names',
  },
  {
    name: 'a name more is no reason to order',
    file: 'plan/ordering.ts',
    find: 'isRenewal(now) || free.some(({ issued }) => !issued) ? names',
    put: 'isRenewal(now) ? names',
  },
  // What holds an order up
  {
    name: 'orders without a writable folder',
    file: 'plan/ordering.ts',
    find: 'if (seen.stored.writable) return undefined;',
    put: never,
  },
  {
    name: 'does not back off from the CA',
    file: 'certificates/holds.ts',
    find: 'if (until <= now) return undefined;\n  return { until, asked',
    put: 'if (now !== last.at) return undefined;\n  return { until, asked',
  },
  {
    name: 'does not wait for a Retry-After',
    file: 'certificates/holds.ts',
    find: 'if (failure.retryAfter === undefined) return 0;',
    put: 'return 0;',
  },
  {
    name: 'waits for ever after a failure',
    file: 'certificates/holds.ts',
    find: 'const spread = step *',
    put: 'const spread = 400 * DAY_MS + step *',
  },
  {
    name: 'does not count failed names',
    file: 'acme/catalogue.ts',
    find: 'return named.size > 0 ? [...named.values()] : [ofAll(error, domains)];',
    put: 'return [];',
  },
  {
    name: 'forgets failures when they are written',
    file: 'certificates/ledger.ts',
    find: 'return { ...ledger, failures: lastInARow(recent).slice(-MOST.failures) };',
    put: 'return { ...ledger, failures: [] };',
  },
  {
    name: 'a failure of any name blocks its neighbours',
    file: 'certificates/holds.ts',
    find: "scope === 'name' && names.includes(name)",
    put: "scope === 'name'",
  },
  {
    name: 'what the preflight finds is never doubted',
    file: 'plan/names.ts',
    find: 'return asked.every((one) => at >= later(one.at, DOUBTED_AFTER));',
    put: 'return false;',
  },
  // Budgets
  {
    name: 'no budget for the same names',
    file: 'certificates/budgets.ts',
    find: 'usual: 2,\n  urgent: 4,',
    put: 'usual: 500,\n  urgent: 500,',
  },
  { name: 'no budget at all', file: 'plan/ordering.ts', find: 'if (!publicCa) return [];', put: 'return [];' },
  {
    name: 'a budget that never refills',
    file: 'certificates/budgets.ts',
    find: 'const times = timesIn(entries, windowMs, now).filter((at) => at > now.getTime() - windowMs);',
    put: 'const times = timesIn(entries, windowMs, now);',
  },
  {
    name: 'certificates are not booked',
    file: 'certificates/ledger.ts',
    find: 'return { ...ledger, issued: issued.slice(-MOST.issued) };',
    put: 'return ledger;',
  },
  // What is held
  {
    name: 'does not keep what it was issued',
    file: 'act.ts',
    find: 'await store.saveBundle(bundle, directoryUrl);\n    log.info',
    put: 'log.info',
  },
  {
    name: 'does not look at what the CA sent',
    file: 'act.ts',
    find: 'if (bad.length === 0) return;\n    await store.clearOrder();',
    put: 'return;',
  },
  {
    name: 'does not adopt what marathon-lb has',
    file: 'plan/situation.ts',
    find: 'return isStagingDirectory(directoryUrl) || !isStagingIssuer(bundle.issuer);',
    put: 'return false;',
  },
  {
    name: 'a lost account is not made anew',
    file: 'acme/order.ts',
    find: "error.type !== 'accountDoesNotExist') throw error;\n    return",
    put: "error.type !== 'nothing') throw error;\n    return",
  },
  // Where it goes
  {
    name: 'foreign certificates are overwritten',
    file: 'plan/slots.ts',
    find: "return kind === 'empty' ||",
    put: "return kind === 'foreign' || kind === 'empty' ||",
  },
  {
    name: 'secrets are overwritten',
    file: 'plan/slots.ts',
    find: "return kind === 'empty' ||",
    put: "return kind === 'secret' || kind === 'empty' ||",
  },
  {
    name: 'what stands before ours is left there',
    file: 'plan/slots.ts',
    find: 'slot === ours || slot.shadows.length > 0',
    put: 'slot === ours',
  },
  {
    name: 'a replaced certificate is not told from another',
    file: 'certificates/bundle.ts',
    find: 'if (normalisePem(deployed) === this.#pem.trim()) return true;',
    put: 'if (deployed.length > 0) return true;',
  },
  // Posting
  { name: 'posts on top of a deployment', file: 'plan/installing.ts', find: 'behindDeployment(now) ??\n', put: '' },
  {
    name: 'posts the same again',
    file: 'plan/installing.ts',
    find: 'if (holds(slot, bundle, now)) return undefined;',
    put: '',
  },
  {
    name: 'sends its own variables only',
    file: 'marathon/update.ts',
    find: 'return { env: { ...app.env, ...changes },',
    put: 'return { env: { ...changes },',
  },
  {
    name: 'never posts',
    file: 'plan/plan.ts',
    find: 'const inHand = install(now) ?? watch(now) ?? prove(now);',
    put: 'const inHand = watch(now) ?? prove(now);',
  },
  // Telling
  {
    name: 'a stuck deployment is not told',
    file: 'plan/installing.ts',
    find: "return stuck(now) ?? { state: 'deploying',",
    put: "return { state: 'deploying',",
  },
  {
    name: 'the wire is asked once and never again',
    file: 'plan/installing.ts',
    find: 'if (wire === undefined || wire.expected !== bundle?.fingerprint) return seen.at;',
    put: 'if (wire === undefined) return seen.at;\n  return later(wire.at, 10_000 * HOUR);',
  },
  {
    name: 'any certificate on the wire will do',
    file: 'plan/installing.ts',
    find: "looks.find(({ verdict }) => verdict.kind === 'other') ??\n",
    put: '',
  },
  {
    name: 'a follower acts too',
    file: 'plan/plan.ts',
    find: 'const mayAct = now.leader.isUs && !policy.pause;',
    put: 'const mayAct = !policy.pause;',
  },
  {
    name: 'nobody leads',
    file: 'plan/situation.ts',
    find: 'return { taskId: leader, isUs: leader === taskId };',
    put: 'return { taskId: leader, isUs: false };',
  },
  {
    name: 'what cannot be seen ends the pass',
    file: 'observe.ts',
    find: 'return { ok: false, problem: (error as Error).message };',
    put: 'throw error;',
  },
  // The folder
  {
    name: 'a file that is there already is not replaced',
    file: 'atomic-file.ts',
    find: 'await rename(await writeTemporary(folder, name, text), join(folder, name));',
    put: 'await writeTemporary(folder, name, text);',
  },
  {
    name: 'a damaged file ends the pass',
    file: 'store.ts',
    find: 'else await this.#setAside(name, messageOf(error));',
    put: 'else throw error;',
  },
];
