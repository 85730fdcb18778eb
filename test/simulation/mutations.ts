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
  /** Below test/: where it is caught when no seed catches it. */
  readonly unit?: string;
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
    file: 'issue.ts',
    find: 'await store.saveBundle(bundle, directoryUrl);\n  return',
    put: 'return',
    unit: 'integration/act.test.ts',
  },
  {
    name: 'does not look at what the CA sent',
    file: 'issue.ts',
    find: 'if (bad.length === 0) return;\n  await store.clearOrder();',
    put: 'return;',
    unit: 'integration/act.test.ts',
  },
  {
    name: 'does not adopt what marathon-lb has',
    file: 'plan/situation.ts',
    find: 'return isStagingDirectory(directoryUrl) || !isStagingIssuer(bundle.issuer);',
    put: 'return false;',
    unit: 'unit/plan.test.ts',
  },
  {
    name: 'a lost account is not made anew',
    file: 'acme/order.ts',
    find: "error.type !== 'accountDoesNotExist') throw error;\n    return",
    put: "error.type !== 'nothing') throw error;\n    return",
    unit: 'integration/acme-order.test.ts',
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
    unit: 'unit/slots.test.ts',
  },
  {
    name: 'a replaced certificate is not told from another',
    file: 'certificates/bundle.ts',
    find: 'if (normalisePem(deployed) === this.#pem.trim()) return true;',
    put: 'if (deployed.length > 0) return true;',
  },
  // Posting
  {
    name: 'posts on top of a deployment',
    file: 'plan/installing.ts',
    find: 'behindDeployment(now) ??\n',
    put: '',
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'posts the same again',
    file: 'plan/installing.ts',
    find: 'if (holds(slot, bundle, now)) return undefined;',
    put: '',
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'sends its own variables only',
    file: 'marathon/update.ts',
    find: 'return { env: { ...app.env, ...changes },',
    put: 'return { env: { ...changes },',
    unit: 'unit/marathon-app.test.ts',
  },
  {
    name: 'never posts',
    file: 'plan/plan.ts',
    find: 'const inHand = install(now) ?? watch(now) ?? prove(now);',
    put: 'const inHand = watch(now) ?? prove(now);',
    unit: 'unit/plan.test.ts',
  },
  // Telling
  {
    name: 'a stuck deployment is not told',
    file: 'plan/watching.ts',
    find: "return stuck(now) ?? { state: 'deploying',",
    put: "return { state: 'deploying',",
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'the wire is asked once and never again',
    file: 'plan/watching.ts',
    find: 'if (wire === undefined || wire.expected !== bundle?.fingerprint) return seen.at;',
    put: 'if (wire === undefined) return seen.at;\n  return later(wire.at, 10_000 * HOUR);',
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'any certificate on the wire will do',
    file: 'plan/watching.ts',
    find: "looks.find(({ verdict }) => verdict.kind === 'other') ??\n",
    put: '',
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'a follower acts too',
    file: 'plan/plan.ts',
    find: 'const mayAct = now.leader.isUs && !policy.pause;',
    put: 'const mayAct = !policy.pause;',
    unit: 'unit/plan.test.ts',
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
    unit: 'integration/observe.test.ts',
  },
  // The folder
  {
    name: 'a file that is there already is not replaced',
    file: 'atomic-file.ts',
    find: 'await rename(await writeTemporary(folder, name, text), join(folder, name));',
    put: 'await writeTemporary(folder, name, text);',
    unit: 'integration/store.test.ts',
  },
  {
    name: 'a damaged file ends the pass',
    file: 'state-folder.ts',
    find: 'else await this.#setAside(name, messageOf(error));',
    put: 'else throw error;',
    unit: 'integration/store.test.ts',
  },
  // Shares of the CA's limits, one by one
  {
    name: 'no budget of certificates in a week',
    file: 'certificates/budgets.ts',
    find: 'allowed: 40,',
    put: 'allowed: 4000,',
    unit: 'unit/budgets.test.ts',
  },
  {
    name: 'no budget of orders in three hours',
    file: 'certificates/budgets.ts',
    find: 'allowed: 20,',
    put: 'allowed: 2000,',
    unit: 'unit/budgets.test.ts',
  },
  {
    name: 'no budget of failed validations',
    file: 'certificates/budgets.ts',
    find: 'allowed: 2, windowMs: HOUR_MS }',
    put: 'allowed: 200, windowMs: HOUR_MS }',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'short-lived ones are counted in windows',
    file: 'certificates/budgets.ts',
    find: '(shortLived ? dripping : sliding)',
    put: 'sliding',
    unit: 'unit/budgets.test.ts',
  },
  {
    name: 'the bucket of short-lived ones is never empty',
    file: 'certificates/budgets.ts',
    find: 'missing = Math.max(0, missing - (at - since) / dropMs) + 1;',
    put: 'missing = 1;',
    unit: 'unit/budgets.test.ts',
  },
  {
    name: 'near the end it waits as long as ever',
    file: 'certificates/holds.ts',
    find: "longestMs === undefined || last.pace === 'week'",
    put: 'longestMs !== 0',
    unit: 'unit/holds.test.ts',
  },
  // What comes before an order
  {
    name: 'a hundred names may fail in a hundred orders',
    file: 'plan/ordering.ts',
    find: 'seen.at.getTime() >= first + AT_ONCE.within) return undefined;',
    put: 'seen.at.getTime() >= first) return undefined;',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'a crash loop without memory orders each time',
    file: 'plan/ordering.ts',
    find: '    pausedByCrash(now) ??\n',
    put: '',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'does not wait for the task before',
    file: 'plan/ordering.ts',
    find: '    behindElder(now) ??\n',
    put: '',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'orders what the task with the new labels orders',
    file: 'plan/ordering.ts',
    find: '    beforeSuccessor(now) ??\n',
    put: '',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'orders while no load balancer runs',
    file: 'plan/ordering.ts',
    find: '    noLoadBalancer(now) ??\n    unseen',
    put: '    unseen',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'orders without a look at the routes',
    file: 'plan/ordering.ts',
    find: 'if (routesDueAt(now) <= seen.at) return {',
    put: 'if (routesDueAt(now) < new Date(0)) return {',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'orders without a preflight',
    file: 'plan/ordering.ts',
    find: '  if (preflightDue(now).length === 0) return undefined;\n  return {',
    put: '  return undefined;\n  return {',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'what was mended is not tried sooner',
    file: 'plan/names.ts',
    find: 'return recoveredAt !== undefined && recoveredAt > failedAt;',
    put: 'return false;',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'all counts as mended',
    file: 'plan/names.ts',
    find: 'return recoveredAt !== undefined && recoveredAt > failedAt;',
    put: 'return true;',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'only the CA finds what is broken',
    file: 'plan/plan.ts',
    find: 'const look = lookAhead(now);',
    put: 'const look: Verdict | undefined = undefined;',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'a name that only we have not seen is never given up',
    file: 'certificates/renewal.ts',
    find: '(mayShrinkAt(bundle).getTime() + bundle.notAfter.getTime()) / 2',
    put: 'bundle.notAfter.getTime()',
    unit: 'unit/plan-names.test.ts',
  },
  {
    name: 'what an operator asks for is not done',
    file: 'act.ts',
    find: 'this.#renewAskedAt = new Date();',
    put: '',
  },
  {
    name: 'what an operator asked for is done again and again',
    file: 'act.ts',
    find: '    this.#renewAskedAt = undefined;\n',
    put: '',
  },
  // What is held, and in doubt
  {
    name: 'an order under way is not seen',
    file: 'plan/plan.ts',
    find: 'restore(now) ?? orderRunning(now) ??',
    put: 'restore(now) ??',
    unit: 'unit/plan.test.ts',
  },
  {
    name: 'does not ask what the labels were',
    file: 'plan/plan.ts',
    find: 'forgetful(now) ?? nowhere',
    put: 'nowhere',
    unit: 'unit/plan.test.ts',
  },
  {
    name: 'adopts while an order runs',
    file: 'plan/plan.ts',
    find: 'seen.stored.writable && seen.order === undefined',
    put: 'seen.stored.writable',
    unit: 'unit/plan.test.ts',
  },
  {
    name: 'a replaced one is never taken back',
    file: 'plan/situation.ts',
    find: 'return coverage(bundle, domains) > coverage(stored.bundle, domains);',
    put: 'return false;',
    unit: 'unit/plan.test.ts',
  },
  {
    name: 'a replaced one is taken back at once',
    file: 'plan/situation.ts',
    find: 'return coverage(bundle, domains) > coverage(stored.bundle, domains);',
    put: 'return true;',
    unit: 'unit/plan.test.ts',
  },
  {
    name: 'one of another directory will do',
    file: 'plan/situation.ts',
    find: 'stored.bundle !== undefined && stored.bundleDirectory === directoryUrl ? [stored.bundle] : []',
    put: 'stored.bundle !== undefined ? [stored.bundle] : []',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'one for tests may go to production',
    file: 'certificates/bundle.ts',
    find: '!wanted.stagingAllowed &&',
    put: 'false &&',
    unit: 'unit/bundle.test.ts',
  },
  {
    name: 'orders are not counted before they are sent',
    file: 'issue.ts',
    find: 'noteOrder: (directory) => store.changeLedger((ledger) => withOrder(ledger, { at: new Date(), directory })),',
    put: 'noteOrder: async () => undefined,',
    unit: 'integration/act.test.ts',
  },
  {
    name: 'an order is not on disk before it is validated',
    file: 'acme/order.ts',
    find: '  await journal.saveOrder({ directory, url, domains: spec.domains, keyPem, createdAt: new Date() });\n',
    put: '',
    unit: 'integration/acme-order.test.ts',
  },
  {
    name: 'an account that cannot be read is never tried again',
    file: 'state-folder.ts',
    find: 'for (const name of this.#unreadable) await this.#testReading(name);',
    put: '',
    unit: 'integration/store.test.ts',
  },
  // When HAProxy refuses it
  {
    name: 'what was served is not put back',
    file: 'plan/plan.ts',
    find: 'restore(now) ?? orderRunning',
    put: 'orderRunning',
    unit: 'unit/plan-restoring.test.ts',
  },
  {
    name: 'one that HAProxy refused is posted again',
    file: 'plan/installing.ts',
    find: '    givenUp(now, bundle) ??\n',
    put: '',
    unit: 'unit/plan-restoring.test.ts',
  },
  {
    name: 'what was kept to be put back is kept for ever',
    file: 'plan/plan.ts',
    find: '...forgetting(now), ',
    put: '',
    unit: 'unit/plan-restoring.test.ts',
  },
  {
    name: 'posts what no task could start with',
    file: 'marathon/size.ts',
    find: 'const VALUE_MAX = 120_000;',
    put: 'const VALUE_MAX = 120_000_000;',
    unit: 'unit/plan-installing.test.ts',
  },
  // Words
  {
    name: 'a back-off does not say why',
    file: 'plan/ordering.ts',
    find: 'const { last, count, until } = hold;',
    put: "const { count, until } = hold;\n  const last = { problem: 'something went wrong' };",
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'a blind plan does not say why',
    file: 'plan/plan.ts',
    find: "return { state: 'blind', why: seen.self.problem, cure: ASKED_AGAIN, againAt };",
    put: "return { state: 'blind', why: 'waiting for a route', cure: ASKED_AGAIN, againAt };",
    unit: 'unit/plan.test.ts',
  },
  // Hard to meet in a run: unit tests hold them
  {
    name: 'a slot that is fought over is posted again at once',
    file: 'plan/installing.ts',
    find: '    disputed(now, slot, replacement) ??\n',
    put: '',
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'redeploys beside what HAProxy may refuse',
    file: 'plan/installing.ts',
    find: '    hazardous(now) ??\n',
    put: '',
    unit: 'unit/slots.test.ts',
  },
  {
    name: 'a refused PUT is repeated at once',
    file: 'plan/installing.ts',
    find: '    backingOff(now, bundle) ??\n',
    put: '',
    unit: 'unit/plan-installing.test.ts',
  },
  {
    name: 'posts from an old reading',
    file: 'act.ts',
    find: 'if (fresh.version !== seen.loadBalancer.value.version || fresh.deployments.length > 0) return this.#tools.wake();',
    put: '',
    unit: 'integration/act.test.ts',
  },
  {
    name: 'an order in flight is not taken up',
    file: 'plan/ordering.ts',
    find: 'resume: inFlight(now, domains)',
    put: 'resume: undefined',
    unit: 'unit/plan-ordering.test.ts',
  },
  {
    name: 'what is doubted is asked of the CA again at once',
    file: 'plan/names.ts',
    find: 'return asked.every((one) => at >= later(one.at, DOUBTED_AFTER));',
    put: 'return true;',
    unit: 'unit/plan-names.test.ts',
  },
];
